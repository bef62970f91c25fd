"""Figures of queues and the reasons of decisions, over the API and a real Valkey."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner
from redis.backoff import NoBackoff
from redis.retry import Retry

from admin_api import create_app
from callwright.cli import cli
from engine.acd.agent import Agent, Break, LogIn, Ready, TakeBreak
from engine.acd.owner import Owner
from engine.acd.store import POOL, AcdStore
from engine.acd.store_redis import RedisStore
from engine.domain.acd import Member, Tier
from engine.domain.routing import QueueEntry
from engine.services.bundle import Services, Settings
from engine.store.database import Database
from recordings.prompt_files import PromptDirectory
from tests.integration.api.conftest import KEY, Announced, Api, FakeLinks, problem

QUEUES = {each: QueueEntry(id=each, name=each) for each in ("sales", "help")}
LUNCH = TakeBreak(Break("lunch"))


def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=5, retry=Retry(NoBackoff(), 0))


@pytest.fixture
def store(redis_url: str) -> Iterator[RedisStore]:
    """An engine's, empty."""
    with client(redis_url) as connection:
        for key in connection.scan_iter("cw:acd:*"):
            connection.delete(key)
        made = RedisStore(connection)
        made.attach()
        yield made
        for key in connection.scan_iter("cw:acd:*"):
            connection.delete(key)


def over(database: Database, directory: Path, url: str) -> Api:
    services = Services.build(
        database,
        FakeLinks(),
        PromptDirectory(directory / "prompts"),
        settings=Settings(bootstrap_keys=[KEY]),
        acd=lambda: RedisStore(client(url)),
    )
    api = Api(create_app(services), services, database, Announced(), {})
    for queue in QUEUES:
        assert api.put(f"/queues/{queue}", {"name": queue}).status_code == 201
    return api


@pytest.fixture
def api(database: Database, tmp_path: Path, store: RedisStore, redis_url: str) -> Api:
    return over(database, tmp_path, redis_url)


def there(store: AcdStore, *agents: str) -> None:
    """Agents of sales, on a break."""
    for name in agents:
        store.add_agent(Agent(id=name, assigned={"sales": Tier()}))
        store.change(name, LogIn())
        store.change(name, LUNCH)


def owner(store: AcdStore) -> Owner:
    return Owner(POOL, "e1", store, lambda: QUEUES, lambda *_: True, lambda _: None)


def joins(store: AcdStore, *members: str) -> None:
    for each in members:
        store.join(POOL, Member(id=each, queue="sales", joined_ms=store.now_ms(), engine="e1"))


def got(api: Api, path: str) -> dict[str, Any]:
    answer = api.get(path)
    assert answer.status_code == 200, answer.get_json()
    return dict(answer.get_json())


@pytest.mark.req("R6", "R30")
def test_figures(api: Api, store: RedisStore) -> None:
    there(store, "alice", "bob")
    store.change("bob", Ready())
    joins(store, "m1")
    counted = got(api, "/queues/sales/figures")
    at = counted.pop("at")
    unknown = {"longest_wait_ms": None, "expected_wait_ms": None, "expected_low_ms": None, "expected_high_ms": None}
    people = {"queue": "sales", "waiting": 1, "logged_in": 2, "ready": 1}
    assert counted == people | unknown | {"is_led": False}
    assert at.endswith("Z")
    decides = owner(store)
    decides.turn()
    joins(store, "m2")
    decides.turn()
    figures = {each["queue"]: each for each in got(api, "/queues/figures")["queues"]}
    assert figures.keys() == QUEUES.keys()
    assert (figures["sales"]["is_led"], figures["help"]["is_led"], figures["help"]["waiting"]) == (True, True, 0)
    assert figures["sales"]["longest_wait_ms"] is not None
    decides.release()


def test_a_queue_that_is_not_set_up_and_one_that_cannot_be_called_so(api: Api) -> None:
    problem(api.get("/queues/nothing/figures"), 404, "queue_not_found")
    problem(api.get("/queues/nothing/members"), 404, "queue_not_found")
    refused = problem(api.put("/queues/figures", {"name": "Figures"}), 422, "queue_refused")
    assert refused["errors"][0]["place"] == "id"


