"""From calls to figures: percentiles, calls at once, the rate that was reached. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

from callwright.load.trace import Call, Failure


@dataclass(frozen=True, slots=True)
class Spread:
    """How a time is spread over calls, in ms. `p90` is the time that 90 of 100 calls did not exceed."""

    calls: int
    p50: float
    p90: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, values_s: Iterable[float]) -> Spread | None:
        """Of times in seconds; None where there are none."""
        ordered = sorted(values_s)
        if not ordered:
            return None
        chosen = [round(percentile(ordered, point) * 1000, 1) for point in (50, 90, 95, 99, 100)]
        return cls(len(ordered), *chosen)

    def as_json(self) -> dict[str, float]:
        """Each with its unit."""
        values = asdict(self)
        return {"calls": values.pop("calls"), **{f"{name}_ms": value for name, value in values.items()}}


def percentile(ordered: Sequence[float], point: float) -> float:
    """The least value that `point` of 100 do not exceed (nearest rank); the values in rising order, at least one."""
    return ordered[max(1, math.ceil(len(ordered) * point / 100)) - 1]


@dataclass(frozen=True, slots=True)
class Times:
    """The calls' times: INVITE to the first response, to 18x, to 200, and to the BYE."""

    first_response: Spread | None
    ringing: Spread | None
    answer: Spread | None
    length: Spread | None

    @classmethod
    def of(cls, calls: Sequence[Call], failed: dict[str, Failure]) -> Times:
        """Of all calls that came so far; the length only of calls that the scenario or the other side ended."""
        whole = [call for call in calls if call.call_id not in failed and call.answered_s is not None]
        return cls(
            Spread.of(call.trying_s - call.began_s for call in calls if call.trying_s is not None),
            Spread.of(call.ringing_s - call.began_s for call in calls if call.ringing_s is not None),
            Spread.of(call.answered_s - call.began_s for call in calls if call.answered_s is not None),
            Spread.of(call.ended_s - call.began_s for call in whole if call.ended_s is not None),
        )


def at_once(calls: Sequence[Call], until_s: float) -> list[tuple[float, int]]:
    """Calls at once after each change, in the order of time; a call without an end lasts until `until_s`."""
    changes = [(call.began_s, 1) for call in calls]
    changes += [(until_s if call.ended_s is None else call.ended_s, -1) for call in calls]
    line, now = [], 0
    for at_s, change in sorted(changes):
        now += change
        line.append((at_s, now))
    return line


def reached_rate(calls: Sequence[Call], since_s: float) -> float | None:
    """New calls a second of those that began at `since_s` or later; None with fewer than two."""
    began = sorted(call.began_s for call in calls if call.began_s >= since_s)
    if len(began) < 2 or began[-1] <= began[0]:
        return None
    return (len(began) - 1) / (began[-1] - began[0])


@dataclass(frozen=True, slots=True)
class Bin:
    """A piece of the time axis: answer delays in ms (None where no call was answered), most calls at once, failures."""

    at_s: float
    median_ms: float | None
    max_ms: float | None
    at_once: int
    failed: int

    def as_json(self) -> dict[str, float | None]:
        """Each with its unit."""
        median, slowest = (None if each is None else round(each, 1) for each in (self.median_ms, self.max_ms))
        return {
            "at_s": self.at_s,
            "answer_median_ms": median,
            "answer_max_ms": slowest,
            "at_once": self.at_once,
            "failed": self.failed,
        }


def bins(calls: Sequence[Call], failed: dict[str, Failure], until_s: float, count: int) -> list[Bin]:
    """The run cut into `count` pieces of the same length, for a chart. Empty without calls."""
    if not calls:
        return []
    began_s = min(call.began_s for call in calls)
    width_s = max(until_s - began_s, 0.001) / count

    def place(at_s: float) -> int:
        return min(count - 1, max(0, int((at_s - began_s) / width_s)))

    delays: list[list[float]] = [[] for _ in range(count)]
    for call in calls:
        if call.answered_s is not None:
            delays[place(call.began_s)].append((call.answered_s - call.began_s) * 1000)
    failures = [0] * count
    for failure in failed.values():
        failures[place(failure.at_s)] += 1
    most = _most_in_each(at_once(calls, until_s), count, place)
    return [
        Bin(
            at_s=round(index * width_s, 3),
            median_ms=percentile(sorted(own), 50) if own else None,
            max_ms=max(own) if own else None,
            at_once=most[index],
            failed=failures[index],
        )
        for index, own in enumerate(delays)
    ]


def _most_in_each(line: Sequence[tuple[float, int]], count: int, place: Callable[[float], int]) -> list[int]:
    """The highest value that the line has in each piece, with what it comes in with."""
    most, now, at = [0] * count, 0, 0
    for at_s, value in line:
        index = place(at_s)
        for passed in range(at + 1, index + 1):
            most[passed] = now
        at, now = index, value
        most[index] = max(most[index], value)
    return most
