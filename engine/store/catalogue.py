"""Routing data row by row: numbers, agents, trunks, calendars, queues, notices. Each is put, got, listed and deleted
by its key.

All methods work in the caller's session, so that a change, its audit row and the routing version are one transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.domain.acd import Accept, AgentState, Strategy, Tier
from engine.domain.call import JsonObject
from engine.domain.routing import (
    AgentEntry,
    Announcements,
    NoticeEntry,
    NumberRoute,
    Overflow,
    OverflowKind,
    OverflowReason,
    QueueEntry,
    TrunkEntry,
)
from engine.store.facts import Notice
from engine.store.models import Agent, AgentQueue, Base, Calendar, Number, Queue, Trunk

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """Opening hours: `definition` is an item of `dialplan.calendars`, its id left out."""

    id: str
    definition: JsonObject


@dataclass(frozen=True, slots=True)
class Catalogue(Generic[E]):
    """One kind of routing data. `hidden` is the column that may be written and never read back, "" for none."""

    model: type[Base]
    key: str
    to_row: Callable[[E], dict[str, Any]]
    from_row: Callable[[Any], E]
    hidden: str = ""

    def list(self, session: Session) -> list[E]:
        """All entries in the order of their keys."""
        query = select(self.model).order_by(getattr(self.model, self.key))
        return [self.from_row(row) for row in session.scalars(query)]

    def get(self, session: Session, key: str) -> E | None:
        """The entry, or None."""
        row = session.get(self.model, key)
        return None if row is None else self.from_row(row)

    def put(self, session: Session, entry: E, secret: str | None = None) -> bool:
        """Writes the entry whole. `secret` None keeps the one that is there. True when the entry is new."""
        values = self.to_row(entry)
        if self.hidden and secret is not None:
            values[self.hidden] = secret
        row = session.get(self.model, values[self.key])
        if row is None:
            session.add(self.model(**({self.hidden: ""} if self.hidden else {}) | values))
        else:
            for name, value in values.items():
                setattr(row, name, value)
        session.flush()
        return row is None

    def delete(self, session: Session, key: str) -> bool:
        """Removes the entry. False when there is none."""
        row = session.get(self.model, key)
        if row is None:
            return False
        session.delete(row)
        session.flush()
        return True

    def secret(self, session: Session, key: str) -> str:
        """The secret of an entry, "" when there is none."""
        row = session.get(self.model, key)
        return "" if row is None else str(getattr(row, self.hidden))

    def secrets(self, session: Session) -> dict[str, str]:
        """The secret of each entry by its key."""
        columns = (getattr(self.model, self.key), getattr(self.model, self.hidden))
        return dict(session.execute(select(*columns)).all())


def _number_row(entry: NumberRoute) -> dict[str, Any]:
    return {
        "pattern": entry.pattern,
        "flow_id": entry.flow,
        "language": entry.language,
        "country": entry.country,
        "record": entry.record,
        "trunk_id": entry.trunk or None,
        "max_channels": entry.max_channels,
        "fallback": entry.fallback,
    }


def _number(row: Number) -> NumberRoute:
    return NumberRoute(
        pattern=row.pattern,
        flow=row.flow_id,
        language=row.language,
        country=row.country,
        record=row.record,
        trunk=row.trunk_id or "",
        max_channels=row.max_channels,
        fallback=row.fallback,
    )


_TRUNK = ("id", "proxy", "name", "username", "register", "prefix", "ping_s", "caller_id", "max_channels")


def _trunk_row(entry: TrunkEntry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in _TRUNK} | {"networks": list(entry.networks)}


def _trunk(row: Trunk) -> TrunkEntry:
    same: dict[str, Any] = {name: getattr(row, name) for name in _TRUNK}
    return TrunkEntry(**same, networks=tuple(row.networks))


_AGENT = ("id", "name", "number", "may_choose_queues", "mobile")


def _agent_row(entry: AgentEntry) -> dict[str, Any]:
    places = [AgentQueue(queue_id=queue, level=at.level, position=at.position) for queue, at in entry.queues.items()]
    same = {name: getattr(entry, name) for name in _AGENT}
    return same | {"skills": dict(entry.skills), "mobile_in": list(entry.mobile_in), "queues": places}


def _agent(row: Agent) -> AgentEntry:
    same: dict[str, Any] = {name: getattr(row, name) for name in _AGENT}
    return AgentEntry(
        **same,
        skills=row.skills,
        queues={place.queue_id: Tier(place.level, place.position) for place in row.queues},
        mobile_in=tuple(AgentState(state) for state in row.mobile_in),
    )


_QUEUE = (
    "id", "name", "priority", "weight", "ageing_per_min", "tier_wait_s", "ring_s", "wrap_up_s", "sticky_wait_s",
    "whisper", "music", "max_waiting", "max_wait_s", "service_level_s",
)  # fmt: skip


def _queue_row(entry: QueueEntry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in _QUEUE} | {
        "strategy": entry.strategy.value,
        "accept": entry.accept.value,
        "wait_flow_id": entry.wait_flow or None,
        "calendar_id": entry.calendar or None,
        "overflow": {why.value: {"kind": to.kind.value, "target": to.target} for why, to in entry.overflow.items()},
        "announcements": asdict(entry.announcements),
    }


def _queue(row: Queue) -> QueueEntry:
    same: dict[str, Any] = {name: getattr(row, name) for name in _QUEUE}
    overflow = {why: Overflow(OverflowKind(to["kind"]), to["target"]) for why, to in row.overflow.items()}
    return QueueEntry(
        **same,
        strategy=Strategy(row.strategy),
        accept=Accept(row.accept),
        wait_flow=row.wait_flow_id or "",
        calendar=row.calendar_id or "",
        overflow={OverflowReason(why): to for why, to in overflow.items()},
        announcements=Announcements(**row.announcements),
    )


def _notice_row(entry: NoticeEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "name": entry.name,
        "sounds": dict(entry.sounds),
        "active": entry.active,
        "until": entry.until_ms,
        "changed_at": entry.changed_ms,
        "changed_by": entry.changed_by,
    }


def _notice(row: Notice) -> NoticeEntry:
    return NoticeEntry(
        id=row.id,
        name=row.name,
        sounds=row.sounds,
        active=row.active,
        until_ms=row.until,
        changed_ms=row.changed_at,
        changed_by=row.changed_by,
    )


NUMBERS: Catalogue[NumberRoute] = Catalogue(Number, "pattern", _number_row, _number)
AGENTS: Catalogue[AgentEntry] = Catalogue(Agent, "id", _agent_row, _agent, hidden="sip_password")
TRUNKS: Catalogue[TrunkEntry] = Catalogue(Trunk, "id", _trunk_row, _trunk, hidden="password")
CALENDARS: Catalogue[CalendarEntry] = Catalogue(
    Calendar,
    "id",
    lambda entry: {"id": entry.id, "definition": entry.definition},
    lambda row: CalendarEntry(row.id, row.definition),
)
QUEUES: Catalogue[QueueEntry] = Catalogue(Queue, "id", _queue_row, _queue)
NOTICES: Catalogue[NoticeEntry] = Catalogue(Notice, "id", _notice_row, _notice)
