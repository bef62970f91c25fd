"""The API as gunicorn serves it: `gunicorn admin_api.wsgi:application`."""

from __future__ import annotations

import logging

from admin_api.configured import from_config
from engine.config import load

_config = load()
logging.basicConfig(level=_config.log.level.upper())
application = from_config(_config)
