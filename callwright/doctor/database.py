"""PostgreSQL: reachable, new enough, writable by us, at the schema of this program."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from callwright.doctor.finding import Finding, Subject, fail, ok, warn, words_of
from engine.store import migrate
from engine.store.database import Database, Limits
from engine.store.models import Base

LEAST_MAJOR = 14
"""The oldest PostgreSQL that callwright is meant for."""
FEW_CONNECTIONS_PERCENT = 10
_UPGRADE = "callwright db upgrade"


def examine(subject: Subject) -> Iterator[Finding]:
    """All of it, over one connection."""
    if subject.config.database.url is None:
        if not subject.configured:
            yield ok("none configured: `callwright up` brings its own database, Redis, object storage and switch")
        else:
            yield fail("database.url is not set", "engine, API and recordings need it: docs/operations.md, [database]")
        return
    database = connect(subject)
    try:
        with database.engine.connect() as connection:
            yield from server(connection)
            yield from schema(connection)
            yield from rights(connection)
    except Exception as error:  # noqa: BLE001 - whatever the driver raises is the finding
        yield fail(f"does not answer: {words_of(error)}", "check database.url, its password, and that PostgreSQL runs")
    finally:
        database.close()


def connect(subject: Subject) -> Database:
    """The configured database with a patience of a few seconds."""
    limits = Limits(pool_size=1, pool_overflow=0, connect_timeout_s=4, statement_timeout_ms=4000, lock_timeout_ms=1000)
    return Database(subject.config.database.dsn, name="callwright doctor", limits=limits)


def server(connection: Connection) -> Iterator[Finding]:
    """Version, encoding, time zone, room for connections."""
    number = int(_show(connection, "server_version_num"))
    version = _show(connection, "server_version")
    if number // 10000 < LEAST_MAJOR:
        yield fail(f"PostgreSQL {version} is too old", f"{LEAST_MAJOR} is the least: pg_upgrade")
    else:
        yield ok(f"PostgreSQL {version}")
    encoding = _show(connection, "server_encoding")
    if encoding != "UTF8":
        advice = "dump it, CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, load it"
        yield fail(f"the database's encoding is {encoding}: names and texts are lost or refused", advice)
    if (zone := _show(connection, "TimeZone")) not in ("UTC", "Etc/UTC"):
        advice = "every connection asks for UTC, and a pooler drops it: pgbouncer, ignore_startup_parameters"
        yield fail(f"the connection's time zone is {zone} in place of UTC", f"{advice} must not hold `options`")
    most = int(_show(connection, "max_connections"))
    used = int(connection.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")))
    if (most - used) * 100 < most * FEW_CONNECTIONS_PERCENT:
        yield warn(f"{used} of {most} connections are in use", "raise max_connections, or put a pooler in front")


def schema(connection: Connection) -> Iterator[Finding]:
    """Where the database's migrations stand."""
    stands, newest = migrate.current(connection), migrate.head()
    if stands is None:
        yield fail("the database is empty", _UPGRADE)
    elif stands == newest:
        yield ok(f"schema {stands}")
    elif stands in migrate.known():
        yield fail(f"the schema is behind: it stands at {stands}, this version needs {newest}", _UPGRADE)
    else:
        advice = "install the newer version on this machine too; there is no way back but a backup"
        yield fail(f"the schema is ahead: {stands} is of a newer version than this one ({newest})", advice)


def rights(connection: Connection) -> Iterator[Finding]:
    """What our user may do. Nothing is written."""
    user = connection.scalar(text("SELECT current_user"))
    if connection.scalar(text("SELECT pg_is_in_recovery()")):
        yield fail("this server is a replica: nothing can be written", "name the primary in database.url")
        return
    if _show(connection, "transaction_read_only") == "on":
        advice = f"ALTER ROLE {user} RESET default_transaction_read_only, and the same for the database"
        yield fail(f"transactions of {user} are read-only", advice)
    if not connection.scalar(text("SELECT has_schema_privilege(current_schema(), 'CREATE')")):
        advice = f"GRANT CREATE ON SCHEMA public TO {user}; or run `{_UPGRADE}` as the owner"
        yield warn(f"{user} may not make tables: a newer version's migrations will fail", advice)
    missing = [f"{right} on {table}" for table in _tables(connection) for right in _missing(connection, table)]
    if missing:
        advice = f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {user}"
        yield fail(f"{user} lacks {', '.join(missing)}", advice)
    else:
        yield ok(f"{user} may read and write")


def _tables(connection: Connection) -> list[str]:
    """Our tables, those that are there."""
    names = sorted(table.name for table in Base.metadata.sorted_tables)
    return [name for name in names if connection.scalar(text("SELECT to_regclass(:name)"), {"name": name}) is not None]


def _missing(connection: Connection, table: str) -> list[str]:
    ask = text("SELECT has_table_privilege(:table, :right)")
    rights = ("SELECT", "INSERT", "UPDATE", "DELETE")
    return [right for right in rights if not connection.scalar(ask, {"table": table, "right": right})]


def _show(connection: Connection, name: str) -> str:
    return str(connection.scalar(text("SELECT current_setting(:name)"), {"name": name}))
