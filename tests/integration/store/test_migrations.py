from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from engine.domain.routing import AgentEntry
from engine.store import migrate
from engine.store.database import Database
from engine.store.errors import BadData, SchemaOutdated, StoreUnavailable
from engine.store.flows import FlowStore
from engine.store.models import Base
from engine.store.routing import RoutingStore


def test_the_migrations_make_what_the_models_say(database: Database) -> None:
    options = {"compare_type": True, "compare_server_default": True}
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []
        assert migrate.current(connection) == migrate.head()


def test_each_migration_can_be_taken_back(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    database = Database(empty_url)
    with database.engine.begin() as connection:
        config = migrate.configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    database.close()
    migrate.upgrade(empty_url)


def test_flows_from_before_there_were_drafts_have_passed(empty_url: str) -> None:
    database = Database(empty_url)
    with database.engine.begin() as connection:
        config = migrate.configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO flows VALUES ('main', 'Main', 'inbound', now())"))
        connection.execute(
            text(
                "INSERT INTO flow_versions (flow_id, version, name, kind, definition, layout, findings, uploaded_at, "
                "uploaded_by) VALUES ('main', 'v1', 'Main', 'inbound', '{}', '{}', '[]', to_timestamp(5), 'jan')"
            )
        )
    migrate.upgrade(empty_url)
    (version,) = FlowStore(database).versions("main")
    assert (version.checked_ms, version.checked_by) == (5_000, "jan")
    database.close()


def test_agents_from_before_there_were_queues_work_in_none(empty_url: str) -> None:
    database = Database(empty_url)
    with database.engine.begin() as connection:
        config = migrate.configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.execute(text("INSERT INTO agents VALUES ('bob', 'Bob', '201', 'a-long-password')"))
    migrate.upgrade(empty_url)
    assert RoutingStore(database).snapshot().agents == (AgentEntry("bob", "Bob", "201"),)
    database.close()


@pytest.mark.req("R124")
def test_processes_that_start_at_once_do_not_get_into_each_others_way(empty_url: str) -> None:
    together = threading.Barrier(4)

    def start() -> None:
        together.wait()
        migrate.upgrade(empty_url)

    with ThreadPoolExecutor(4) as pool:
        started = [pool.submit(start) for _ in range(4)]
    assert [each.exception() for each in started] == [None] * 4


def test_a_database_without_tables_is_one_to_wait_for(empty_url: str) -> None:
    database = Database(empty_url)
    with pytest.raises(SchemaOutdated):
        RoutingStore(database).version()
    database.close()


def test_a_server_that_is_not_there_is_one_to_wait_for() -> None:
    with pytest.raises(StoreUnavailable):
        migrate.upgrade("postgresql://nobody@127.0.0.1:1/nothing")


@pytest.mark.req("R21")
@pytest.mark.parametrize("change", ["version = 'other'", "definition = '{}'"])
def test_a_flow_version_can_not_be_changed(database: Database, change: str) -> None:
    with database.transaction() as session:
        session.execute(text("INSERT INTO flows VALUES ('main', 'Main', 'inbound', now())"))
        session.execute(
            text(
                "INSERT INTO flow_versions VALUES "
                "('main', 'v1', 'Main', 'inbound', '{\"nodes\": {}}', '{}', '[]', now(), 'me')"
            )
        )
    with pytest.raises(BadData, match="do not change"), database.transaction() as session:
        session.execute(text(f"UPDATE flow_versions SET {change}"))


@pytest.mark.req("R122")
def test_the_audit_trail_can_not_be_changed(database: Database) -> None:
    with database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO audit (at, actor, source, action, subject, outcome, request_id, detail) "
                "VALUES (now(), 'me', '', 'number.put', '1', 'ok', '', '{}')"
            )
        )
    with pytest.raises(BadData, match="do not change"), database.transaction() as session:
        session.execute(text("UPDATE audit SET actor = 'you'"))
