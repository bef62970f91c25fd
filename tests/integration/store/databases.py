"""For each test a database of its own, copied from one with all migrations. A conftest imports what it needs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import create_engine, make_url, pool, text

from engine.store import migrate
from engine.store.database import Database, psycopg2_url

_NUMBERS = itertools.count(1)


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
def template(postgres_url: str, sql: Callable[[str], None]) -> str:
    """The name of a database with all migrations."""
    name = f"migrated_{next(_NUMBERS)}"
    sql(f"CREATE DATABASE {name}")
    migrate.upgrade(_in_database(postgres_url, name))
    return name


@pytest.fixture
def empty_url(postgres_url: str, sql: Callable[[str], None]) -> Iterator[str]:
    """A database without any tables."""
    yield from _fresh(postgres_url, sql, "template0")


@pytest.fixture
def url(postgres_url: str, sql: Callable[[str], None], template: str) -> Iterator[str]:
    """A database with all tables, empty."""
    yield from _fresh(postgres_url, sql, template)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A connection to a database with all tables, empty."""
    made = Database(url)
    yield made
    made.close()


def _in_database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _fresh(server_url: str, sql: Callable[[str], None], source: str) -> Iterator[str]:
    name = f"test_{next(_NUMBERS)}"
    sql(f"CREATE DATABASE {name} TEMPLATE {source}")
    yield _in_database(server_url, name)
    sql(f"DROP DATABASE {name} WITH (FORCE)")
