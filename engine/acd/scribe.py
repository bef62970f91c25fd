"""Takes what the shared state has of agents to where it is kept for good: their events, and each one's last record.

The roster never waits for it: what can't be kept now stays where it is until it can.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from engine.acd.agent import Agent, AgentEvent
from engine.acd.roster import Roster
from engine.acd.store import AcdStore, StoreError

log = logging.getLogger(__name__)

EVERY_S = 0.25
MOST_EVENTS = 1_000
"""So many are written in one step."""


class ArchiveAway(Exception):
    """Nothing can be written or read now; `str` says why."""


class Archive(Protocol):
    """Where agents' events and records are kept. All methods raise ArchiveAway; what is written again is no second."""

    def write_events(self, events: Sequence[AgentEvent]) -> None: ...
    def write_agents(self, agents: Collection[Agent]) -> None: ...
    def agents(self, ids: Collection[str]) -> Mapping[str, Agent]:
        """The records of those of whom there is one."""


class Scribe:
    """One greenlet beside the roster, idle where another engine looks after the agents."""

    def __init__(self, roster: Roster, store: AcdStore, archive: Archive, pause: Callable[[float], object]) -> None:
        self._roster, self._store, self._archive, self._pause = roster, store, archive, pause
        self._away = False

    def run(self) -> None:
        """Turns for ever."""
        while True:
            self.turn()
            self._pause(EVERY_S)

    def turn(self) -> None:
        """Read what the roster wants to know, write what is new. Raises nothing of shared state and archive."""
        if self._roster.lease is None:
            return
        try:
            self._recall()
            self._write_agents()
            self._write_events()
        except ArchiveAway as away:
            if not self._away:
                log.warning("agents: their events wait in redis until the database is back: %s", away)
            self._away = True
        except StoreError as error:
            log.debug("agents: events not read now: %s", error)
        else:
            self._away = False

    def _recall(self) -> None:
        if wanted := self._roster.wanted:
            self._roster.recalled(wanted, self._archive.agents(wanted))

    def _write_agents(self) -> None:
        if not (records := self._roster.take_unwritten()):
            return
        try:
            self._archive.write_agents(records.values())
        except BaseException:
            self._roster.not_written(records)
            raise

    def _write_events(self) -> None:
        while events := self._store.events(most=MOST_EVENTS):
            self._archive.write_events([event for _, event in events])
            self._store.forget_events(events[-1][0])
