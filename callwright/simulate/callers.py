"""Who calls when, how long he would wait and talk: drawn before the simulation, so that it changes nothing of it.

The same seed and run give the same callers whatever the agents do: two ways of staffing are compared on the same day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import accumulate
from math import inf
from random import Random

from callwright.simulate.scenario import Arrivals, Queue, Scenario

HOUR_MS = 3_600_000
PROBES = 0.1
"""Probes for each caller."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller, or a probe: one who waits as long as it takes and then takes nobody's time.

    Times in ms, `at_ms` from the scenario's beginning. `kind` is the number of his kind among the queue's callers.
    """

    at_ms: int
    id: str
    queue: str
    kind: int
    patience_ms: float
    handling_ms: int
    probe: bool = False


class Chances:
    """Random numbers of one run: one stream for each purpose, so that more of one thing changes no other."""

    def __init__(self, seed: int, run: int) -> None:
        self._of = f"{seed}/{run}"

    def stream(self, *purpose: str) -> Random:
        """The stream of this purpose, from its beginning."""
        return Random("/".join((self._of, *purpose)))


def callers(scenario: Scenario, chances: Chances, probes: bool) -> Iterator[Caller]:
    """All callers of a run in the order in which they come."""
    streams = []
    for queue in scenario.queues:
        streams.append(_callers(queue, _coming(queue, scenario.hours, chances), chances))
        if probes:
            streams.append(_probes(queue, scenario.hours, chances.stream(queue.id, "probes")))
    return merge(*streams, key=lambda caller: caller.at_ms)


def _coming(queue: Queue, hours: float, chances: Chances) -> Iterator[int]:
    if queue.arrivals_s is None:
        return _moments(queue.arrivals, hours, chances.stream(queue.id, "arrivals"))
    return (round(at_s * 1000) for at_s in sorted(queue.arrivals_s))


def _callers(queue: Queue, moments: Iterator[int], chances: Chances) -> Iterator[Caller]:
    kinds, talks, waits = (chances.stream(queue.id, purpose) for purpose in ("kinds", "handling", "patience"))
    shares = list(accumulate(each.share for each in queue.callers))
    for number, at_ms in enumerate(moments):
        yield Caller(
            at_ms=at_ms,
            id=f"{queue.id}-{number}",
            queue=queue.id,
            kind=_kind(shares, kinds),
            patience_ms=inf if queue.patience_s is None else queue.patience_s.draw(waits) * 1000,
            handling_ms=round(queue.handling_s.draw(talks) * 1000),
        )


def _probes(queue: Queue, hours: float, chance: Random) -> Iterator[Caller]:
    rates: Sequence[Arrivals] = queue.arrivals
    if queue.arrivals_s is not None:
        rates = (Arrivals(from_h=0, per_hour=len(queue.arrivals_s) / hours),)
    shares = list(accumulate(each.share for each in queue.callers))
    fewer = [Arrivals(from_h=each.from_h, per_hour=each.per_hour * PROBES) for each in rates]
    for number, at_ms in enumerate(_moments(fewer, hours, chance)):
        kind = _kind(shares, chance)
        yield Caller(at_ms, f"{queue.id}-probe-{number}", queue.id, kind, inf, 0, probe=True)


def _kind(shares: Sequence[float], chance: Random) -> int:
    if len(shares) == 1:
        return 0
    drawn = chance.random() * shares[-1]
    return next(number for number, upto in enumerate(shares) if drawn < upto)


def _moments(rates: Sequence[Arrivals], hours: float, chance: Random) -> Iterator[int]:
    """A Poisson process. The gaps within an interval are exponential: without memory, so each interval begins anew."""
    ends = [*(each.from_h for each in rates[1:]), hours]
    for interval, end_h in zip(rates, ends, strict=True):
        if interval.per_hour <= 0:
            continue
        at_h = interval.from_h
        while (at_h := at_h + chance.expovariate(interval.per_hour)) < min(end_h, hours):
            yield int(at_h * HOUR_MS)