@pytest.mark.req("R4")
def test_why(api: Api, store: RedisStore) -> None:
    there(store, "alice", "bob")
    joins(store, "m1", "m2")
    decides = owner(store)
    decides.turn()
    waiting = got(api, "/calls/m2/why")
    assert (waiting["call_id"], waiting["decisions"]) == ("m2", [])
    assert (waiting["waits"]["queue"], waiting["waits"]["position"], waiting["waits"]["next"]) == ("sales", 2, [])
    assert [(each["agent"], each["why"]) for each in waiting["waits"]["passed"]] == [
        ("alice", "not_ready"),
        ("bob", "not_ready"),
    ]
    store.change("bob", Ready())
    assert got(api, "/calls/m1/why")["waits"]["next"] == ["bob"], "the owner is about to decide"
    decides.turn()
    found = got(api, "/calls/m1/why")
    (decision,) = found["decisions"]
    assert decision["offer"]["agents"] == found["waits"]["offered"] == ["bob"]
    assert (decision["offer"]["strategy"], decision["leave"]) == ("longest_idle", None)
    assert [each["agent"] for each in decision["passed"]] == ["alice"]
    store.leave(POOL, "m1")
    left = got(api, "/calls/m1/why")
    assert (left["decisions"], left["waits"]) == ([decision], None)
    decides.release()
    refused = problem(api.get("/calls/nobody/why"), 404, "call_not_explained")
    assert "kept for a day" in refused["detail"]


@pytest.mark.req("R4")
def test_why_on_the_command_line(store: RedisStore, served: str) -> None:
    there(store, "alice")
    joins(store, "m1")

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli, ["why", *arguments], env={"API": served, "KEY": KEY})
        return done.exit_code, done.output

    code, output = run("m1")
    assert code == 0, output
    call, empty, waits, passed = output.splitlines()
    assert (call, empty) == ("call m1", "")
    assert "waits in sales, position 1, for " in waits
    assert passed.startswith("    not alice  not_ready      break for ")
    assert json.loads(run("m1", "--json")[1])["waits"]["position"] == 1
    code, output = run("--queue", "sales")
    heading, line = output.splitlines()
    assert (code, heading.split()[:2], line.split()[:2]) == (0, ["position", "call"], ["1", "m1"])
    (member,) = json.loads(run("--queue", "sales", "--json")[1])["members"]
    assert (member["call_id"], member["offered"]) == ("m1", [])
    code, output = run("--queue", "nothing")
    assert (code, "No queue has the id 'nothing'" in output) == (1, True)
    code, output = run("nobody")
    assert (code, "decisions are kept for a day" in output) == (1, True)


@pytest.mark.req("R4")
def test_who_waits(api: Api, store: RedisStore) -> None:
    assert got(api, "/queues/sales/members")["members"] == []
    there(store, "alice")
    joins(store, "m1", "m2")
    joined_ms = store.now_ms()
    store.join(POOL, Member(id="urgent", queue="sales", joined_ms=joined_ms, priority=50.0, engine="e1"))
    store.join(POOL, Member(id="elsewhere", queue="help", joined_ms=joined_ms, engine="e1"))
    decides = owner(store)
    decides.turn()
    store.change("alice", Ready())
    decides.turn()
    found = got(api, "/queues/sales/members")
    assert found["queue"] == "sales"
    places = [(each["position"], each["call_id"], each["priority"], each["offered"]) for each in found["members"]]
    assert places == [(1, "urgent", 50.0, ["alice"]), (2, "m1", 0.0, []), (3, "m2", 0.0, [])]
    for each in found["members"]:
        joined, at = (datetime.fromisoformat(moment) for moment in (each["joined_at"], found["at"]))
        assert each["waited_ms"] == (at - joined) / timedelta(milliseconds=1)
        assert got(api, f"/calls/{each['call_id']}/why")["waits"]["position"] == each["position"]
    decides.release()


@pytest.mark.req("R124")
def test_without_redis(database: Database, tmp_path: Path) -> None:
    api = over(database, tmp_path, "redis://127.0.0.1:1/0")
    for path in ("/queues/figures", "/queues/sales/figures", "/queues/sales/members", "/calls/m1/why"):
        answer = api.get(path)
        assert problem(answer, 503, "queue_states_unavailable")["detail"].startswith("Redis can't be asked")
        assert answer.headers["Retry-After"]


@pytest.mark.req("R124")
def test_a_state_that_was_lost_is_joined_again(api: Api, store: RedisStore, redis_url: str) -> None:
    assert got(api, "/queues/sales/figures")["waiting"] == 0
    with client(redis_url) as connection:
        connection.delete("cw:acd:generation")
    assert got(api, "/queues/sales/figures")["waiting"] == 0
    store.attach()
    joins(store, "m1")
    assert got(api, "/queues/sales/figures")["waiting"] == 1
