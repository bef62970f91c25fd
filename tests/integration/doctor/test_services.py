"""What doctor says of real services: well, and with each fault brought about on them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import create_engine, make_url, pool, text

from callwright.doctor import clocks, database, redis_server, storage
from callwright.doctor.finding import Area, Finding, Subject
from callwright.local import s3 as s3_service
from callwright.local import valkey
from callwright.local.s3 import ObjectStorage
from callwright.local.service import Home
from engine.config import Config
from engine.store import migrate
from engine.store.database import psycopg2_url

Run = Callable[[str], None]


def subject(**sections: dict[str, Any]) -> Subject:
    return Subject(Config.model_validate(sections))


def faults(area: Area, examined: Subject) -> list[Finding]:
    return [finding for finding in area(examined) if finding.level != "ok"]


def of_database(url: str) -> Subject:
    return subject(database={"url": url})


# -- PostgreSQL ------------------------------------------------------------------------------------------------------


def test_a_database_that_is_well(url: str) -> None:
    whats = [finding.what for finding in database.examine(of_database(url))]
    assert whats[0].startswith("PostgreSQL 18")
    assert whats[1:] == [f"schema {migrate.head()}", "callwright may read and write"]
    assert faults(database.examine, of_database(url)) == []


def test_an_empty_database(empty_url: str) -> None:
    (found,) = faults(database.examine, of_database(empty_url))
    assert (found.level, found.what, found.advice) == ("fail", "the database is empty", "callwright db upgrade")


def test_a_schema_that_is_behind_and_one_that_is_ahead(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = migrate.head()
    monkeypatch.setattr("engine.store.migrate.head", lambda: "9998")
    (found,) = faults(database.examine, of_database(url))
    assert found.what == f"the schema is behind: it stands at {newest}, this version needs 9998"
    assert found.advice == "callwright db upgrade"
    monkeypatch.undo()
    engine = create_engine(psycopg2_url(url), poolclass=pool.NullPool)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    (found,) = faults(database.examine, of_database(url))
    assert found.what == f"the schema is ahead: 9999 is of a newer version than this one ({newest})"


def test_a_wrong_password(url: str) -> None:
    wrong = make_url(url).set(password="geheim").render_as_string(hide_password=False)
    (found,) = faults(database.examine, of_database(wrong))
    assert found.what.startswith("does not answer: ")
    assert "password authentication failed" in found.what
    assert "geheim" not in found.what


@pytest.fixture
def reader(url: str, sql: Run) -> Iterator[str]:
    """The database as a user who may only read it."""
    sql("CREATE ROLE reader LOGIN PASSWORD 'reading'")
    engine = create_engine(psycopg2_url(url), isolation_level="AUTOCOMMIT", poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"))
    yield make_url(url).set(username="reader", password="reading").render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text("DROP OWNED BY reader"))
    sql("DROP ROLE reader")


def test_a_user_who_may_only_read(reader: str) -> None:
    found = faults(database.examine, of_database(reader))
    assert [each.level for each in found] == ["warn", "fail"]
    assert found[0].what.startswith("reader may not make tables")
    assert "INSERT on call_records" in found[1].what
    assert "SELECT on" not in found[1].what


def test_a_connection_that_lost_its_time_zone(url: str, monkeypatch: pytest.MonkeyPatch, sql: Run) -> None:
    name = make_url(url).database
    sql(f"ALTER DATABASE \"{name}\" SET timezone = 'Europe/Prague'")
    try:
        assert faults(database.examine, of_database(url)) == []
        # what a pooler does that does not pass the options on
        monkeypatch.setattr("engine.store.database._connect_args", lambda name, limits: {})
        (found,) = faults(database.examine, of_database(url))
    finally:
        sql(f'ALTER DATABASE "{name}" RESET timezone')
    assert found.what == "the connection's time zone is Europe/Prague in place of UTC"


def test_an_encoding_that_loses_names(postgres_url: str, sql: Run) -> None:
    sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'")
    examined = of_database(make_url(postgres_url).set(database="latin").render_as_string(hide_password=False))
    found = faults(database.examine, examined)
    sql("DROP DATABASE latin")
    assert "the database's encoding is LATIN1: names and texts are lost or refused" in [each.what for each in found]


# -- Redis -----------------------------------------------------------------------------------------------------------


def test_what_a_redis_without_a_disk_loses_is_told(redis_url: str) -> None:
    (found,) = faults(redis_server.examine, subject(redis={"url": redis_url}))
    assert found.level == "warn"
    assert "appendonly yes" in found.advice


def test_nothing_is_left_behind(redis_url: str) -> None:
    list(redis_server.examine(subject(redis={"url": redis_url})))
    with redis.Redis.from_url(redis_url) as client:
        assert list(client.scan_iter("cw:callwright-doctor:*")) == []


@pytest.fixture
def settings_of(redis_url: str) -> Iterator[Callable[..., None]]:
    """Changes settings of the server for one test."""
    with redis.Redis.from_url(redis_url) as client:
        before: dict[str, str] = {}

        def change(**values: str) -> None:
            for name, value in values.items():
                setting = name.replace("_", "-")
                before.setdefault(setting, client.config_get(setting)[setting])  # type: ignore[index]
                client.config_set(setting, value)

        yield change
        for setting, value in before.items():
            client.config_set(setting, value)


def test_a_redis_that_throws_things_away(redis_url: str, settings_of: Callable[..., None]) -> None:
    settings_of(maxmemory_policy="allkeys-lru", maxmemory="1gb", appendonly="yes")
    (found,) = faults(redis_server.examine, subject(redis={"url": redis_url}))
    assert (found.level, found.what) == ("fail", "maxmemory-policy is allkeys-lru")


def test_a_user_of_redis_without_rights(redis_url: str, settings_of: Callable[..., None]) -> None:
    settings_of(appendonly="yes")
    with redis.Redis.from_url(redis_url) as client:
        client.execute_command("ACL", "SETUSER", "narrow", "on", ">word", "~cw:*", "&*", "+@all", "-eval", "-info")
        at = redis_url.partition("@")[2]
        found = faults(redis_server.examine, subject(redis={"url": f"redis://narrow:word@{at}"}))
        client.execute_command("ACL", "DELUSER", "narrow")
    assert [each.level for each in found] == ["warn", "fail"]
    assert found[0].what.startswith("INFO is refused")
    assert found[1].what.startswith("scripts (EVAL) refused")


@pytest.mark.parametrize("given", [":geheim@", ""], ids=["another", "none"])
def test_a_wrong_password_of_redis(redis_url: str, given: str) -> None:
    at = redis_url.partition("@")[2]
    (found,) = faults(redis_server.examine, subject(redis={"url": f"redis://{given}{at}"}))
    assert found.level == "fail"
    assert found.what.startswith("does not take the password of the configuration: ")
    assert "redis.password" in found.advice
    assert "geheim" not in repr(found)


def test_a_replica(redis_url: str, tmp_path: Path) -> None:
    host, _, port = redis_url.partition("@")[2].partition("/")[0].partition(":")
    replica = valkey.launch(tmp_path, durable=False)
    try:
        replica.await_ready()
        with redis.Redis.from_url(replica.url) as client:
            client.replicaof(host, port)
            found = faults(redis_server.examine, subject(redis={"url": replica.url}))
    finally:
        replica.stop()
    assert "this server is a replica: nothing can be written" in [each.what for each in found]


# -- object storage --------------------------------------------------------------------------------------------------


def of_storage(service: ObjectStorage, **changed: str) -> Subject:
    given = {"endpoint_url": service.url, "bucket": service.bucket, "region": service.region}
    keys = {"access_key": service.access_key, "secret_key": service.secret_key}
    return subject(s3=given | keys | changed)


def test_a_storage_that_is_well_and_keeps_nothing(s3: ObjectStorage) -> None:
    assert [finding.level for finding in storage.examine(of_storage(s3))] == ["ok"]
    left = s3.client.list_objects_v2(Bucket=s3.bucket, Prefix=storage.PREFIX)
    assert left.get("KeyCount", 0) == 0


def test_a_bucket_that_is_not_there(s3: ObjectStorage) -> None:
    (found,) = faults(storage.examine, of_storage(s3, bucket="no-such-bucket"))
    assert (found.level, found.what) == ("fail", "there is no bucket no-such-bucket")
    assert "no-such-bucket" not in {each["Name"] for each in s3.client.list_buckets()["Buckets"]}


@pytest.mark.parametrize("changed", [{"secret_key": "geheim"}, {"access_key": "nobody"}])
def test_wrong_keys(s3: ObjectStorage, changed: dict[str, str]) -> None:
    (found,) = faults(storage.examine, of_storage(s3, **changed))
    assert found.what.startswith("s3:ListBucket: HeadBucket: 403")
    assert "check the keys" in found.advice
    assert "geheim" not in repr(found)


def test_a_key_that_may_only_read_and_one_that_may_only_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_service, "_arguments", _with_narrow_keys(s3_service._arguments))
    service = s3_service.launch(tmp_path, durable=False)
    try:
        service.await_ready()
        (found,) = faults(storage.examine, of_storage(service, access_key="reader", secret_key="reading"))
        assert found.what.startswith("s3:PutObject: ")
        assert "recordings stay on the switch's disk" in found.advice
        (found,) = faults(storage.examine, of_storage(service, access_key="writer", secret_key="writing"))
        assert found.what.startswith("s3:ListBucket: ")
        assert "`callwright recordings` does not start" in found.advice
    finally:
        service.stop()


def _with_narrow_keys(arguments: Callable[..., list[str]]) -> Callable[..., list[str]]:
    def changed(home: Home, chosen: dict[str, int], access_key: str, secret_key: str) -> list[str]:
        made = arguments(home, chosen, access_key, secret_key)
        file = home.path / "identities.json"
        identities = json.loads(file.read_text(encoding="utf-8"))
        for name, word, actions in (("reader", "reading", ["Read", "List"]), ("writer", "writing", ["Write"])):
            credentials = [{"accessKey": name, "secretKey": word}]
            identities["identities"].append({"name": name, "credentials": credentials, "actions": actions})
        file.write_text(json.dumps(identities), encoding="utf-8")
        return made

    return changed


# -- clocks ----------------------------------------------------------------------------------------------------------


def test_every_clock_is_asked(url: str, redis_url: str, s3: ObjectStorage) -> None:
    config = Config.model_validate(
        {
            "database": {"url": url},
            "redis": {"url": redis_url},
            "s3": {"endpoint_url": s3.url},
        }
    )
    (found,) = clocks.examine(Subject(config))
    assert found.what == "the same time as here: PostgreSQL, Redis, object storage"
    late = list(clocks.examine(Subject(config, now=lambda: time.time() - 60)))
    assert [(each.level, each.what.partition(" is ")[0]) for each in late] == [
        ("fail", "PostgreSQL"),
        ("fail", "Redis"),
        ("warn", "object storage"),
    ]
    assert "60.0 s ahead of this machine" in late[0].what
