"""Past calls as the callers of a simulation: when they came to a queue, how long they talked, how soon they gave up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from callwright.simulate.callers import HOUR_MS, RecordedQueue
from callwright.simulate.draws import Exponential, Values
from callwright.simulate.scenario import Queue, Scenario


def learn(scenario: Scenario, calls: Iterable[Mapping[str, Any]], begins: datetime) -> dict[str, RecordedQueue]:
    """What calls, as the API lists them, say of each queue that has `recorded`; the scenario begins at `begins`."""
    kept = list(calls)
    ends_ms = scenario.hours * HOUR_MS
    return {
        queue.id: _queue(queue, kept, _ms(begins), ends_ms) for queue in scenario.queues if queue.recorded is not None
    }


def _queue(queue: Queue, calls: Iterable[Mapping[str, Any]], begins_ms: int, ends_ms: float) -> RecordedQueue:
    """Handling times are drawn from the recorded ones. The mean patience is all time waited by those who gave up, since
    whoever was answered would have waited longer. What the records do not have, the scenario has."""
    arrivals: list[int] = []
    talks_s: list[float] = []
    waited_ms = given_up = 0
    for call, visit in _visits(queue, calls):
        entered_ms, left_ms = _moment(visit["entered_at"]), _moment(visit["left_at"])
        if not 0 <= entered_ms - begins_ms < ends_ms:
            continue
        arrivals.append(entered_ms - begins_ms)
        answered_ms = _moment(call["started_at"]) + call["wait_ms"] if call["talk_ms"] > 0 else None
        if answered_ms is not None and answered_ms < entered_ms:
            continue  # a second queue: the record has only the first wait, and all talks together
        if answered_ms is not None and answered_ms <= left_ms:
            talks_s.append(call["talk_ms"] / 1000)
            waited_ms += answered_ms - entered_ms
        else:
            waited_ms += left_ms - entered_ms
            given_up += visit["exit"] is None
    return RecordedQueue(
        arrivals_ms=tuple(sorted(arrivals)),
        handling=Values(kind="values", s=tuple(talks_s)) if talks_s else queue.handling_s,
        patience=Exponential(kind="exponential", mean_s=waited_ms / given_up / 1000) if given_up else queue.patience_s,
    )


def _visits(queue: Queue, calls: Iterable[Mapping[str, Any]]) -> Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    where = queue.recorded
    for call in calls:
        for visit in call["path"]:
            if where is not None and (visit["flow"], visit["node"]) == (where.flow, where.node):
                yield call, visit


def _moment(written: str) -> int:
    return _ms(datetime.fromisoformat(written))


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
