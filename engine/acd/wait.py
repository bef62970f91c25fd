"""How long a member will wait, and what may be told him. Pure: the moment comes with each call.

The line of a skill group moves when an agent comes free and when somebody gives up. With `s` agents at work, each of
whom takes `mu` members of the group a second while there is a line, and members who give up at the rate `theta`, the
member behind `n` others waits for n + 1 such steps, the last of which only an agent makes: on average the sum of
1 / (s·mu + j·theta) over j from 0 to n (the abandonment-aware queue-length estimator, QLa: Ibrahim and Whitt, 2009).

The steps are independent, so their variances add up, and what is unknown of `mu` is added to them. The range that is
told lies between two quantiles of a gamma distribution of that mean and variance. docs/simulation.md has how often it
held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import count, islice
from math import exp, log, sqrt
from statistics import NormalDist
from typing import TypeAlias

HALF_LIFE_MS = 3_600_000
"""After this time an observation counts half. Longer is steadier, shorter follows the day faster."""
LEAST_TAKEN = 5
"""So many members (those of long ago count less) must have been taken from the line before its pace is known. With few
of them the range is wide."""
LEAST_HEAD_MS = 15_000
"""For so long the first in line must have waited, where the pace is not known, before anything follows from it."""
RANGE = (0.1, 0.9)
"""Quantiles of the range that is told: the wait is shorter one time in ten, and longer one time in ten."""
LONGEST_MS = 3_600_000
"""Nothing is told of waits longer than this: until then too much changes."""


class Basis(StrEnum):
    """What an expected wait was calculated from."""

    QUEUE_LENGTH = "queue_length"
    HEAD_OF_LINE = "head_of_line"
    """How long the first in line has waited by now: for as long as too little is known of the line's pace."""


@dataclass(frozen=True, slots=True)
class ExpectedWait:
    """Until an agent's phone rings: on average, and the range to tell."""

    mean_ms: int
    low_ms: int
    high_ms: int
    basis: Basis


_Spread: TypeAlias = tuple[float, float, Basis]
"""A wait's mean and variance (ms)."""


class Rate:
    """Events for each ms of exposure, older ones counting less.

    Their quotient is the estimate for what only happens to those who are exposed to it. So whoever an agent took before
    he gave up counts with the time that he waited: he was more patient than that.
    """

    __slots__ = ("_at_ms", "_decay", "_events", "_exposure_ms")

    def __init__(self, at_ms: int, half_life_ms: int, events: float = 0.0, exposure_ms: float = 0.0) -> None:
        self._at_ms = at_ms
        self._decay = log(2) / half_life_ms
        self._events = events
        self._exposure_ms = exposure_ms

    def advance(self, exposed: int, at_ms: int) -> None:
        """So many were exposed since the last moment until this one. A clock that went back adds nothing."""
        spent_ms = at_ms - self._at_ms
        if spent_ms <= 0:
            return
        self._at_ms = at_ms
        kept = exp(-self._decay * spent_ms)
        self._events *= kept
        # What was exposed in this time decays within it.
        self._exposure_ms = self._exposure_ms * kept + exposed * (1 - kept) / self._decay

    def count(self) -> None:
        """An event, at the moment of the last advance."""
        self._events += 1

    @property
    def events(self) -> float:
        """How many events the estimate stands on."""
        return self._events

    @property
    def exposure_ms(self) -> float:
        """The exposure that it stands on."""
        return self._exposure_ms

    @property
    def per_ms(self) -> float:
        """The rate, 0 where nobody was exposed."""
        return self._events / self._exposure_ms if self._exposure_ms > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What a line's events have taught until `at_ms`: what the next one who watches it begins with."""

    at_ms: int
    taken: float = 0.0
    taken_ms: float = 0.0
    """Of agents at work while there was a line."""
    gave_up: float = 0.0
    gave_up_ms: float = 0.0
    """Of members in the line."""


