"""What a view finds out about its request: the use cases, and who asks."""

from __future__ import annotations

from typing import cast

from flask import current_app, g, request

from engine.services.bundle import Services
from engine.services.changes import Actor


def services() -> Services:
    """The use cases that the application was made with."""
    return cast(Services, current_app.extensions["callwright"])


def actor() -> Actor:
    """Who asks: the name of the key, the address of the connection, the id of the request."""
    return Actor(g.key_name, request.remote_addr or "", g.request_id)
