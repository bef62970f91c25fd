"""A PostgreSQL for the session, and for each test a database of its own, copied from one with all migrations."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import create_engine, make_url, pool, text

from callwright.local import postgres, start
from engine.store import migrate
from engine.store.database import Database, psycopg2_url

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    state = tmp_path_factory.mktemp("store")
    service = start(postgres, state, durable=False)
    yield service.url
    service.stop()


@pytest.fixture(scope="session")
def sql(server_url: str) -> Iterator[Callable[[str], None]]:
    engine = create_engine(psycopg2_url(server_url), isolation_level="AUTOCOMMIT", poolclass=pool.NullPool)

    def run(statement: str) -> None:
        with engine.connect() as connection:
            connection.execute(text(statement))

    yield run
    engine.dispose()


@pytest.fixture(scope="session")
def template(server_url: str, sql: Callable[[str], None]) -> str:
    sql("CREATE DATABASE template_migrated")
    migrate.upgrade(database_url(server_url, "template_migrated"))
    return "template_migrated"


@pytest.fixture
def empty_url(server_url: str, sql: Callable[[str], None]) -> Iterator[str]:
    """A database without any tables."""
    yield from _fresh(server_url, sql, "template0")


@pytest.fixture
def url(server_url: str, sql: Callable[[str], None], template: str) -> Iterator[str]:
    """A database with all tables, empty."""
    yield from _fresh(server_url, sql, template)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    made = Database(url)
    yield made
    made.close()


def database_url(server_url: str, name: str) -> str:
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


def _fresh(server_url: str, sql: Callable[[str], None], source: str) -> Iterator[str]:
    name = f"test_{next(_NUMBERS)}"
    sql(f"CREATE DATABASE {name} TEMPLATE {source}")
    yield database_url(server_url, name)
    sql(f"DROP DATABASE {name} WITH (FORCE)")
