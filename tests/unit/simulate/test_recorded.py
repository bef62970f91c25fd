"""What past calls say of a queue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callwright.simulate.callers import Chances, callers
from callwright.simulate.recorded import learn
from tests.unit.simulate.centres import scenario

BEGINS = datetime(2026, 11, 23, 6, tzinfo=UTC)
HERE = {"flow": "main", "node": "sales"}


def at(second: float) -> str:
    return (BEGINS + timedelta(seconds=second)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def call(starts_s: float, enters_s: float, leaves_s: float, exit_name: str | None, **more: Any) -> dict[str, Any]:
    """As the API lists it; `waited_s` from the start to the first conversation."""
    visit = {**HERE, "entered_at": at(enters_s), "left_at": at(leaves_s), "exit": exit_name, "version": "1"}
    before = {**visit, "node": "menu", "exit": "done"}
    waited_s = more.get("waited_s", leaves_s - starts_s)
    return {
        "started_at": at(starts_s),
        "wait_ms": round(waited_s * 1000),
        "talk_ms": more.get("talk_s", 0) * 1000,
        "path": [before, visit],
    }


def test_arrivals_talks_and_patience() -> None:
    calls = [
        call(100, 110, 300, "finished", waited_s=40, talk_s=160),  # waited 30 s
        call(200, 205, 400, "finished", waited_s=5, talk_s=195),  # did not wait
        call(50, 60, 80, None),  # gave up after 20 s
        call(10, 20, 120, "timeout"),  # went another way after 100 s
        call(500, 505, 600, None, waited_s=1, talk_s=3),  # spoke with somebody before: only his coming counts
        call(-900, -890, 20, "finished", waited_s=500, talk_s=10),  # before the day
        call(4000, 4000, 4100, "finished", waited_s=0, talk_s=100),  # after it
    ]
    given = scenario(recorded=HERE)
    found = learn(given, calls, BEGINS)["q"]
    assert found.arrivals_ms == (20_000, 60_000, 110_000, 205_000, 505_000)
    assert found.handling.model_dump() == {"kind": "values", "s": (160.0, 195.0)}
    assert found.patience is not None
    assert found.patience.model_dump() == {"kind": "exponential", "mean_s": pytest.approx(30 + 20 + 100)}
    coming = list(callers(given, Chances(1, 0), {"q": found}, probes=False))
    assert tuple(each.at_ms for each in coming) == found.arrivals_ms
    assert {each.handling_ms for each in coming} <= {160_000, 195_000}


def test_what_records_do_not_say_the_scenario_says() -> None:
    given = scenario(recorded=HERE, patience_s={"kind": "constant", "s": 9})
    found = learn(given, [call(0, 0, 10, "timeout")], BEGINS)["q"]
    assert (found.handling, found.patience) == (given.queues[0].handling_s, given.queues[0].patience_s)
    assert learn(given, [], BEGINS)["q"].arrivals_ms == ()
    assert learn(scenario(), [call(0, 0, 10, None)], BEGINS) == {}
