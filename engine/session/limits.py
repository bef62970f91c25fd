"""How many calls there are at once on a number or a trunk, over all engines, and who is one too many (R12).

What a call takes up is a function of its journal: a channel of its number and of the trunk that it came over, from its
beginning to its end, and one of a trunk for each leg that is rung over it. So nothing has to be kept right by hand:
each engine says again every few seconds what its calls take up, whatever happened in between, and what nobody has said
for a while and belongs to no open call is forgotten as soon as a line seems to be full.

A line without a limit is not counted, and costs nothing. Where the counts can't be had, calls go on.
"""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from dialplan.numbers import normalise
from engine.domain.call import CallFacts
from engine.domain.journal import LegEvent
from engine.domain.routing import RoutingSnapshot
from engine.session.log import CallLog
from engine.switch.port import CommandRefused

log = logging.getLogger(__name__)
T = TypeVar("T")

NUMBER_FULL: Literal["number_full"] = "number_full"
TRUNK_FULL: Literal["trunk_full"] = "trunk_full"
"""Why a call was refused, in its record."""
FULL_CAUSE = "NORMAL_CIRCUIT_CONGESTION"
"""A trunk has no channel left. SIP 503, on which operators try another way; 486 would be told to the caller as busy."""

KEEP_EVERY_S = 4.0
"""How often an engine says again what its calls take up."""
ASK_AGAIN_S = 2.0
"""So long nobody asks counts that did not answer."""


class LineFull(CommandRefused):
    """All channels of a trunk are taken; nothing was rung."""

    def __init__(self, trunk: str) -> None:
        super().__init__(f"ring over trunk {trunk}", f"-ERR {FULL_CAUSE}: it has max_channels calls")


class CountsAway(Exception):
    """Nobody can tell how many calls there are now."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One channel of a line (`number:<pattern>`, `trunk:<id>`), taken by a call or by a leg of it."""

    line: str
    by: str
    call: str


class Counts(Protocol):
    """Who has taken which channel, shared by all engines. Every method raises CountsAway."""

    def take(self, wanted: Sequence[tuple[Taken, int]]) -> str | None:
        """Take them in order, each if its line has fewer than so many or if it is taken by the same already. None, or
        the line that is full: what comes before it is taken, the rest is not.
        """

    def keep(self, taken: Sequence[Taken]) -> None:
        """They are taken, still or again."""

    def give_back(self, taken: Sequence[Taken]) -> None:
        """They are free; those that were not taken stay so."""


