"""From moments to rounds, and exit codes, of the time from free to rung."""

from __future__ import annotations

import json

import pytest

from callwright.load.bench_queue import STAGES, Found, Round, Side, rounds_of
from callwright.load.queue_watch import Moment, Watch
from engine.acd import store_scripts as scripts
from engine.acd.agent import AgentEvent
from engine.domain.acd import AgentState


def _round(began_s: float, by: str = "asked") -> list[Moment]:
    return [
        Moment(began_s, by),  # type: ignore[arg-type]
        Moment(began_s + 0.002, "state", "ready"),
        Moment(began_s + 0.004, "reserving"),
        Moment(began_s + 0.0045, "state", "ringing"),
        Moment(began_s + 0.005, "offered"),
        Moment(began_s + 0.006, "read"),
        Moment(began_s + 0.010, "invited"),
    ]


def test_moments_in_any_order_make_rounds() -> None:
    moments = [*_round(10.0), Moment(10.5, "read"), *_round(20.0)]
    found = rounds_of(reversed(moments), "asked")
    assert [tuple(each.at_s) for each in found] == [STAGES, STAGES]
    assert [round(each.took_s("free"), 3) for each in found] == [0.008, 0.008]
    assert round(found[0].took_s("asked", "free"), 3) == 0.002


def test_a_round_that_nobody_asked_for_or_that_found_nobody_waiting_does_not_count() -> None:
    first, *rest = _round(10.0)
    assert rounds_of(rest, "asked") == []
    found_nobody = [first, rest[0]]
    assert len(rounds_of([*found_nobody, *_round(20.0)], "asked")) == 1
    assert rounds_of([*_round(10.0)], "hung_up") == []
    assert len(rounds_of([*_round(10.0, "hung_up")], "hung_up")) == 1


def _ready(agent: str) -> AgentEvent:
    return AgentEvent(
        agent=agent, version=3, at_ms=1, what="ready", from_state=AgentState.BREAK, to_state=AgentState.READY
    )


def test_what_redis_does_becomes_moments() -> None:
    event = _ready("alice")
    others = _ready("bob")
    watch = Watch("alice")
    for at_s, command, of_script in (
        (1.0, f"XADD cw:acd:events MAXLEN ~ 1000000 * e {event.to_json()}", True),
        (2.0, f"XADD cw:acd:events MAXLEN ~ 1000000 * e {others.to_json()}", True),
        (3.0, f"EVALSHA {scripts.SHA[scripts.RESERVE]} 0 main", False),
        (4.0, 'XADD cw:acd:g:inbox:engine-1 MAXLEN ~ 100000 * k offer v {"number": "1-1"}', True),
        (5.0, 'XADD cw:acd:g:inbox:engine-1 MAXLEN ~ 100000 * k position v {"of": {}}', True),
        (6.0, "XREAD COUNT 1000 BLOCK 1000 STREAMS cw:acd:g:inbox:engine-1 1-0", False),
        (7.0, f"EVALSHA {scripts.SHA[scripts.CHANGE]} 0 main", False),
        (8.0, "PING", False),
    ):
        watch.command(command, at_s, of_script=of_script)
    found = [watch.moments.get_nowait() for _ in range(watch.moments.qsize())]
    assert [(each.at_s, each.what) for each in found] == [
        (1.0, "state"),
        (3.0, "reserving"),
        (4.0, "offered"),
        (6.0, "read"),
    ]
    assert found[0].state == "ready"


def _side(free_to_leg_s: float, failed: int = 0) -> Side:
    at_s = dict(zip(STAGES, (0.0, 0.001, 0.002, 0.003, 0.004, 0.001 + free_to_leg_s), strict=True))
    return Side([Round(at_s)] * 3, 0.02, 3, failed)


@pytest.mark.parametrize(
    ("sides", "code"),
    [
        ([_side(0.02), _side(0.008)], 0),
        ([_side(0.008), _side(0.021)], 1),
        ([_side(0.008), _side(0.008, failed=1)], 1),
        ([_side(0.008), Side([], 0.02, 3, 0)], 3),
    ],
)
def test_each_kind_must_meet_the_goal(sides: list[Side], code: int) -> None:
    found = Found(dict(zip("ab", sides, strict=True)), 3)
    assert found.exit_code() == code
    told = json.loads(json.dumps(found.as_json()))
    assert told["ok"] is (code == 0)
    assert [each["free_by"] for each in told["results"]] == ["a", "b"]
    assert told["results"][0]["free_to_leg"]["p50_ms"] == round(sides[0].rounds[0].took_s("free") * 1000, 1)
