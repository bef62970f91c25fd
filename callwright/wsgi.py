"""The admin API put together, for gunicorn: `gunicorn callwright.wsgi:application`, what `callwright api` executes.

The configuration is the file that CALLWRIGHT_CONFIG names and the environment.
"""

from __future__ import annotations

import redis
from flask import Flask

from admin_api import create_app
from engine.config import Config, load
from engine.services.announce import RedisAnnouncer
from engine.services.bundle import Services, Settings
from engine.store.database import Database
from recordings.storage import ObjectStorage


def build(config: Config) -> Flask:
    """The API over the configured database, Redis and object storage. Raises ConfigError."""
    config.require("database.url", "redis.url", "s3.endpoint_url")
    client = redis.Redis.from_url(config.redis.dsn, socket_timeout=2, socket_connect_timeout=2)
    services = Services.build(
        Database(config.database.dsn, name="callwright api"),
        ObjectStorage.from_config(config.s3),
        announcer=RedisAnnouncer(client),
        checks={"redis": lambda: _ping(client)},
        settings=Settings(
            country=config.engine.default_country,
            language=config.engine.default_language,
            link_expiry_s=config.api.link_expiry_s,
            bootstrap_keys=tuple(key.get_secret_value() for key in config.api.keys),
        ),
    )
    return create_app(services)


def _ping(client: redis.Redis) -> None:
    client.ping()


def __getattr__(name: str) -> Flask:
    # Made when gunicorn asks for it and not on import, so that importing this module needs no configuration.
    if name == "application":
        globals()["application"] = build(load())
        return globals()["application"]  # type: ignore[no-any-return]
    raise AttributeError(name)