class ChannelLimits:
    """One for all calls of an engine. `routing`: the routing data of now, for a limit is meant for all calls."""

    def __init__(self, counts: Counts, routing: Callable[[], RoutingSnapshot]) -> None:
        self._counts = counts
        self._routing = routing
        self._known: tuple[RoutingSnapshot | None, Mapping[str, int]] = (None, {})
        self._quiet_until_s = 0.0
        self._away = False
        self._over: weakref.WeakSet[CallLog] = weakref.WeakSet()
        """Calls that have given back what they had."""
        self._owed: set[Taken] = set()
        """What could not be given back yet."""

    def admit(self, facts: CallFacts) -> Literal["", "number_full", "trunk_full"]:
        """A call came: whether it is one too many, and where."""
        limits = self._limits()
        wanted = [(each, limits[each.line]) for each in _of_the_caller(facts) if each.line in limits]
        if not wanted:
            return ""
        full = self._asked(lambda: self._counts.take(wanted))
        if not full:
            return ""
        log.warning("call %s: refused, %s has %d calls", facts.call_id, full, limits[full])
        return TRUNK_FULL if full.startswith("trunk:") else NUMBER_FULL

    def ring(self, call: CallLog, leg: LegEvent) -> None:
        """A leg is about to be rung. Raises LineFull."""
        wanted = _of_a_leg(call, leg)
        limit = None if wanted is None else self._limits().get(wanted.line)
        if wanted is None or limit is None:
            return
        if self._asked(lambda: self._counts.take([(wanted, limit)])):
            raise LineFull(leg.trunk)

    def leg_over(self, call: CallLog, leg: str) -> None:
        """A leg has ended."""
        if call not in self._over and self._limits():
            self._give_back(taken for taken in _of_the_legs(call) if taken.by == leg)

    def settle(self, call: CallLog) -> None:
        """The call has ended: it takes up nothing any more. Never raises."""
        self._over.add(call)
        if self._limits():
            self._give_back([*_of_the_caller(call.facts), *_of_the_legs(call)])

    def keep(self, calls: Iterable[CallLog]) -> None:
        """Say again what these calls take up: Redis may have lost it, or the limit may be new."""
        owed, self._owed = self._owed, set()
        self._give_back(owed)
        limits = self._limits()
        if not limits:
            return
        held = [(taken, call) for call in calls for taken in self._held(call) if taken.line in limits]
        if held and self._told(self._counts.keep, [taken for taken, _ in held]):
            # Meanwhile some may have ended, and given back what was said of them too late.
            self._give_back(taken for taken, call in held if taken not in self._held(call))

    def _held(self, call: CallLog) -> set[Taken]:
        if call in self._over or not call.entries or call.ended:
            return set()
        ended = {
            entry.event.leg
            for entry in call.entries
            if isinstance(entry.event, LegEvent) and entry.event.event == "ended"
        }
        return {*_of_the_caller(call.facts), *(each for each in _of_the_legs(call) if each.by not in ended)}

    def _limits(self) -> Mapping[str, int]:
        snapshot = self._routing()
        if self._known[0] is not snapshot:
            trunks = {f"trunk:{each.id}": each.max_channels for each in snapshot.trunks}
            numbers = {f"number:{each.pattern}": each.max_channels for each in snapshot.numbers}
            self._known = snapshot, {line: most for line, most in (trunks | numbers).items() if most is not None}
        return self._known[1]

    def _give_back(self, taken: Iterable[Taken]) -> None:
        limits = self._limits()
        free = [each for each in taken if each.line in limits]
        if free and not self._told(self._counts.give_back, free):
            self._owed.update(free)

    def _told(self, order: Callable[[Sequence[Taken]], None], taken: Sequence[Taken]) -> bool:
        def told() -> bool:
            order(taken)
            return True

        return self._asked(told) is not None

    def _asked(self, question: Callable[[], T]) -> T | None:
        """The answer; None where there is none. While they are away nobody waits for the counts."""
        if time.monotonic() < self._quiet_until_s:
            return None
        try:
            answer = question()
        except CountsAway as away:
            self._quiet_until_s = time.monotonic() + ASK_AGAIN_S
            if not self._away:
                log.warning("limits of numbers and trunks are not kept for now: %s", away)
            self._away = True
            return None
        if self._away:
            log.info("limits of numbers and trunks are kept again")
        self._away = False
        return answer


def _of_the_caller(facts: CallFacts) -> list[Taken]:
    taken = []
    if facts.trunk and facts.refusal != TRUNK_FULL:
        taken.append(Taken(f"trunk:{facts.trunk}", facts.call_id, facts.call_id))
    if not facts.refusal:
        taken.append(Taken(f"number:{facts.route}", facts.call_id, facts.call_id))
    return taken if facts.route else []


def _of_the_legs(call: CallLog) -> list[Taken]:
    legs = [entry.event for entry in call.entries if isinstance(entry.event, LegEvent)]
    return [taken for leg in legs if leg.event == "offered" and (taken := _of_a_leg(call, leg))]


def _of_a_leg(call: CallLog, leg: LegEvent) -> Taken | None:
    """None for a leg that takes up nothing: an agent's desk phone, an emergency call (R13)."""
    if not leg.trunk or (leg.party_kind == "number" and normalise(leg.party, call.facts.country).emergency):
        return None
    return Taken(f"trunk:{leg.trunk}", leg.leg, call.call_id)
