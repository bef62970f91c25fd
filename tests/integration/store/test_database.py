from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from engine.store.database import Database, Limits
from engine.store.errors import StoreUnavailable


def scalar(database: Database, statement: str) -> object:
    with database.transaction() as session:
        return session.execute(text(statement)).scalar()


@pytest.mark.req("R124")
def test_a_connection_that_the_server_closed_is_replaced_unnoticed(database: Database, url: str) -> None:
    first = scalar(database, "SELECT pg_backend_pid()")
    other = Database(url)
    scalar(other, f"SELECT pg_terminate_backend({first}, 5000)")
    assert scalar(database, "SELECT pg_backend_pid()") != first
    other.close()


def test_a_connection_that_dies_in_a_transaction_is_one_to_wait_for(database: Database, url: str) -> None:
    other = Database(url)

    def lose() -> None:
        with database.transaction() as session:
            pid = session.execute(text("SELECT pg_backend_pid()")).scalar()
            scalar(other, f"SELECT pg_terminate_backend({pid}, 5000)")
            session.execute(text("SELECT 1"))

    with pytest.raises(StoreUnavailable):
        lose()
    assert scalar(database, "SELECT 42") == 42
    other.close()


def test_a_database_that_went_away_and_came_back(url: str, sql: Callable[[str], None]) -> None:
    database = Database(url)
    name = database.engine.url.database
    assert scalar(database, "SELECT 42") == 42
    sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    sql(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")
    with pytest.raises(StoreUnavailable):
        scalar(database, "SELECT 42")
    sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert scalar(database, "SELECT 42") == 42
    database.close()


def test_limits_and_name_reach_the_server(url: str) -> None:
    database = Database(url, name="callwright engine-7", limits=Limits(statement_timeout_ms=200))
    assert scalar(database, "SHOW application_name") == "callwright engine-7"
    assert scalar(database, "SHOW timezone") == "UTC"
    with pytest.raises(StoreUnavailable, match="57014"):
        scalar(database, "SELECT pg_sleep(5)")
    database.close()


def test_a_standby_is_one_to_wait_for(database: Database) -> None:
    with pytest.raises(StoreUnavailable, match="25006"):
        scalar(database, "SET TRANSACTION READ ONLY; DELETE FROM agents")


def test_an_empty_pool_is_one_to_wait_for(url: str) -> None:
    database = Database(url, limits=Limits(pool_size=1, pool_overflow=0, pool_timeout_s=0.1))
    with database.transaction() as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(StoreUnavailable, match="pool"):
            scalar(database, "SELECT 1")
    database.close()


def test_the_password_stands_in_no_error() -> None:
    database = Database("postgresql://user:very-secret@127.0.0.1:1/x")
    with pytest.raises(StoreUnavailable) as raised:
        database.ping()
    assert "very-secret" not in str(raised.value)
    database.close()
