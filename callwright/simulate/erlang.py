"""Erlang C and Erlang A: what a queue does in the long run where calls come at random at one rate, handling times (and
patience) are exponential, and agents are all alike. docs/decisions/0013 says why these are ours.

Times are in any one unit, rates in its reciprocal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, expm1, log

_NEGLIGIBLE = 1e-15
_STEPS = 4000


class NeverSteady(ValueError):
    """More calls come than agents can take, and nobody gives up: the line grows for ever."""

    def __init__(self, load: float, agents: int) -> None:
        super().__init__(f"{load:g} erlangs for {agents} agents: the line grows for ever, Erlang C needs less load")


@dataclass(frozen=True, slots=True)
class Steady:
    """A queue in the long run. `waited`, `abandoned`, `service_level` are shares of all calls.

    `wait`: the mean over all calls, those who gave up included; `asa`: over the answered ones. `line`: how many wait on
    average. `service_level`: answered within the time asked for.
    """

    waited: float
    abandoned: float
    wait: float
    asa: float
    line: float
    occupancy: float
    service_level: float


def erlang_b(load: float, agents: int) -> float:
    """The share of calls that find all agents busy where nobody waits."""
    blocked = 1.0
    for number in range(1, agents + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked


def erlang_c(rate: float, handling: float, agents: int, within: float) -> Steady:
    """M/M/n: nobody gives up. Raises NeverSteady."""
    load = rate * handling
    if load >= agents:
        raise NeverSteady(load, agents)
    blocked = erlang_b(load, agents)
    waited = agents * blocked / (agents - load * (1 - blocked))
    spare = (agents - load) / handling
    wait = waited / spare
    return Steady(waited, 0.0, wait, wait, rate * wait, load / agents, 1 - waited * exp(-spare * within))


def erlang_a(rate: float, handling: float, agents: int, patience: float, within: float) -> Steady:
    """M/M/n+M: whoever waits gives up after an exponential time, `patience` on average."""
    if erlang_b(rate * handling, agents) < _NEGLIGIBLE:
        return Steady(0.0, 0.0, 0.0, 0.0, 0.0, rate * handling / agents, 1.0)
    line = _line(rate, handling, agents, patience)
    waited = sum(line)
    waiting = sum(place * share for place, share in enumerate(line))
    abandoned = waiting / patience / rate
    answered = 1 - abandoned
    # The wait that a caller of endless patience would have (Baccelli and Hebuterne): its density, up to a factor that
    # follows from how many have to wait at all.
    pace = agents / handling
    mode = max(patience * log(rate / pace), 0.0)
    highest = -rate * patience * expm1(-mode / patience) - pace * mode

    def density(wait: float) -> float:
        return exp(-rate * patience * expm1(-wait / patience) - pace * wait - highest)

    def answered_at(wait: float) -> float:
        return density(wait) * exp(-wait / patience)

    end = mode
    while density(end) > _NEGLIGIBLE:
        end += min(patience, handling) / _STEPS
    factor = waited / _integral(density, end)
    return Steady(
        waited=waited,
        abandoned=abandoned,
        wait=waiting / rate,
        asa=factor * _integral(lambda wait: wait * answered_at(wait), end) / answered,
        line=waiting,
        occupancy=rate * answered * handling / agents,
        service_level=1 - waited + factor * _integral(answered_at, min(within, end)),
    )


def _line(rate: float, handling: float, agents: int, patience: float) -> list[float]:
    """How often all agents are busy and so many wait, from none on."""
    shares, place = [1.0], 0
    while True:
        place += 1
        leaves = agents / handling + place / patience
        shares.append(shares[-1] * rate / leaves)
        if rate < leaves and shares[-1] < _NEGLIGIBLE * max(shares):
            break
    # Erlang B: of the time in which nobody waits, this is the share in which all are busy.
    whole = 1 / erlang_b(rate * handling, agents) - 1 + sum(shares)
    return [share / whole for share in shares]


def _integral(value: Callable[[float], float], end: float) -> float:
    """From 0 to `end`, by Simpson's rule."""
    step = end / _STEPS
    inner = sum((4 if number % 2 else 2) * value(number * step) for number in range(1, _STEPS))
    return (value(0.0) + inner + value(end)) * step / 3
