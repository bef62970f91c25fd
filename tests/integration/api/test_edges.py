"""What holds for every request: keys, errors, limits, description, state of the process."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from werkzeug.test import TestResponse

from admin_api import create_app
from admin_api.app import MAX_BODY_BYTES
from engine.services.announce import CHANNEL, FAIL_FAST, RedisAnnouncer
from engine.services.bundle import Services, Settings
from engine.services.changes import Actor
from engine.services.errors import KeyNotFound, KeyRefused, StorageAway
from engine.store.calls import CallStore
from engine.store.database import Database
from engine.store.recordings import RecordingStore
from recordings.prompt_files import PromptDirectory
from tests.integration.api.conftest import KEY, Api, FakeLinks, problem
from tests.integration.store.samples import journal, record

SYSTEM = Actor("system")


# -- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic Ym9i",
        "Bearer wrong",
        "Bearer cw_000000000000_x",
        "Bearer cw__",
        "x" * 5_000,
    ],
)
@pytest.mark.parametrize("path", ["/flows", "/openapi.json", "/nothing"])
def test_without_a_key_in_force_nothing_is_to_be_learnt(api: Api, header: str | None, path: str) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = api.get(path, key=None, headers=headers)
    problem(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


@pytest.mark.req("R123")
def test_a_key_works_until_it_is_revoked_and_is_not_kept(api: Api) -> None:
    made = api.services.keys.create("nightly export", SYSTEM)
    assert api.get("/flows", key=made.key).status_code == 200
    assert api.put("/calendars/c", {"time_zone": "UTC"}, key=made.key).status_code == 201
    assert api.audit("calendar:c")[0].actor == "nightly export"
    assert made.key not in repr(made) + repr(api.audit()) + repr(api.services.keys.list())
    with api.database.engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT api_keys::text FROM api_keys").scalar_one()
    assert made.key.rpartition("_")[2] not in kept
    problem(api.get("/flows", key=made.key + "x"), 401, "unauthenticated")
    problem(api.get("/flows", key=made.key.replace(made.id, "000000000000")), 401, "unauthenticated")
    api.services.keys.revoke(made.id, SYSTEM)
    problem(api.get("/flows", key=made.key), 401, "unauthenticated")
    with pytest.raises(KeyNotFound):
        api.services.keys.revoke(made.id, SYSTEM)


@pytest.mark.req("R122")
def test_keys_are_made_and_revoked_over_the_api(api: Api) -> None:
    made = api.post("/keys", {"name": "export"})
    assert made.status_code == 201
    key_id, key = made.get_json()["id"], made.get_json()["key"]
    listed = {
        "id": key_id,
        "name": "export",
        "created_at": "2026-09-21T14:15:00.000Z",
        "created_by": "bootstrap",
        "revoked_at": None,
    }
    assert api.get("/keys", key=key).get_json() == {"keys": [listed]}
    assert api.delete(f"/keys/{key_id}").status_code == 204
    assert api.get("/keys").get_json() == {"keys": [listed | {"revoked_at": "2026-09-21T14:15:00.000Z"}]}
    problem(api.get("/keys", key=key), 401, "unauthenticated")
    problem(api.delete(f"/keys/{key_id}"), 404, "key_not_found")
    problem(api.post("/keys", {"name": ""}), 422, "key_refused")
    trail = [(row.action, row.outcome) for row in api.audit(f"key:{key_id}")]
    assert trail == [("key.revoke", "key_not_found"), ("key.revoke", "ok"), ("key.create", "ok")]


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "a\nb", "bootstrap"])
def test_a_key_needs_a_name_that_tells_something(api: Api, name: str) -> None:
    with pytest.raises(KeyRefused):
        api.services.keys.create(name, SYSTEM)


def test_each_key_of_the_configuration_works(api: Api) -> None:
    assert api.get("/flows", key="another").status_code == 200


# -- errors ----------------------------------------------------------------------------------------------------------


def test_what_is_not_there_and_what_is_not_done(api: Api) -> None:
    problem(api.get("/nothing"), 404, "no_such_path")
    answer = api.ask("PATCH", "/flows")
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


@pytest.mark.parametrize("body", [b"{", b'{"name": NaN', b"\xff", b"nul", b"[" * 100_000])
def test_a_body_that_is_no_json(api: Api, body: bytes) -> None:
    answer = api.ask("PUT", "/agents/bob", data=body, content_type="application/json")
    problem(answer, 400, "malformed_request")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
@pytest.mark.parametrize(("method", "path"), [("PUT", "/agents/bob"), ("POST", "/flows")])
def test_a_body_that_does_not_say_that_it_is_json(api: Api, method: str, path: str, content_type: str) -> None:
    problem(api.ask(method, path, data=b'{"name": "Bob"}', content_type=content_type), 415, "not_json")


@pytest.mark.parametrize(("method", "path"), [("PUT", "/agents/bob"), ("POST", "/flows")])
def test_a_body_that_is_too_large(api: Api, method: str, path: str) -> None:
    body = b'{"name": "' + b"x" * MAX_BODY_BYTES + b'"}'
    problem(api.ask(method, path, data=body, content_type="application/json"), 413, "too_large")


@pytest.mark.parametrize(("method", "path"), [("PUT", "/agents/bob"), ("POST", "/flows")])
def test_a_streamed_body_that_is_too_large(api: Api, method: str, path: str) -> None:
    body = io.BytesIO(b'{"name": "' + b"x" * MAX_BODY_BYTES + b'"}')
    headers = {"Transfer-Encoding": "chunked"}
    options: dict[str, Any] = {"environ_overrides": {"wsgi.input_terminated": True}, "content_type": "application/json"}
    problem(api.ask(method, path, input_stream=body, headers=headers, **options), 413, "too_large")


def test_a_fault_of_ours_tells_nothing_but_where_to_look(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("secret inner workings")

    monkeypatch.setattr(api.services.flows, "list", fail)
    answer = api.get("/flows", headers={"X-Request-Id": "case-7"})
    found = problem(answer, 500, "internal_error")
    assert "secret" not in repr(found)
    assert found["request_id"] == "case-7"
    assert "secret inner workings" in caplog.text


@pytest.mark.parametrize(
    ("given", "kept"), [("order-1.a", True), ("a b", False), ("x" * 65, False), ('"><script>', False)]
)
def test_a_request_has_an_id_that_can_go_into_a_log(api: Api, given: str, kept: bool) -> None:
    answer = api.get("/flows", headers={"X-Request-Id": given})
    assert (answer.headers["X-Request-Id"] == given) is kept
    assert answer.headers["X-Request-Id"].replace("-", "").replace(".", "").isalnum()


@pytest.mark.req("R124")
def test_while_the_database_is_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    database = Database("postgresql://user:very-secret@127.0.0.1:1/x")
    app = create_app(
        Services.build(database, FakeLinks(), PromptDirectory(tmp_path), settings=Settings(bootstrap_keys=[KEY]))
    )

    def ask(path: str, key: str) -> TestResponse:
        return app.test_client().get(path, headers={"Authorization": f"Bearer {key}"})

    with caplog.at_level(logging.WARNING):
        for key in (KEY, "cw_000000000000_x"):
            answer = ask("/flows", key)
            problem(answer, 503, "store_unavailable")
            assert answer.headers["Retry-After"] == "5"
    assert ask("/healthz", "").status_code == 200
    ready = ask("/readyz", "")
    assert ready.status_code == 503
    assert {each["name"]: each["ok"] for each in ready.get_json()["dependencies"]} == {
        "database": False,
        "migrations": False,
    }
    assert "very-secret" not in caplog.text + ready.get_data(as_text=True)
    database.close()


def test_while_storage_is_away(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    CallStore(api.database).write(record(), journal())
    recordings = RecordingStore(api.database)
    recordings.stored(recordings.of_call("c1")[0])

    def away(self: object, row: object, expires_s: int) -> str:
        raise StorageAway("No link can be made now.")

    monkeypatch.setattr(FakeLinks, "link", away)
    problem(api.get("/calls/c1/recording"), 503, "storage_unavailable")
    assert api.audit("call:c1")[0].outcome == "storage_unavailable"


# -- state of the process --------------------------------------------------------------------------------------------


def test_ready_when_all_that_it_depends_on_answers(api: Api) -> None:
    answer = api.get("/readyz", key=None)
    assert (answer.status_code, answer.get_json()["ready"]) == (200, True)
    names = [(each["name"], each["ok"], each["detail"]) for each in answer.get_json()["dependencies"]]
    assert names == [(name, True, "") for name in ("database", "migrations", "redis", "storage")]
    assert api.get("/healthz", key=None).get_json() == {"status": "ok"}


def test_not_ready_when_one_does_not(api: Api) -> None:
    def fail() -> None:
        raise redis.ConnectionError("Error 111 connecting to 10.0.0.5:6379, password hunter2")

    api.checks["redis"] = fail
    answer = api.get("/readyz", key=None)
    assert (answer.status_code, answer.get_json()["ready"]) == (503, False)
    bad = [each for each in answer.get_json()["dependencies"] if not each["ok"]]
    assert [(each["name"], each["detail"]) for each in bad] == [("redis", "ConnectionError")]


def test_not_ready_before_the_migrations_ran(api: Api) -> None:
    with api.database.transaction() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    answer = api.get("/readyz", key=None)
    assert answer.status_code == 503
    bad = [each for each in answer.get_json()["dependencies"] if not each["ok"]]
    assert [each["name"] for each in bad] == ["migrations"]
    assert "0000" in bad[0]["detail"]


# -- announcements ---------------------------------------------------------------------------------------------------


@pytest.fixture
def listener(redis_url: str) -> Iterator[Any]:
    client = redis.Redis.from_url(redis_url)
    with client.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
        channel.subscribe(CHANNEL)
        channel.get_message(timeout=5)
        yield channel
    client.close()


def test_a_change_is_announced_once_it_can_be_read(
    database: Database, tmp_path: Path, redis_url: str, listener: Any
) -> None:
    client = redis.Redis.from_url(redis_url)
    services = Services.build(database, FakeLinks(), PromptDirectory(tmp_path), announcer=RedisAnnouncer(client))
    services.agents.put(agent(), SYSTEM, "a-long-password")
    assert listener.get_message(timeout=5)["data"] == b"2"
    client.close()


@pytest.mark.req("R124")
def test_a_change_holds_although_nobody_can_be_told(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = redis.Redis(host="127.0.0.1", port=1, retry=FAIL_FAST)
    services = Services.build(database, FakeLinks(), PromptDirectory(tmp_path), announcer=RedisAnnouncer(client))
    assert services.agents.put(agent(), SYSTEM, "a-long-password")
    assert "not announced" in caplog.text
    client.close()


def agent() -> Any:
    from engine.domain.routing import AgentEntry

    return AgentEntry("bob", "Bob")


# -- description -----------------------------------------------------------------------------------------------------


def test_the_description_is_whole(api: Api) -> None:
    answer = api.get("/openapi.json")
    assert answer.status_code == 200
    document = answer.get_json()
    assert document["openapi"] == "3.0.3"
    described = {
        (path, method.upper()) for path, item in document["paths"].items() for method in item if method != "parameters"
    }
    served = {
        (re.sub(r"<\w+:(\w+)>", r"{\1}", rule.rule), method)
        for rule in api.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule != "/openapi.json"
    }
    assert described == served
    for reference in references(document):
        target = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            assert operation["summary"], (path, method)
            assert "application/problem+json" in error_content(document, operation), (path, method)
            open_to_all = path in ("/healthz", "/readyz")
            assert operation.get("security", document["security"]) == ([] if open_to_all else [{"key": []}])


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def error_content(document: dict[str, Any], operation: dict[str, Any]) -> str:
    reference = operation["responses"]["default"]["$ref"]
    return json.dumps(document["components"]["responses"][reference.rpartition("/")[2]]["content"])
