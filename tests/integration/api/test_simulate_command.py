"""`callwright simulate --from-calls` against an API that is served as it is served to others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

from callwright.cli import cli
from engine.acd.agent import AgentEvent
from engine.domain.acd import AgentState
from engine.domain.call import QueueOutcome, QueueVisit, Visit
from engine.store.agents import AgentArchive
from engine.store.calls import CallStore
from tests.integration.api.conftest import KEY, Api
from tests.integration.store.samples import T0, record

SINCE_MS = T0 - T0 % 60_000 - 3_600_000
SINCE = "2026-09-21T13:13:00Z"
FLOW = {
    "schema": "callwright/flow/1", "id": "main", "name": "Main", "kind": "inbound", "languages": ["en"],
    "entry": "sales",
    "nodes": {
        "sales": {"type": "queue", "queue": "sales", "skills": {"czech": 3},
                  "exits": dict.fromkeys(("finished", "timeout", "no_agents", "full", "closed"), "bye")},
        "bye": {"type": "hangup"},
    },
}  # fmt: skip


def run(served: str, *more: object) -> tuple[int, str, str]:
    arguments = ["simulate", *map(str, more)]
    done = CliRunner().invoke(cli, arguments, env={"API": served, "KEY": KEY})
    return done.exit_code, done.stdout, done.stderr


def from_calls(served: str, *more: object) -> tuple[int, str, str]:
    return run(served, "--from-calls", "--since", SINCE, "--hours", 2, "--runs", 3, *more)


def write(api: Api, number: int, version: str, visit: QueueVisit) -> None:
    """A call that comes to the queue's node two seconds after its start."""
    ended_ms = visit.left_ms + visit.talk_ms
    path = (Visit("main", version, "sales", visit.joined_ms, ended_ms, None),)
    moments: dict[str, Any] = {"started_ms": visit.joined_ms - 2_000, "ended_ms": ended_ms}
    given = record(f"call-{number}", path=path, queues=(visit,), recordings=(), legs=(), **moments)
    CallStore(api.database).write(given, ())


def happened(api: Api, agent: str, *events: tuple[int, str, AgentState]) -> None:
    """Events of (s from the beginning, what, state)."""
    AgentArchive(api.database).write_events(
        [
            AgentEvent(agent=agent, version=number, at_ms=SINCE_MS + at_s * 1000, what=what,
                       from_state=AgentState.LOGGED_OUT, to_state=state, reason="lunch")
            for number, (at_s, what, state) in enumerate(events, 1)
        ]
    )  # fmt: skip


@pytest.fixture
def day(api: Api) -> Api:
    """Two agents for two hours, one of whom comes back after an hour; 230 callers: more than a page of the API."""
    assert api.put("/queues/sales", {"name": "Sales", "wrap_up_s": 5, "ring_s": 10}).status_code == 201
    for agent in ("alice", "bob"):
        body: dict[str, Any] = {
            "name": agent,
            "sip_password": "secret-of-him",
            "skills": {"czech": 5},
            "queues": {"sales": {}},
        }
        assert api.put(f"/agents/{agent}", body).status_code == 201
    version = api.post("/flows", FLOW).get_json()["version"]
    happened(api, "alice", (-900, "log_in", AgentState.READY))
    toggles = ((at_s, "phone_gone" if at_s % 20 else "phone_back", AgentState.BREAK) for at_s in range(10, 3600, 10))
    happened(
        api, "bob",
        (-60, "log_in", AgentState.READY), (-50, "take_break", AgentState.BREAK), *toggles,
        (3595, "phone_back", AgentState.BREAK), (3600, "ready", AgentState.READY),
        (9000, "log_out", AgentState.LOGGED_OUT),
    )  # fmt: skip
    chance = Random(7)
    for number in range(230):
        joined_ms = SINCE_MS + round(number * 7200_000 / 230)
        gives_up = number % 10 == 0
        wait_ms = 15_000 if gives_up else 4_000 + chance.randrange(9) * 1000
        talk_ms = 0 if gives_up else 20_000 + chance.randrange(20) * 1000
        outcome = QueueOutcome.ABANDONED if gives_up else QueueOutcome.ANSWERED
        who, ring_ms = (None, 0) if gives_up else (("alice", "bob")[number % 2], 3_000)
        visit = QueueVisit("sales", joined_ms, joined_ms + wait_ms, outcome, None, who, wait_ms, ring_ms, 1, talk_ms)
        write(api, number, version, visit)
        if number < 5:  # of other times
            write(api, 1000 + number, version, replace(visit, joined_ms=joined_ms - 1_000_000))
    return api


def test_a_recorded_day_and_the_same_with_another_agent(day: Api, served: str, tmp_path: Path) -> None:
    file = tmp_path / "day.json"
    code, output, notes = from_calls(served, "--json", "--save", file)
    assert code == 0, output + notes
    assert notes == "note: queue sales: 23 callers who gave up are few to tell patience from\n"
    found = json.loads(output)
    was, simulated = found["recorded"]["queues"]["sales"], found["queues"]["sales"]
    assert was["offered"] == simulated["offered"]["mean"] == 230
    assert (was["abandoned"], was["answered"]) == pytest.approx((0.1, 0.9))
    assert simulated["answered"]["mean"] > 0.7

    kept = json.loads(file.read_text(encoding="utf-8"))
    (queue,) = kept["queues"]
    assert (queue["ring_s"], queue["wrap_up_s"], queue["arrivals_s"][1]) == (10, 5, pytest.approx(31.304))
    assert queue["callers"] == [{"share": 230, "priority": 0, "rings": [{"after_s": 0, "skills": {"czech": 3}}]}]
    assert [(each["id"], each["shifts"]) for each in kept["agents"]] == [
        ("alice", [{"from_h": 0.0, "breaks": [], "to_h": None}]),
        ("bob", [{"from_h": 1.0, "breaks": [], "to_h": None}]),
    ]
    assert json.loads(run(served, file, "--runs", 3, "--json")[1])["queues"] == found["queues"], "the file is all of it"
    kept["agents"][0]["count"] = 3
    file.write_text(json.dumps(kept), encoding="utf-8")
    better = json.loads(run(served, file, "--runs", 3, "--json")[1])["queues"]["sales"]
    assert better["asa_s"]["mean"] < simulated["asa_s"]["mean"]
    assert better["service_level"]["mean"] > simulated["service_level"]["mean"]


def test_how_it_was_stands_before_what_is_simulated(day: Api, served: str) -> None:
    code, output, _ = from_calls(served)
    assert code == 0
    lines = output.splitlines()
    heads = [line.split("  ")[0] for line in lines if line]
    assert heads[:2] == [f"Recorded since {SINCE}", "From 235 recorded calls."]
    assert heads[3:-1] == [
        "as it was", "sales", "agents then", "alice", "bob", "all", "queue", "sales", "agents", "alice", "bob", "all",
    ]  # fmt: skip
    assert lines[5].split()[:3] == ["sales", "230", "90.0"]


def test_what_is_refused(api: Api, served: str, tmp_path: Path) -> None:
    code, _, errors = from_calls(served)
    assert code == 2
    assert "none of the 0 calls came to a queue between 2026-09-21T13:13:00+00:00 and" in errors
    code, _, errors = from_calls("http://127.0.0.1:1")
    assert code == 1
    assert "the API doesn't answer" in errors


def test_a_place_where_nothing_can_be_kept(day: Api, served: str, tmp_path: Path) -> None:
    code, _, errors = from_calls(served, "--save", tmp_path / "no" / "day.json")
    assert code == 2
    assert "can't be written: No such file or directory" in errors
