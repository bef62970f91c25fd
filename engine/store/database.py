"""The connection to PostgreSQL: pool, limits, transactions. Works in the engine's gevent and under plain threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.orm import Session

from engine.store import gevent_wait
from engine.store.columns import dump_json
from engine.store.errors import translated


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes and deadlines of one process's connections."""

    pool_size: int = 5
    pool_overflow: int = 5
    pool_timeout_s: float = 5.0
    connect_timeout_s: int = 5
    statement_timeout_ms: int = 30_000
    lock_timeout_ms: int = 10_000
    idle_in_transaction_ms: int = 60_000


def psycopg2_url(url: str) -> URL:
    """The URL with the driver spelled out: SQLAlchemy's default driver for `postgresql://` differs between versions."""
    return make_url(url).set(drivername="postgresql+psycopg2")


class Database:
    """One database. Connects when first used; a connection that died is replaced before it is given out."""

    def __init__(self, url: str, *, name: str = "callwright", limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.engine: Engine = create_engine(
            psycopg2_url(url),
            pool_size=self.limits.pool_size,
            max_overflow=self.limits.pool_overflow,
            pool_timeout=self.limits.pool_timeout_s,
            pool_pre_ping=True,
            pool_recycle=1800,
            connect_args=_connect_args(name, self.limits),
            json_serializer=dump_json,
            hide_parameters=True,
        )
        if gevent_wait.in_use():
            gevent_wait.install()
            event.listen(self.engine, "do_connect", _resolve_host)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session in one transaction: committed at the end, rolled back on any exception.

        Raises `StoreUnavailable` or `BadData` in place of the libraries' errors.
        """
        with translated(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """A read-only session that sees the database as it stood at one moment."""
        options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with (
            translated(),
            self.engine.connect().execution_options(**options) as connection,
            Session(connection, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def ping(self) -> None:
        """Raises `StoreUnavailable` when the database does not answer."""
        with self.transaction() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Closes the pool's connections."""
        self.engine.dispose()


def _connect_args(name: str, limits: Limits) -> dict[str, Any]:
    options = {
        "statement_timeout": limits.statement_timeout_ms,
        "lock_timeout": limits.lock_timeout_ms,
        "idle_in_transaction_session_timeout": limits.idle_in_transaction_ms,
        "timezone": "UTC",
    }
    return {
        "application_name": name,
        "connect_timeout": limits.connect_timeout_s,
        "options": " ".join(f"-c {key}={value}" for key, value in options.items()),
        # A host that vanished sends no FIN: notice within half a minute, not after the kernel's two hours.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
    }


def _resolve_host(_dialect: Any, _record: Any, _args: list[Any], parameters: dict[str, Any]) -> None:
    gevent_wait.resolve(parameters)
