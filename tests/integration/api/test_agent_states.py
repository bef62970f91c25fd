"""Agents' states over HTTP and `callwright agent`, with PostgreSQL, Valkey, and a roster as in an engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner
from redis.backoff import NoBackoff
from redis.retry import Retry

from callwright.cli import cli
from callwright.local import start, valkey
from engine.acd.agent import Accepted, ConversationBegan, ConversationEnded
from engine.acd.phones import Phones
from engine.acd.roster import Roster
from engine.acd.scribe import Scribe
from engine.acd.store_redis import RedisStore
from engine.acd_parts import DatabaseArchive
from engine.domain.acd import AgentState, Member, Offer, Strategy
from engine.services.agents_at_work import AgentsAtWork
from engine.store.agents import AgentArchive
from engine.store.database import Database
from engine.store.routing import RoutingStore
from tests.integration.api.conftest import KEY, Api, problem

POOL = "main"


class Work:
    """The part of an engine that agents' states need."""

    def __init__(self, url: str, database: Database) -> None:
        self.url = url
        self.admin = self.client(url)
        self.admin.flushall()
        self.store = RedisStore(self.client(url))
        self.phones = Phones(["switch"], 0)
        self.phones.answered("switch", frozenset({"alice"}))
        routing = RoutingStore(database)
        self.snapshot = routing.snapshot()
        self._fresh = routing.snapshot
        self.roster = Roster("e1", self.store, lambda: self.snapshot, self.phones, lambda _: None)
        self._scribe = Scribe(self.roster, self.store, DatabaseArchive(AgentArchive(database)), lambda _: None)

    @staticmethod
    def client(url: str) -> redis.Redis:
        return redis.Redis.from_url(url, socket_timeout=5, retry=Retry(NoBackoff(), 0))

    def turn(self) -> None:
        self.snapshot = self._fresh()
        for _ in range(6):
            self.roster.turn()
            self._scribe.turn()

    def rings(self, agent: str, call: str) -> str:
        """The agent is being offered this call; the offer's number."""
        lease = self.store.acquire(POOL, "e1", 60_000)
        assert lease
        self.store.join(POOL, Member(id=call, queue="sales", joined_ms=1))
        offer = Offer(
            member=call,
            queue="sales",
            agents=(agent,),
            at_ms=self.store.now_ms(),
            strategy=Strategy.LONGEST_IDLE,
            ring=0,
            score="",
            waited_ms=0,
        )
        return self.store.reserve(lease, offer, [self.store.agent(agent)]).number


