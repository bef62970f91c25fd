"""Queues: their settings, what these refer to, and that no call is sent round in a circle (R3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from sqlalchemy.orm import Session

from dialplan.faults import Fault
from engine.domain.acd import MAX_PRIORITY
from engine.domain.routing import Overflow, OverflowKind, OverflowReason, QueueEntry
from engine.services.changes import Actor, Changes
from engine.services.errors import QueueInUse, QueueNotFound, QueueRefused
from engine.services.flows import WAIT_FLOW, active_users
from engine.services.prompts import PromptFiles
from engine.services.routing_data import RoutingData, id_faults, missing, outside_faults, range_fault, sound_faults
from engine.store.catalogue import AGENTS, CALENDARS, QUEUES
from engine.store.database import Database
from engine.store.flows import FlowStore

_RANGES: dict[str, tuple[float, float]] = {
    "priority": (0, MAX_PRIORITY),
    "weight": (0.01, 100),
    "ageing_per_min": (0, 100),
    "tier_wait_s": (0, 7200),
    "ring_s": (5, 120),
    "wrap_up_s": (0, 3600),
    "sticky_wait_s": (0, 3600),
    "max_waiting": (1, 1_000_000),
    "max_wait_s": (5, 7200),
    "service_level_s": (1, 3600),
}
_ANNOUNCEMENTS: dict[str, tuple[float, float]] = {
    "first_after_s": (0, 3600),
    "position_every_s": (10, 3600),
    "expected_wait_every_s": (10, 3600),
}


class Queues(RoutingData[QueueEntry]):
    """The use cases around queues. `country` is the one whose national numbers are meant (`CZ`)."""

    name = "queue"
    catalogue = QUEUES
    not_found = QueueNotFound

    def __init__(self, database: Database, changes: Changes, prompts: PromptFiles, country: str) -> None:
        super().__init__(database, changes)
        self._prompts = prompts
        self._country = country

    def put(self, queue: QueueEntry, by: Actor) -> bool:
        """Writes a queue. Whether it is new. Raises QueueRefused with every fault."""
        with self._changes.of_routing(by, "queue.put", f"queue:{queue.id}") as change:
            sounds = {place: path for place, path in (("whisper", queue.whisper), ("music", queue.music)) if path}
            faults = [*_value_faults(queue), *sound_faults(sounds, self._prompts)]
            faults += self._reference_faults(change.session, queue)
            faults += _loop_faults(queue, QUEUES.list(change.session))
            if faults:
                raise QueueRefused(faults)
            return QUEUES.put(change.session, queue)

    def check_unused(self, session: Session, key: str) -> None:
        """Raises QueueInUse."""
        users = active_users(FlowStore(self._database), "queue", key) + queues_naming(session, "queue", key)
        users += [f"agent {agent.id}" for agent in AGENTS.list(session) if key in agent.queues]
        if users:
            raise QueueInUse(key, users)

    def _reference_faults(self, session: Session, queue: QueueEntry) -> Iterator[Fault]:
        flows = {flow.id: flow.kind for flow in FlowStore(self._database).list()}
        if queue.wait_flow:
            yield from missing("wait_flow", "flow", queue.wait_flow, flows)
            kind = flows.get(queue.wait_flow, WAIT_FLOW)
            if kind != WAIT_FLOW:
                message = f'"{queue.wait_flow}" is a flow of kind {kind}; callers wait in one of kind {WAIT_FLOW}'
                yield Fault("wait_flow", message)
        if queue.calendar:
            calendars = {each.id for each in CALENDARS.list(session)}
            yield from missing("calendar", "calendar", queue.calendar, calendars)
        for why, overflow in queue.overflow.items():
            place = f"overflow.{why}.target"
            match overflow.kind:
                case OverflowKind.NUMBER:
                    yield from outside_faults(place, overflow.target, self._country)
                case OverflowKind.AGENT:
                    yield from missing(place, "agent", overflow.target, {each.id for each in AGENTS.list(session)})
                case OverflowKind.QUEUE:
                    there = {queue.id, *(each.id for each in QUEUES.list(session))}
                    yield from missing(place, "queue", overflow.target, there)
                case OverflowKind.FLOW:
                    yield from missing(place, "flow", overflow.target, flows)
                    if flows.get(overflow.target) == WAIT_FLOW:
                        yield Fault(place, f'"{overflow.target}" is a flow for waiting callers; it takes over no calls')


def queues_naming(session: Session, kind: Literal["agent", "calendar", "queue"], name: str) -> list[str]:
    """The queues, as `queue <id>`, whose opening hours or overflow need this agent, calendar or queue."""

    def needs(queue: QueueEntry) -> bool:
        if kind == "calendar":
            return queue.calendar == name
        return Overflow(OverflowKind(kind), name) in queue.overflow.values()

    return [f"queue {queue.id}" for queue in QUEUES.list(session) if needs(queue)]


def _value_faults(queue: QueueEntry) -> Iterator[Fault]:
    yield from id_faults(queue.id)
    if queue.id == "figures":
        yield Fault("id", '"figures" can\'t be the id of a queue: /queues/figures has the figures of all')
    if not queue.name:
        yield Fault("name", "is empty")
    for name, (least, most) in _RANGES.items():
        yield from range_fault(name, getattr(queue, name), least, most)
    for name, (least, most) in _ANNOUNCEMENTS.items():
        yield from range_fault(f"announcements.{name}", getattr(queue.announcements, name), least, most)


def _loop_faults(queue: QueueEntry, there: list[QueueEntry]) -> Iterator[Fault]:
    """Ways on which a call would overflow from queue to queue and come back to this one."""
    queues = {each.id: each for each in there} | {queue.id: queue}
    for why, target in _onward(queue):
        way = _way(queues, target, queue.id)
        if way is not None:
            steps = " → ".join([f"{queue.id} ({why})", *way, queue.id])
            yield Fault(f"overflow.{why}.target", f"calls would go round: {steps}; lead one of them elsewhere")


def _onward(queue: QueueEntry) -> list[tuple[OverflowReason, str]]:
    ways = [(why, queue.overflow[why]) for why in OverflowReason if why in queue.overflow]
    return [(why, to.target) for why, to in ways if to.kind is OverflowKind.QUEUE]


def _way(queues: dict[str, QueueEntry], start: str, end: str) -> list[str] | None:
    """A shortest way by overflow, each queue with the reason to leave it; [] when already there, None without one."""
    ways: dict[str, list[str]] = {start: []}
    waiting = [start]
    for name in waiting:
        if name == end:
            return ways[name]
        for why, target in _onward(queues[name]) if name in queues else ():
            if target not in ways:
                ways[target] = [*ways[name], f"{name} ({why})"]
                waiting.append(target)
    return None