class GroupWaits:
    """The line of one skill group: members of a queue who ask for the same, and the agents at work who fit them.

    Only members who find no free agent are in the line: from `joined` (or put back) to `taken`, `gave_up` or `left`.
    Agents who also work elsewhere need no special care: `mu` is how often one of them takes a member of *this* line.
    """

    def __init__(self, at_ms: int, half_life_ms: int = HALF_LIFE_MS, learnt: Learnt | None = None) -> None:
        learnt = learnt or Learnt(at_ms=at_ms)
        self._taken = Rate(learnt.at_ms, half_life_ms, learnt.taken, learnt.taken_ms)
        self._given_up = Rate(learnt.at_ms, half_life_ms, learnt.gave_up, learnt.gave_up_ms)
        self._agents = 0
        self._line = 0
        self._advance(at_ms)

    def learnt(self, at_ms: int) -> Learnt:
        """What is known of the line's pace by now."""
        self._advance(at_ms)
        return Learnt(
            at_ms=at_ms,
            taken=self._taken.events,
            taken_ms=self._taken.exposure_ms,
            gave_up=self._given_up.events,
            gave_up_ms=self._given_up.exposure_ms,
        )

    @property
    def mu_per_ms(self) -> float:
        """Members of the line that an agent takes in a ms, while there is a line."""
        return self._taken.per_ms

    @property
    def taken_lately(self) -> float:
        """How many members were taken from the line, those of long ago counting less."""
        return self._taken.events

    @property
    def pace_is_known(self) -> bool:
        """Whether enough were taken for the queue's length to tell the wait."""
        return self._taken.events >= LEAST_TAKEN

    @property
    def theta_per_ms(self) -> float:
        """How often one who waits gives up in a ms. The reciprocal is the mean patience."""
        return self._given_up.per_ms

    def staffed(self, agents: int, at_ms: int) -> None:
        """So many agents who fit are at work from now on: logged in to the queue, reachable, and not on a break."""
        self._advance(at_ms)
        self._agents = agents

    def joined(self, at_ms: int) -> None:
        """A member found nobody free."""
        self._advance(at_ms)
        self._line += 1

    def taken(self, at_ms: int) -> None:
        """A member of the line is offered to an agent."""
        self._leave(at_ms)
        self._taken.count()

    def gave_up(self, at_ms: int) -> None:
        """A member of the line hung up."""
        self._leave(at_ms)
        self._given_up.count()

    def left(self, at_ms: int) -> None:
        """A member of the line went another way: by a key, by a limit. His patience was longer than this."""
        self._leave(at_ms)

    def expected(self, ahead: int, at_ms: int, head_waited_ms: int = 0) -> ExpectedWait | None:
        """The wait from now on of the member behind so many others; None where nothing can be told honestly.

        `head_waited_ms`: how long the first in line has waited.
        """
        return _told(next(islice(self._steps(at_ms, head_waited_ms), ahead, None), None))

    def along(self, at_ms: int, head_waited_ms: int = 0) -> Iterator[ExpectedWait | None]:
        """The same for each place from the front on, as long as anything can be told. Nothing may happen meanwhile."""
        return map(_told, self._steps(at_ms, head_waited_ms))

    def _steps(self, at_ms: int, head_waited_ms: int) -> Iterator[_Spread | None]:
        self._advance(at_ms)
        if self._agents <= 0:
            return iter(())
        if self.pace_is_known:
            return self._by_length()
        return _by_head(head_waited_ms) if head_waited_ms >= LEAST_HEAD_MS else iter(())

    def _by_length(self) -> Iterator[_Spread]:
        pace, impatience = self._agents * self._taken.per_ms, self._given_up.per_ms
        mean = variance = 0.0
        for place in count():
            step = 1 / (pace + place * impatience)
            mean += step
            variance += step * step
            yield mean, variance + mean * mean / self._taken.events, Basis.QUEUE_LENGTH

    def _advance(self, at_ms: int) -> None:
        self._taken.advance(self._agents if self._line > 0 else 0, at_ms)
        self._given_up.advance(self._line, at_ms)

    def _leave(self, at_ms: int) -> None:
        self._advance(at_ms)
        self._line = max(self._line - 1, 0)


class PlaceTold:
    """What one member was told of his place: it never grows, though others may come to stand before him (R30)."""

    __slots__ = ("_told",)

    def __init__(self, told: int | None = None) -> None:
        """`told`: what he was told last, by another engine for example."""
        self._told = told

    def place(self, position: int) -> int:
        """The place to tell him now, from 1, where he stands at this one."""
        self._told = position if self._told is None else min(self._told, position)
        return self._told


_QUANTILES = tuple(NormalDist().inv_cdf(each) for each in RANGE)


def _by_head(head_waited_ms: int) -> Iterator[_Spread | None]:
    # Nobody is before the first one.
    yield None
    for ahead in count(1):
        # He has yet to make the last step. The variance is twice that of the queue length's estimate in theory
        # (Ibrahim and Whitt), three times in our simulations.
        mean = head_waited_ms * (ahead + 1) / ahead
        yield mean, 3 * mean * mean / (ahead + 1), Basis.HEAD_OF_LINE


def _told(spread: _Spread | None) -> ExpectedWait | None:
    if spread is None:
        return None
    mean_ms, variance, basis = spread
    low_ms, high_ms = (_gamma_quantile(mean_ms, variance, each) for each in _QUANTILES)
    if high_ms > LONGEST_MS:
        return None
    return ExpectedWait(round(mean_ms), round(low_ms), round(high_ms), basis)


def _gamma_quantile(mean: float, variance: float, normal: float) -> float:
    """By Wilson and Hilferty: a gamma variable's cube root is nearly normal. `normal` is the normal's quantile."""
    ninth = variance / (9 * mean * mean)
    return mean * max(1 - ninth + normal * sqrt(ninth), 0.0) ** 3
