"""Short ways to write scenarios in tests."""

from __future__ import annotations

import json
from typing import Any

from callwright.simulate.callers import Caller, Chances
from callwright.simulate.floor import BEGINS_MS, Floor
from callwright.simulate.scenario import Scenario, read
from callwright.simulate.tally import Tally

QUEUE: dict[str, Any] = {
    "id": "q",
    "arrivals": [{"from_h": 0, "per_hour": 60}],
    "handling_s": {"kind": "exponential", "mean_s": 180},
    "patience_s": None,
}


def document(hours: float = 1, agents: list[dict[str, Any]] | None = None, **queue: Any) -> dict[str, Any]:
    """One queue `q` and one group `a`, others on demand."""
    found = agents or [{}]
    groups = [{"id": "a", "queues": {"q": {}}, **each} for each in found]
    return {"name": "A test", "hours": hours, "queues": [{**QUEUE, **queue}], "agents": groups}


def scenario(hours: float = 1, agents: list[dict[str, Any]] | None = None, **queue: Any) -> Scenario:
    return read(json.dumps(document(hours, agents, **queue)))


def caller(number: int, at_s: float, patience_s: float = float("inf"), handling_s: float = 60, **more: Any) -> Caller:
    return Caller(
        at_ms=round(at_s * 1000), id=f"c{number}", queue=more.pop("queue", "q"), kind=more.pop("kind", 0),
        patience_ms=patience_s * 1000, handling_ms=round(handling_s * 1000), **more,
    )  # fmt: skip


def day(given: Scenario, *callers: Caller) -> Tally:
    """What becomes of these callers."""
    ends_ms = round(given.hours * 3_600_000)
    tally = Tally([each.id for each in given.queues], [each.id for each in given.agents], 0, ends_ms, BEGINS_MS)
    Floor(given, Chances(1, 0), tally).run(iter(callers))
    return tally
