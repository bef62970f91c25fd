"""The admin API: Flask over `engine.services`. One folder a resource, each with `resource.py` and `schema.py`."""

from __future__ import annotations

from admin_api.app import create_app

__all__ = ["create_app"]