@pytest.fixture(scope="module")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of our own: these tests empty it."""
    service = start(valkey, tmp_path_factory.mktemp("states"), durable=False)
    yield service.url
    service.stop()


@pytest.fixture
def work(api: Api, valkey_url: str) -> Work:
    api.put("/queues/sales", {"name": "Sales"})
    api.put("/queues/help", {"name": "Help"})
    queues: dict[str, object] = {"sales": {}, "help": {}}
    for each in ("alice", "bob"):
        put = api.put(f"/agents/{each}", {"name": each, "sip_password": "a-long-password", "queues": queues})
        assert put.status_code == 201, put.get_json()
    made = Work(valkey_url, api.database)
    states_from(api, made.client(valkey_url))
    made.turn()
    return made


def states_from(api: Api, client: redis.Redis) -> None:
    """The API has its states from this Redis."""
    at_work = AgentsAtWork(api.database, lambda: RedisStore(client))
    api.app.extensions["callwright"] = replace(api.services, agents_at_work=at_work)


def post(api: Api, path: str, **body: object) -> dict[str, object]:
    answer = api.post(path, body)
    assert answer.status_code == 200, answer.get_json()
    found: dict[str, object] = answer.get_json()
    return found


@pytest.mark.req("R50", "R51", "R52")
def test_a_day_of_an_agent(api: Api, work: Work) -> None:
    states = api.get("/agents/states").get_json()["agents"]
    assert [(each["id"], each["state"], each["reachable"]) for each in states] == [
        ("alice", "logged_out", True),
        ("bob", "logged_out", False),
    ]
    assert states[0]["assigned"] == ["help", "sales"]
    assert post(api, "/agents/alice/log-in", queue="sales")["queues"] == ["sales"]
    state = post(api, "/agents/alice/break", reason="lunch", kind="private")
    assert (state["state"], state["on_break"]) == ("break", {"reason": "lunch", "kind": "private"})
    assert post(api, "/agents/alice/ready")["state"] == "ready"
    number = work.rings("alice", "c1")
    for each in (Accepted(number), ConversationBegan("c1", number)):
        work.store.change("alice", each)
    state = post(api, "/agents/alice/break", reason="training")
    assert (state["state"], state["call"], state["queue"]) == ("on_call", "c1", "sales")
    assert state["break_next"] == {"reason": "training", "kind": "work"}
    work.store.change("alice", ConversationEnded("c1", 60_000))
    before = api.get("/agents/alice/state").get_json()
    assert (before["state"], before["calls"]) == ("wrap_up", 1)
    after = post(api, "/agents/alice/wrap-up", left_s=600)
    assert str(after["wrap_up_until"]) > before["wrap_up_until"]
    assert post(api, "/agents/alice/wrap-up", left_s=0)["state"] == "break"
    assert post(api, "/agents/alice/log-out")["state"] == "logged_out"


@pytest.mark.req("R50")
def test_what_happened_is_in_the_database(api: Api, work: Work) -> None:
    post(api, "/agents/alice/log-in")
    post(api, "/agents/alice/break", reason="lunch")
    post(api, "/agents/alice/ready")
    assert api.get("/agents/alice/events").get_json() == {"events": [], "next": None}
    work.turn()
    seen, cursor = [], ""
    while True:
        page = api.get(f"/agents/alice/events?limit=2{cursor}").get_json()
        seen += page["events"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert [(each["version"], each["what"], each["to_state"]) for each in seen] == [
        (3, "ready", "ready"),
        (2, "take_break", "break"),
        (1, "log_in", "ready"),
    ]
    assert (seen[1]["reason"], seen[1]["kind"], seen[2]["kind"]) == ("lunch", "work", None)
    work.turn()
    assert len(api.get("/agents/alice/events").get_json()["events"]) == 3, "each once"
    problem(api.get("/agents/alice/events?cursor=MTpj"), 422, "invalid_request")
    problem(api.get("/agents/nobody/events"), 404, "agent_not_found")
    assert api.delete("/agents/alice").status_code == 204
    work.turn()
    kept = api.get("/agents/alice/events").get_json()["events"]
    assert [each["what"] for each in kept[:2]] == ["assigned", "ready"], "kept when the agent is gone"


@pytest.mark.req("R52")
def test_refusals(api: Api, work: Work) -> None:
    refused = problem(api.post("/agents/alice/ready", {}), 409, "agent_not_possible")
    assert refused["detail"] == "Agent alice is logged_out: ready is not possible; possible is: log-in."
    assert refused["state"] == "logged_out"
    problem(api.post("/agents/nobody/log-in", {}), 404, "agent_not_found")
    problem(api.get("/agents/nobody/state"), 404, "agent_not_found")
    refused = problem(api.post("/agents/alice/log-in", {"queue": "boats"}), 409, "agent_not_possible")
    assert refused["detail"] == (
        "Agent alice is logged_out: log-in is not possible: he is not assigned to queue boats; "
        "PUT /agents/alice gives him queues."
    )
    body = {"name": "Alice", "queues": {"sales": {}, "help": {}}, "may_choose_queues": False}
    assert api.put("/agents/alice", body).status_code == 200
    work.turn()
    refused = problem(api.post("/agents/alice/log-in", {"queue": "sales"}), 409, "agent_not_possible")
    assert refused["detail"].endswith(": he may not choose single queues; a supervisor may for him, with forced.")
    assert post(api, "/agents/alice/log-in", queue="sales", forced=True)["queues"] == ["sales"]
    refused = problem(
        api.put("/agents/states", {"name": "States", "sip_password": "a-long-password"}), 422, "agent_refused"
    )
    assert refused["errors"][0]["message"] == '"states" is a path of the API; choose another one'
    for path, wrong in (
        ("break", {}),
        ("break", {"reason": ""}),
        ("break", {"reason": "lunch", "kind": "long"}),
        ("wrap-up", {"left_s": -1}),
        ("wrap-up", {"left_s": 3601}),
        ("ready", {"now": True}),
        ("log-in", {"queues": ["sales"]}),
    ):
        problem(api.post(f"/agents/alice/{path}", wrong), 422, "invalid_request")


@pytest.mark.req("R124")
def test_redis_comes_back_empty(api: Api, work: Work) -> None:
    post(api, "/agents/alice/log-in")
    post(api, "/agents/bob/log-in")
    work.turn()
    work.rings("alice", "c1")
    post(api, "/agents/bob/break", reason="lunch")
    work.turn()
    work.admin.flushall()
    problem(api.get("/agents/alice/state"), 503, "agent_not_there_yet")
    work.turn()
    work.turn()
    states = {each["id"]: each for each in api.get("/agents/states").get_json()["agents"]}
    assert (states["alice"]["state"], states["alice"]["call"]) == ("ready", "")
    assert (states["bob"]["state"], states["bob"]["on_break"]["reason"]) == ("break", "lunch")
    fresh = Work(work.url, api.database)
    fresh.turn()
    assert {each: fresh.store.agent(each).state for each in ("alice", "bob")} == {
        "alice": AgentState.READY,
        "bob": AgentState.BREAK,
    }, "from the database, where nobody remembers"


@pytest.mark.req("R124")
def test_redis_is_away(api: Api, tmp_path: Path) -> None:
    problem(api.get("/agents/states"), 503, "agent_states_unavailable")
    service = start(valkey, tmp_path, durable=False)
    client = redis.Redis.from_url(service.url, socket_timeout=1, retry=Retry(NoBackoff(), 0))
    states_from(api, client)
    assert api.get("/agents/states").get_json() == {"agents": []}
    service.stop()
    away = api.post("/agents/alice/log-in", {})
    problem(away, 503, "agent_states_unavailable")
    assert away.headers["Retry-After"]
    service = start(valkey, tmp_path, durable=False)
    try:
        assert api.get("/agents/states").get_json() == {"agents": []}
    finally:
        service.stop()
        client.close()


# Commands


def run(served: str, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["agent", *arguments], env={"API": served, "KEY": KEY})
    return done.exit_code, done.output


@pytest.mark.req("R50", "R51", "R52")
def test_commands(work: Work, served: str) -> None:
    assert run(served, "login", "alice", "--queue", "sales") == (0, "alice is ready, logged in to sales\n")
    code, output = run(served, "login", "bob")
    expected = "bob is ready, logged in to help, sales; his phone is not registered, so he gets no calls\n"
    assert (code, output) == (0, expected)
    code, output = run(served, "break", "alice", "--reason", "lunch", "--private")
    assert (code, output) == (0, "alice is break, lunch (private), logged in to sales\n")
    code, output = run(served, "list")
    heading, alice, bob = (line.split() for line in output.splitlines())
    assert heading[:4] == ["agent", "state", "for", "reason"]
    assert (alice[:2], alice[3:]) == (["alice", "break"], ["lunch", "(private)", "yes", "0", "-", "-", "sales"])
    assert bob[4] == "no"
    assert json.loads(run(served, "ready", "alice", "--json")[1])["state"] == "ready"
    code, output = run(served, "wrap-up", "alice", "--left", "30")
    assert code == 1
    assert (
        "refused: 409 The agent's state does not allow it: Agent alice is ready: wrap-up is not possible; "
        "possible is: log-in, log-out, ready, break." in output
    )
    assert run(served, "logout", "alice") == (0, "alice is logged_out\n")
    assert run(served, "events", "bob") == (0, "nothing has happened to bob yet\n")
    work.turn()
    lines = run(served, "events", "alice", "--most", "2")[1].splitlines()
    assert [line.split()[1] for line in lines[1:]] == ["log_out", "ready"]
    assert run(served, "login", "nobody")[0] == 1
    assert run(served, "break", "alice")[0] == 2


@pytest.mark.req("R50", "R52")
def test_commands_during_a_call(work: Work, served: str) -> None:
    run(served, "login", "alice", "--queue", "sales")
    number = work.rings("alice", "c1")
    for each in (Accepted(number), ConversationBegan("c1", number)):
        work.store.change("alice", each)
    code, output = run(served, "break", "alice", "--reason", "lunch")
    assert (code, output) == (0, "alice is on_call, break lunch (work) afterwards, logged in to sales\n")
    assert "then lunch (work)" in run(served, "list")[1]
    assert run(served, "logout", "alice") == (0, "alice is on_call, logged out afterwards\n")
    assert "then logged out" in run(served, "list")[1]
    work.store.change("alice", ConversationEnded("c1", 60_000))
    assert json.loads(run(served, "list", "--json")[1])["agents"][0]["state"] == "logged_out"
