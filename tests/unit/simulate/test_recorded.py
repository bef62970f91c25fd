"""A scenario from the records of a day."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from callwright.simulate.recorded import FEW, Recorded, scenario_of
from callwright.simulate.records import Records, RecordsUnusable, Visit
from callwright.simulate.scenario import Scenario, read
from engine.domain.call import QueueOutcome as Outcome

BEGINS = datetime(2026, 11, 23, 6, tzinfo=UTC)
SALES = {"id": "sales", "priority": 2, "ring_s": 10, "wrap_up_s": 30, "max_waiting": 7, "service_level_s": 15}
ALICE = {"id": "alice", "queues": {"sales": {"level": 2, "position": 1}, "care": {}}, "skills": {"czech": 5}}
NODE = {"type": "queue", "queue": "sales"}
LOGGED_IN = {"at": "2026-11-23T06:30:00Z", "what": "log_in", "to_state": "ready", "reason": "", "queue": ""}


def visit(at_s: float, outcome: Outcome, wait_s: float, talk_s: float = 0, **more: Any) -> Visit:
    agent = "alice" if outcome is Outcome.ANSWERED else None
    usual: dict[str, Any] = {"queue": "sales", "agent": agent, "ring_ms": 3_000 if agent else 0, "node": NODE} | more
    at_ms, wait_ms, talk_ms = (round(each * 1000) for each in (at_s, wait_s, talk_s))
    return Visit(joined_ms=at_ms, outcome=outcome, wait_ms=wait_ms, talk_ms=talk_ms, **usual)


def records(*visits: Visit, **more: Any) -> Records:
    there: dict[str, Any] = {
        "queues": {"sales": SALES}, "agents": {"alice": ALICE}, "events": {"alice": [LOGGED_IN]}, "calls": len(visits)
    }  # fmt: skip
    return Records(begins_ms=round(BEGINS.timestamp() * 1000), hours=2, visits=visits, **there | more)


def made(given: Records) -> tuple[Scenario, Recorded]:
    found = scenario_of(given, "A day")
    return read(json.dumps(found.document)), found


ANSWERED = visit(3_000, Outcome.ANSWERED, 40, 160)
GAVE_UP = visit(2_000, Outcome.ABANDONED, 20)


def test_callers_and_agents() -> None:
    given, found = made(
        records(
            GAVE_UP,
            ANSWERED,
            visit(4_000, Outcome.ANSWERED, 5, 195),
            visit(4_100, Outcome.KEY, 30),
            visit(4_200, Outcome.TIMEOUT, 100),
            visit(4_300, Outcome.FULL, 0),
            visit(5_000, Outcome.CLOSED, 0),
        )
    )
    (queue,), (agent,) = given.queues, given.agents
    assert (given.hours, given.service_level_s) == (2, 15)
    assert queue.arrivals_s == (2_000, 3_000, 4_000, 4_100, 4_200, 4_300)
    assert queue.handling_s.model_dump() == {"kind": "values", "s": (160.0, 195.0)}
    # two gave up; the others would have waited longer than they did
    assert queue.patience_s is not None
    assert queue.patience_s.model_dump() == {
        "kind": "exponential",
        "mean_s": pytest.approx((20 + 40 + 5 + 30 + 100) / 2),
    }
    assert (queue.ring_s, queue.wrap_up_s, queue.max_waiting, queue.max_wait_s) == (10, 30, 7, None)
    assert [(each.share, each.priority) for each in queue.callers] == [(6, 2)]
    assert (agent.id, agent.queues["sales"].level, agent.skills) == ("alice", 2, {"czech": 5})
    assert agent.queues.keys() == {"sales"}, "the other queue had no calls"
    assert [(each.from_h, each.to_h) for each in agent.shifts] == [(0.5, None)]
    assert agent.answer_s is not None
    assert agent.answer_s.model_dump() == {"kind": "values", "s": (3.0, 3.0)}
    was = found.queues["sales"]
    expected = {"offered": 6, "abandoned": 1 / 3, "overflowed": 1 / 3, "asa_s": 22.5, "service_level": 1 / 6}
    assert {name: was[name] for name in expected} == pytest.approx(expected)
    assert found.queues["all"] == was
    assert found.notes == [
        "callers left out, as their queue was closed or nobody was logged in: 1",
        "queue sales: 2 talks are few to draw handling times from",
        "queue sales: 2 callers who gave up are few to tell patience from",
    ]
    enough = [visit(number, Outcome.ANSWERED, 1, 60) for number in range(FEW)]
    enough += [visit(100 + number, Outcome.ABANDONED, 1) for number in range(FEW)]
    assert made(records(*enough))[1].notes == []


def test_what_callers_asked_for_at_their_nodes() -> None:
    english = NODE | {"skills": {"english": 6}, "relax": [{"after_s": 60, "skills": {"english": 3}}], "priority": "9"}
    vip = NODE | {"priority": "vip ? 5 : 1"}
    given, _ = made(records(ANSWERED, replace(ANSWERED, node=english), replace(ANSWERED, node=vip)))
    assert [each.model_dump() for each in given.queues[0].callers] == [
        {"share": 2, "priority": 2, "rings": ({"after_s": 0, "skills": {}},)},
        {"share": 1, "priority": 9,
         "rings": ({"after_s": 0, "skills": {"english": 6}}, {"after_s": 60, "skills": {"english": 3}})},
    ]  # fmt: skip


def event(at: str, what: str, state: str, **more: str) -> Mapping[str, str]:
    return {**LOGGED_IN, "at": f"2026-11-23T{at}Z", "what": what, "to_state": state, **more}


def test_calls_not_answered_and_wrap_up_as_they_were() -> None:
    events = [
        LOGGED_IN,
        event("06:50:00", "reserved", "ringing", queue="sales"),
        event("06:50:10", "not_answered", "break", queue="sales", reason="no_answer"),
        event("06:51:00", "ready", "ready"),
        event("06:52:00", "conversation_ended", "wrap_up", queue="sales"),
        event("06:52:44", "wrap_up_over", "ready", queue="sales"),
    ]
    given, found = made(records(ANSWERED, events={"alice": events}))
    (queue,), (agent,) = given.queues, given.agents
    assert agent.answer_s is not None
    assert agent.answer_s.model_dump()["s"] == (3.0, 11.0), "longer than the queue rings"
    assert (agent.away_s, queue.wrap_up_s) == (50, 44)
    assert found.agents["alice"]["occupancy"] == pytest.approx(54 / (5400 - 50))
    assert "queue sales: nobody gave up, so all callers wait as long as it takes" in found.notes
    assert queue.patience_s is None


def test_what_is_not_known_any_more() -> None:
    other = replace(ANSWERED, queue="care", agent="carl", talk_ms=0, outcome=Outcome.ABANDONED_RINGING)
    lost = replace(GAVE_UP, queue="fax")
    events = {"alice": [LOGGED_IN], "bob": [LOGGED_IN]}
    given, found = made(records(ANSWERED, replace(ANSWERED, agent="bob"), other, lost, events=events))
    assert [each.id for each in given.queues] == ["care", "sales"]
    assert given.queues[0].handling_s == given.queues[1].handling_s, "of those of all queues"
    assert {each.id: set(each.queues) for each in given.agents} == {"alice": {"care", "sales"}, "bob": {"sales"}}
    assert [note for note in found.notes if "few" not in note and "gave up" not in note] == [
        "agent bob is no longer there: the queues are those out of which he answered, without skills",
        "agent carl is left out: he answered calls, and there is no event of his being at work",
        "queue fax is left out: no agent of it was at work; callers: 1",
        "service level: within 15 s as in queue sales; other queues have other limits",
        "queue care is no longer there: its settings are taken to be the usual ones",
    ]


def test_too_few() -> None:
    with pytest.raises(RecordsUnusable, match="no caller was answered, so it is not known how long calls last"):
        scenario_of(records(GAVE_UP), "A day")
    with pytest.raises(RecordsUnusable, match="no agent was logged in for the calls of this time"):
        scenario_of(records(ANSWERED, events={"alice": []}), "A day")
