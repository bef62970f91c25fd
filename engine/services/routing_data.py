"""What the use cases around numbers, agents, trunks, calendars, queues and notices share: list, get, delete, faults."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from sqlalchemy.orm import Session

from dialplan.faults import Fault
from dialplan.numbers import NumberKind, normalise
from engine.services.changes import Actor, Changes
from engine.services.errors import NotFound
from engine.services.prompts import PromptFiles
from engine.store.catalogue import Catalogue
from engine.store.database import Database
from ivr_flows.fields import PATH
from ivr_flows.findings import did_you_mean

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


def id_faults(given: str, longest: int = 64, place: str = "id") -> list[Fault]:
    """What is wrong with an id, or another name, that flows may refer to (`ivr_flows.fields.NAME`)."""
    if re.fullmatch(r"[a-z][a-z0-9_-]*", given) and len(given) <= longest:
        return []
    words = f"a small letter, then small letters, digits, dashes, underscores, at most {longest}"
    return [Fault(place, f'"{given}" is not an id: {words}')]


def missing(place: str, kind: str, name: str, there: Collection[str]) -> list[Fault]:
    """That there is no `name` among those of its kind, and which one may be meant."""
    if name in there:
        return []
    return [Fault(place, f'there is no {kind} "{name}"{did_you_mean(name, there) or "; create it first"}')]


def sound_faults(named: Mapping[str, str], prompts: PromptFiles) -> Iterator[Fault]:
    """What is wrong with sound files that are to be played; `named` has each one's path by its place."""
    files = prompts.files() if named else None
    for place, path in named.items():
        if not re.fullmatch(PATH, path):
            yield Fault(place, f'"{path}" is not a sound file below the prompts directory (support/cs.wav)')
        elif files is not None:
            yield from missing(place, "sound file", path, files)


def outside_faults(place: str, number: str, country: str) -> list[Fault]:
    """What is wrong with a public number that calls are to be sent to (`+420777123456`)."""
    found = normalise(number, country)
    if found.emergency:
        return [Fault(place, f'"{number}" is an emergency number; no calls are sent there')]
    if found.kind is NumberKind.EXTENSION:
        return [Fault(place, f'"{number}" is an internal number; a public one is needed (+420777123456)')]
    if not found.dialable:
        return [Fault(place, f'"{number}" is not a number that can be called')]
    return [] if found.value == number else [Fault(place, f'"{number}" is to be written as "{found.value}"')]


def range_fault(place: str, value: float | None, least: float, most: float) -> list[Fault]:
    """That a value is outside of its range; None is within."""
    if value is None or least <= value <= most:
        return []
    return [Fault(place, f"{value} is not within {least} to {most}")]
