"""Brings the database's schema to this version of the program."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, pool, text

from engine.store import gevent_wait
from engine.store.database import psycopg2_url
from engine.store.errors import translated

_LOCK = 0x63775F6D6967
"""The advisory lock that migrations hold ("cw_mig")."""


def configuration() -> Config:
    """Alembic's configuration, for the migrations that lie in this package."""
    config = Config()
    # `%` would start an interpolation in Alembic's configuration
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def upgrade(url: str) -> None:
    """Runs the migrations that the database has yet to see. Raises `StoreUnavailable` when it can't be reached.

    All of them in one transaction, under a lock: two processes may start at once, and a migration that fails leaves
    nothing half done. The lock belongs to the transaction, so that it holds through a pooler as well.
    """
    if gevent_wait.in_use():
        gevent_wait.install()
    engine = create_engine(psycopg2_url(url), poolclass=pool.NullPool, connect_args={"connect_timeout": 5})
    with translated(), engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def head() -> str:
    """The newest migration that this program knows."""
    found = ScriptDirectory.from_config(configuration()).get_current_head()
    if found is None:
        raise LookupError("no migrations in engine/store/migrations")
    return found


def known() -> set[str]:
    """All migrations of this program."""
    return {each.revision for each in ScriptDirectory.from_config(configuration()).walk_revisions()}


def current(connection: Connection) -> str | None:
    """The migration that the database stands at, None for an empty one."""
    # not by Alembic's own context, which logs two lines each time: this is asked by every look at the readiness
    if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found
