"""Numbers: which flow answers which number, in the one form that `dialplan` gives it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from dialplan.faults import DialplanError, Fault
from dialplan.numbers import normalise
from dialplan.routes import Route, RouteTable
from engine.domain.routing import NumberRoute
from engine.services.changes import Actor, Changes
from engine.services.errors import NumberNotFound, NumberRefused
from engine.services.flows import WAIT_FLOW
from engine.services.routing_data import RoutingData, within
from engine.store.catalogue import NUMBERS, TRUNKS
from engine.store.database import Database
from engine.store.flows import FlowStore

_FIELDS = {"flow_id": "flow", "max_calls": "max_channels", "overflow_to": "fallback"}
"""What `dialplan.routes` calls a field, and what it is called here."""


class Numbers(RoutingData[NumberRoute]):
    """The use cases around numbers. `country` is the one whose national numbers are meant (`CZ`)."""

    name = "number"
    catalogue = NUMBERS
    not_found = NumberNotFound

    def __init__(self, database: Database, changes: Changes, country: str) -> None:
        super().__init__(database, changes)
        self._country = country

    def put(self, route: NumberRoute, by: Actor) -> tuple[NumberRoute, bool]:
        """Writes a route; returns it as it was written, and whether it is new. Raises NumberRefused."""
        pattern = self.key(route.pattern)
        with self._changes.of_routing(by, "number.put", f"number:{pattern}") as change:
            checked = self._checked(change.session, replace(route, pattern=pattern))
            change.detail["flow"] = checked.flow
            created = self.catalogue.put(change.session, checked)
        return checked, created

    def key(self, given: str) -> str:
        """The pattern in its one form; as it was given where it has none, which then is refused or not found."""
        compact = "".join(given.split())
        if compact.endswith("*"):
            return "+" + compact[2:] if compact.startswith("00") else compact
        return normalise(given, self._country).value or given

    def number(self, given: str) -> str:
        """A caller's or a called number in its one form; as it was given where it has none."""
        return normalise(given, self._country).value or given

    def _checked(self, session: Session, route: NumberRoute) -> NumberRoute:
        faults = self._faults(session, route)
        if faults:
            raise NumberRefused(faults)
        return replace(route, fallback=self.number(route.fallback) if route.fallback else "")

    def _faults(self, session: Session, route: NumberRoute) -> Sequence[Fault]:
        faults: list[Fault] = []
        try:
            RouteTable([_as_route(route)], self._country)
        except DialplanError as error:
            for fault in within("routes[0]", error.faults):
                faults.append(Fault(_FIELDS.get(fault.place, fault.place), fault.message))
        try:
            normalise("", route.country)
        except DialplanError as error:
            faults += error.faults
        if route.flow:
            faults += self._flow_faults(route.flow)
        if route.fallback and self.number(route.fallback) == route.pattern:
            faults.append(Fault("fallback", f'"{route.fallback}" is the number itself'))
        if route.trunk and TRUNKS.get(session, route.trunk) is None:
            faults.append(Fault("trunk", f'there is no trunk "{route.trunk}"'))
        return faults

    def _flow_faults(self, name: str) -> Iterator[Fault]:
        found = FlowStore(self._database).get(name)
        if found is None:
            yield Fault("flow", f'there is no flow "{name}"; upload it first')
        elif found.kind == WAIT_FLOW:
            yield Fault("flow", f'"{name}" is a flow for waiting callers; it takes no calls')


def _as_route(route: NumberRoute) -> Route:
    return Route(
        pattern=route.pattern,
        flow_id=route.flow,
        language=route.language,
        max_calls=route.max_channels,
        overflow_to=route.fallback or None,
    )
