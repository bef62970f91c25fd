"""Rosters for the contract's tests: on one engine, with its phones and its archive."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.acd.agent import Agent, AgentEvent
from engine.acd.phones import Phones
from engine.acd.roster import Roster
from engine.acd.scribe import ArchiveAway, Scribe
from engine.acd.store import AcdStore
from engine.domain.acd import Tier
from engine.domain.routing import AgentEntry, RoutingSnapshot

MOST_TURNS = 200


def entry(name: str, *queues: str, **others: Any) -> AgentEntry:
    return AgentEntry(name, name, queues={queue: Tier() for queue in queues or ("sales",)}, **others)


class MemoryArchive:
    def __init__(self) -> None:
        self.away = False
        self.events: list[AgentEvent] = []
        self.kept: dict[str, Agent] = {}

    def _here(self) -> None:
        if self.away:
            raise ArchiveAway("it is away")

    def write_events(self, events: Sequence[AgentEvent]) -> None:
        self._here()
        self.events += events

    def write_agents(self, agents: Collection[Agent]) -> None:
        self._here()
        self.kept |= {agent.id: agent for agent in agents}

    def agents(self, ids: Collection[str]) -> Mapping[str, Agent]:
        self._here()
        return {each: self.kept[each] for each in ids if each in self.kept}


@dataclass
class Engine:
    """One engine's part. `routing` is what it knows of the routing data."""

    store: AcdStore
    archive: MemoryArchive = field(default_factory=MemoryArchive)
    name: str = "e1"
    pauses: list[float] = field(default_factory=list)
    registered: set[str] = field(default_factory=lambda: {"alice", "bob", "carl"})

    def __post_init__(self) -> None:
        self.routing = RoutingSnapshot(1, agents=(entry("alice"), entry("bob")))
        self.phones = Phones(["switch"], 0)
        self.phones.answered("switch", frozenset(self.registered))
        self.roster = Roster(self.name, self.store, lambda: self.routing, self.phones, self.pauses.append)
        self.scribe = Scribe(self.roster, self.store, self.archive, self.pauses.append)

    def agents(self, *entries: AgentEntry) -> None:
        """The routing data changes."""
        self.routing = replace(self.routing, version=self.routing.version + 1, agents=entries)

    def work(self, turns: int = 6) -> None:
        """Some turns of roster and scribe."""
        for _ in range(turns):
            self.roster.turn()
            self.scribe.turn()

    def lead(self) -> None:
        """Until it has the lease, and has done what there is to do."""
        for _ in range(MOST_TURNS):
            if self.roster.lease is not None:
                break
            self.roster.turn()
        assert self.roster.lease is not None
        self.work()
