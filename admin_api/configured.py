"""The API put together from the configuration: the one place that knows its adapters."""

from __future__ import annotations

import redis
from flask import Flask
from redis.backoff import NoBackoff
from redis.retry import Retry

from admin_api.app import create_app
from engine.acd.store_redis import RedisStore
from engine.config import Config
from engine.domain.recording import RecordingRow
from engine.services.announce import FAIL_FAST, RedisAnnouncer
from engine.services.bundle import Services, Settings
from engine.services.errors import StorageAway
from engine.services.health import Check
from engine.services.speech import RedisSpeech
from engine.store.database import Database, Limits
from recordings.prompt_files import PromptDirectory
from recordings.storage import ObjectStorage, StorageError

REDIS_TIMEOUT_S = 2
STATEMENT_TIMEOUT_MS = 10_000
"""Somebody waits for the answer: sooner than in the engine."""


class StorageLinks:
    """`RecordingLinks` over object storage."""

    def __init__(self, storage: ObjectStorage) -> None:
        self._storage = storage

    def link(self, row: RecordingRow, expires_s: int) -> str:
        """A presigned URL. Raises StorageAway."""
        try:
            return self._storage.link(row, expires_s)
        except StorageError as error:
            raise StorageAway("No link can be made now.") from error


def from_config(config: Config) -> Flask:
    """The API over what the configuration names. Raises ConfigError.

    Nothing connects before the first request, so that a server may call this before it forks.
    """
    config.require("database.url", "redis.url")
    database = Database(
        config.database.dsn, name="callwright api", limits=Limits(statement_timeout_ms=STATEMENT_TIMEOUT_MS)
    )
    client = redis.Redis.from_url(
        config.redis.dsn, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S, retry=FAIL_FAST
    )
    storage = ObjectStorage.from_config(config.s3)
    services = Services.build(
        database,
        StorageLinks(storage),
        PromptDirectory(config.engine.prompts_dir),
        speech=RedisSpeech(client, config.engine.prompts_dir),
        announcer=RedisAnnouncer(client),
        checks=_checks(client, storage),
        acd=lambda: RedisStore(_once(config)),
        settings=Settings(
            country=config.engine.default_country,
            language=config.engine.default_language,
            link_expiry_s=config.api.link_expiry_s,
            bootstrap_keys=tuple(key.get_secret_value() for key in config.api.keys),
            web={"origin": config.http.origins, "secret": [secret.name for secret in config.http_secrets]},
        ),
    )
    return create_app(services)


def _once(config: Config) -> redis.Redis:
    """A client that never sends a command twice: what an agent did must not be done again."""
    return redis.Redis.from_url(
        config.redis.dsn,
        socket_timeout=REDIS_TIMEOUT_S,
        socket_connect_timeout=REDIS_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


def _checks(client: redis.Redis, storage: ObjectStorage) -> dict[str, Check]:
    def ask_redis() -> None:
        client.ping()

    def ask_storage() -> None:
        storage.head("readyz")

    return {"redis": ask_redis, "storage": ask_storage}
