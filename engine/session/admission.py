"""What the engine makes of a call when it comes: numbers in normal form, route, flow and its version, language.

Everything that the switch says about the caller is hostile until it went through here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from dialplan.numbers import Number, NumberKind, normalise
from dialplan.routes import RecordingPolicy, Route, RouteTable
from engine.domain.call import CallFacts
from engine.domain.ports import Clock
from engine.domain.routing import NumberRoute, RoutingSnapshot
from engine.switch.port import ChannelInfo

NAME_LIMIT = 80
NUMBERS_KEPT = 4096
"""How many numbers are kept with what was made of them: it takes longer than all the rest of an admission."""


class Admission:
    """Facts from what the switch says. `snapshot` gives the routing data of this moment.

    Before a number counts as unknown, `refresh` has the routing data looked up anew: a number that an admin put in a
    moment ago works at once, though the announcement of it may still be under way.
    """

    def __init__(
        self,
        snapshot: Callable[[], RoutingSnapshot],
        refresh: Callable[[], None],
        clock: Clock,
        country: str,
        language: str,
    ) -> None:
        self._snapshot = snapshot
        self._refresh = refresh
        self._clock = clock
        self._country = country
        self._language = language
        self._table: tuple[int, RouteTable, dict[str, NumberRoute]] | None = None
        self._kept = lru_cache(NUMBERS_KEPT)(normalise)
        self._found: dict[str, NumberRoute | None] = {}
        """Routes of the numbers that were called since the routing data last changed."""

    def admit(self, info: ChannelInfo) -> CallFacts:
        """The call's facts. `flow` is empty when no route leads anywhere; the session then refuses the call."""
        snapshot = self._snapshot()
        route = self._route(snapshot, info.did)
        if route is None or route.flow not in snapshot.active_flows:
            self._refresh()
            snapshot = self._snapshot()
            route = self._route(snapshot, info.did)
        did = self._normalised(info.did)
        ani = self._normalised("anonymous" if info.privacy else info.ani)
        flow = route.flow if route else ""
        version = snapshot.active_flows.get(flow, "")
        return CallFacts(
            call_id=info.uuid,
            did=did.value,
            did_raw=did.raw,
            ani=ani.value,
            ani_raw=ani.raw,
            anonymous=ani.kind is NumberKind.ANONYMOUS,
            caller_name=printable(info.caller_name),
            route=route.pattern if route else "",
            flow=flow if version else "",
            flow_version=version,
            language=route.language if route else self._language,
            country=route.country if route else self._country,
            record=bool(route and route.record),
            snapshot=snapshot.version,
            switch=info.switch,
            sip_call_id=printable(info.sip_call_id, 200),
            started_ms=self._clock.now_ms(),
        )

    def _normalised(self, raw: str) -> Number:
        # what is longer is no number, and would only let a caller fill our memory
        return (self._kept if len(raw) <= NAME_LIMIT else normalise)(raw, self._country)

    def _route(self, snapshot: RoutingSnapshot, did: str) -> NumberRoute | None:
        if self._table is None or self._table[0] != snapshot.version:
            table = RouteTable([_as_route(number) for number in snapshot.numbers], self._country)
            self._table = (snapshot.version, table, {number.pattern: number for number in snapshot.numbers})
            self._found.clear()
        if did not in self._found:
            _, table, numbers = self._table
            found = table.find(did)
            if len(self._found) >= NUMBERS_KEPT or len(did) > NAME_LIMIT:
                return numbers[found.pattern] if found else None
            self._found[did] = numbers[found.pattern] if found else None
        return self._found[did]


def printable(text: str, limit: int = NAME_LIMIT) -> str:
    """The text without control characters and line breaks, at most `limit` characters, for records and displays."""
    return "".join(char if char.isprintable() else " " for char in text[:limit]).strip()


def _as_route(number: NumberRoute) -> Route:
    policy = RecordingPolicy.ALWAYS if number.record else RecordingPolicy.NEVER
    return Route(number.pattern, number.flow, language=number.language, recording_policy=policy)
