"""What the engine makes of a call when it comes: numbers in normal form, trunk, route, flow and its version, language;
and whether it is one too many.

Everything that the switch says about the caller is hostile until it went through here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from ipaddress import ip_address

from dialplan.contexts import HOME_VARIABLE
from dialplan.numbers import Number, NumberKind, normalise
from dialplan.routes import RecordingPolicy, Route, RouteTable
from dialplan.settings import networks_of
from dialplan.xml import AGENT_CONTEXT
from engine.domain.call import CallFacts
from engine.domain.ports import Clock
from engine.domain.routing import NumberRoute, RoutingSnapshot
from engine.session.limits import NUMBER_FULL, ChannelLimits
from engine.switch.port import ChannelInfo

NAME_LIMIT = 80
NUMBERS_KEPT = 4096
"""How many numbers are kept with what was made of them: it takes longer than all the rest of an admission."""
TRUNK_PROFILE = "external"
"""The SIP profile of the trunks."""


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
        limits: ChannelLimits,
    ) -> None:
        self._limits = limits
        self._snapshot = snapshot
        self._refresh = refresh
        self._clock = clock
        self._country = country
        self._language = language
        self._table: tuple[int, RouteTable, dict[str, NumberRoute]] | None = None
        self._kept = lru_cache(NUMBERS_KEPT)(normalise)
        self._found: dict[str, NumberRoute | None] = {}
        """Routes of the numbers that were called since the routing data last changed."""

    def leaves_alone(self, info: ChannelInfo) -> bool:
        """An agent's emergency call: the dialplan sends it straight out when no engine takes it (R13)."""
        from_agent = info.variables.get(HOME_VARIABLE) == AGENT_CONTEXT
        return from_agent and self._normalised(info.did).emergency

    def admit(self, info: ChannelInfo) -> CallFacts:
        """The call's facts. `flow` is empty when no route leads anywhere, or when there are as many calls as there may
        be (`refusal` says so); the session then refuses the call.
        """
        snapshot = self._snapshot()
        route = self._route(snapshot, info.did)
        if route is None or route.flow not in snapshot.active_flows:
            self._refresh()
            snapshot = self._snapshot()
            route = self._route(snapshot, info.did)
        trunk = _trunk(info, route, snapshot)
        if route is not None and route.trunk and trunk not in ("", route.trunk):
            route = None
        did = self._normalised(info.did)
        ani = self._normalised("anonymous" if info.privacy else info.ani)
        flow = route.flow if route else ""
        version = snapshot.active_flows.get(flow, "")
        facts = CallFacts(
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
            trunk=trunk,
        )
        refusal = self._limits.admit(facts) if route and facts.flow else ""
        if not refusal or route is None:
            return facts
        fallback = route.fallback if refusal == NUMBER_FULL else ""
        return replace(facts, flow="", flow_version="", refusal=refusal, fallback=fallback)

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


def _trunk(info: ChannelInfo, route: NumberRoute | None, snapshot: RoutingSnapshot) -> str:
    """The trunk that the call came over, "" where nobody can say.

    The switch knows it where it is registered with the operator. Else the caller's address tells, as long as one trunk
    alone takes calls from there; and last the number, which may belong to one.
    """
    if info.profile != TRUNK_PROFILE:
        return ""
    named = info.variables.get("sip_gateway", "")
    if any(trunk.id == named for trunk in snapshot.trunks):
        return named
    from_there = [
        trunk.id
        for trunk in snapshot.trunks
        if _takes(trunk.networks, trunk.proxy, info.variables.get("sip_network_ip", ""))
    ]
    if len(from_there) == 1:
        return from_there[0]
    own = route.trunk if route else ""
    return own if own in from_there or not from_there else ""


@lru_cache(NUMBERS_KEPT)
def _takes(networks: tuple[str, ...], proxy: str, address: str) -> bool:
    try:
        from_where = ip_address(address)
        return any(from_where in network for network in networks_of(networks, proxy))
    except ValueError:
        return False


def _as_route(number: NumberRoute) -> Route:
    policy = RecordingPolicy.ALWAYS if number.record else RecordingPolicy.NEVER
    return Route(number.pattern, number.flow, language=number.language, recording_policy=policy)
