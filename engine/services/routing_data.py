"""What the use cases around numbers, agents, trunks and calendars share: list, get, delete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from sqlalchemy.orm import Session

from dialplan.faults import Fault
from engine.services.changes import Actor, Changes
from engine.services.errors import NotFound
from engine.store.catalogue import Catalogue
from engine.store.database import Database

E = TypeVar("E")


class RoutingData(Generic[E]):
    """One kind of routing data. `name` stands in the audit trail: `agent.put`, `agent:bob`."""

    name: str
    catalogue: Catalogue[E]
    not_found: Callable[[str], NotFound]

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        self._changes = changes

    def list(self) -> Sequence[E]:
        """All entries in the order of their keys."""
        with self._database.transaction() as session:
            return self.catalogue.list(session)

    def get(self, key: str) -> E:
        """One entry. Raises NotFound."""
        key = self.key(key)
        with self._database.transaction() as session:
            found = self.catalogue.get(session, key)
        if found is None:
            raise self.not_found(key)
        return found

    def delete(self, key: str, by: Actor) -> None:
        """Removes an entry. Raises NotFound; Conflict when something still needs it."""
        key = self.key(key)
        with self._changes.of_routing(by, f"{self.name}.delete", f"{self.name}:{key}") as change:
            self.check_unused(change.session, key)
            if not self.catalogue.delete(change.session, key):
                raise self.not_found(key)

    def key(self, given: str) -> str:
        """The key in its one form."""
        return given

    def check_unused(self, session: Session, key: str) -> None:
        """Raises Conflict when something still needs the entry."""


def within(place: str, faults: Iterable[Fault]) -> list[Fault]:
    """The faults of one part, with the way to that part left out: `agents[0].id` within `agents[0]` is `id`."""
    return [
        Fault(fault.place.removeprefix(place).removeprefix("."), fault.message)
        for fault in faults
        if fault.place == place or fault.place.startswith((f"{place}.", f"{place}["))
    ]
