"""Databases for tests: with all tables, or without any. A conftest imports what it needs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import create_engine, make_url, pool, text

from engine.store import migrate
from engine.store.database import Database, psycopg2_url
from engine.store.models import Base

_NUMBERS = itertools.count(1)
_OTHERS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


@pytest.fixture(scope="session")
def sql(postgres_url: str) -> Iterator[Callable[[str], None]]:
    """Runs a statement on the server, outside of any transaction."""
    engine = create_engine(psycopg2_url(postgres_url), isolation_level="AUTOCOMMIT", poolclass=pool.NullPool)

    def run(statement: str) -> None:
        with engine.connect() as connection:
            connection.execute(text(statement))

    yield run
    engine.dispose()


@pytest.fixture(scope="session")
def migrated_url(postgres_url: str, sql: Callable[[str], None]) -> str:
    """A database with all migrations, which the tests use one after the other."""
    made = _new(postgres_url, sql)
    migrate.upgrade(made)
    return made


@pytest.fixture
def empty_url(postgres_url: str, sql: Callable[[str], None]) -> str:
    """A database without any tables."""
    return _new(postgres_url, sql)


@pytest.fixture
def url(migrated_url: str) -> str:
    """A database with all tables, as the migrations leave them."""
    engine = create_engine(psycopg2_url(migrated_url), poolclass=pool.NullPool)
    with engine.begin() as connection:
        # whoever an earlier test left behind would hold locks
        connection.execute(text(_OTHERS))
        connection.execute(text(f"TRUNCATE {', '.join(Base.metadata.tables)} RESTART IDENTITY"))
        connection.execute(text("INSERT INTO routing_version VALUES (1, 1, now())"))
        connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": migrate.head()})
    return migrated_url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A connection to a database with all tables, empty."""
    made = Database(url)
    yield made
    made.close()


def _new(server_url: str, sql: Callable[[str], None]) -> str:
    name = f"test_{next(_NUMBERS)}"
    sql(f"CREATE DATABASE {name}")
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)
