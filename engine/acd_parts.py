"""The engine's part in queues put together: owner, roster, and what runs beside them.

Owner and roster block while they wait for news, so each has a Redis client of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

import gevent
from gevent.event import Event

from engine.acd.agent import Agent, AgentEvent
from engine.acd.leader import Leader
from engine.acd.owner import Owner
from engine.acd.phones import Phones
from engine.acd.roster import Roster
from engine.acd.scribe import ArchiveAway, Scribe
from engine.acd.store import POOL, AcdStore
from engine.domain.ports import Clock
from engine.domain.routing import QueueEntry, RoutingSnapshot
from engine.session.calendars import Calendars
from engine.session.conversation import Conversations
from engine.session.journal import Journal, JournalUnavailable
from engine.session.media import MediaPaths
from engine.session.queueing.desk import QueueDesk
from engine.session.queueing.inbox import Inbox
from engine.session.queueing.queueing import LastAgent, Queueing
from engine.session.queueing.reports import Reports
from engine.session.recorder import Recorder
from engine.store.agents import AgentArchive
from engine.store.database import Database
from engine.store.errors import BadData, StoreUnavailable
from engine.switch.port import Control, SwitchError
from ivr_flows.program import FlowSource

log = logging.getLogger(__name__)
T = TypeVar("T")

ASK_PHONES_EVERY_S = 30.0
"""How often a switch is asked for all of its registrations, whatever it told by itself."""
LOOK_AT_CALLS_EVERY_S = 3.0


class AcdParts:
    """One engine's. `store` makes a store with a client of its own."""

    def __init__(
        self,
        engine: str,
        store: Callable[[], AcdStore],
        routing: Callable[[], RoutingSnapshot],
        controls: Mapping[str, Control],
        journal: Journal,
        database: Database,
    ) -> None:
        self._routing = routing
        self._calendars = Calendars()
        self._phones = PhoneWatch(controls)
        self.owner = Owner(POOL, engine, store(), self._queues, self._is_open, gevent.sleep)
        shared = store()
        self.roster = Roster(engine, shared, routing, self._phones.phones, gevent.sleep)
        self._scribe = Scribe(self.roster, shared, DatabaseArchive(AgentArchive(database)), gevent.sleep)
        self._calls = CallWatch((self.owner, self.roster), journal, controls)
        self._engine = engine
        self._members = store()
        self._inbox = Inbox(self._members, engine, gevent.sleep)
        self._reports = Reports(self._members)
        self.desk = QueueDesk(self._members, self._reports)

    @property
    def work(self) -> Sequence[Callable[[], None]]:
        """What has to be run for ever, each in a greenlet."""
        return (
            self.owner.run,
            self._inbox.run,
            self._reports.run,
            self.roster.run,
            self._scribe.run,
            self._phones.run,
            self._calls.run,
        )

    def queueing(
        self,
        conversations: Conversations,
        recorder: Recorder,
        media: MediaPaths,
        flows: FlowSource,
        routing: Callable[[int], RoutingSnapshot],
        clock: Clock,
        last_agent: LastAgent,
    ) -> Queueing:
        """The members' side of the queues. To be called once."""
        return Queueing(
            engine=self._engine,
            store=self._members,
            inbox=self._inbox,
            reports=self._reports,
            conversations=conversations,
            recorder=recorder,
            media=media,
            flows=flows,
            routing=routing,
            newest=self._routing,
            clock=clock,
            last_agent=last_agent,
            pool=POOL,
        )

    def _queues(self) -> Mapping[str, QueueEntry]:
        return {queue.id: queue for queue in self._routing().queues}

    def _is_open(self, queue: QueueEntry, at_ms: int) -> bool:
        # A calendar that is gone closes nothing: its queue would turn everybody away.
        return not queue.calendar or self._calendars.state(self._routing(), queue.calendar, at_ms) in ("open", None)


class PhoneWatch:
    """Follows the registrations of all switches. To be made before the controls connect."""

    def __init__(self, controls: Mapping[str, Control], now_s: Callable[[], float] = time.monotonic) -> None:
        self._controls = controls
        self._now_s = now_s
        self.phones = Phones(controls, self._now_ms())
        self._ask_at_s = dict.fromkeys(controls, 0.0)
        self._wake = Event()
        for name, control in controls.items():
            control.on_registration(self._hearer(name))
            control.on_connected(self._asker(name))

    def run(self) -> None:
        """Look at the switches each second, and at once where one is connected anew."""
        while True:
            self.look()
            self._wake.wait(1.0)
            self._wake.clear()

    def look(self) -> None:
        """Ask the switches that have to be asked now."""
        for name, control in self._controls.items():
            if not control.connected:
                self._ask_at_s[name] = 0.0
                self.phones.silent(name, self._now_ms())
            elif self._now_s() >= self._ask_at_s[name]:
                self._ask(name, control)

    def _ask(self, name: str, control: Control) -> None:
        self.phones.asked(name)
        try:
            users = control.registered()
        except SwitchError as error:
            log.info("switch %s does not tell who is registered: %s", name, error)
            self.phones.silent(name, self._now_ms())
            return
        self.phones.answered(name, users)
        self._ask_at_s[name] = self._now_s() + ASK_PHONES_EVERY_S

    def _now_ms(self) -> int:
        return int(self._now_s() * 1000)

    def _hearer(self, switch: str) -> Callable[[str, bool], None]:
        return lambda user, registered: self.phones.heard(switch, user, registered)

    def _asker(self, switch: str) -> Callable[[], None]:
        def connected() -> None:
            self._ask_at_s[switch] = 0.0
            self._wake.set()

        return connected


class CallWatch:
    """Finds the calls that are over though they wait, or hold an agent: their engine died, or was told too late."""

    def __init__(self, leaders: Sequence[Leader], journal: Journal, controls: Mapping[str, Control]) -> None:
        self._leaders, self._journal, self._controls = leaders, journal, controls

    def run(self) -> None:
        """Look every few seconds, where this engine looks after the queues or the agents."""
        while True:
            self.look()
            gevent.sleep(LOOK_AT_CALLS_EVERY_S)

    def look(self) -> None:
        """Tell them which calls are over."""
        calls = [(leader, leader.calls if leader.lease else frozenset()) for leader in self._leaders]
        try:
            live = self._journal.open_calls() if any(each for _, each in calls) else {}
        except JournalUnavailable as error:
            log.info("queues: calls can't be looked up: %s", error)
            live = None
        for leader, each in calls:
            gone = [call for call in each if call not in live and self._is_gone(call)] if live is not None else []
            leader.over(gone)

    def _is_gone(self, call: str) -> bool:
        try:
            return not any(control.exists(call) for control in self._controls.values())
        except SwitchError as error:
            log.info("call %s of a queue: a switch can't be asked whether it lives: %s", call, error)
            return False


class DatabaseArchive:
    """`Archive` on PostgreSQL. What it refuses for good is left out, so that it holds up nothing else."""

    def __init__(self, archive: AgentArchive) -> None:
        self._archive = archive

    def write_events(self, events: Sequence[AgentEvent]) -> None:
        """Raises ArchiveAway."""
        self._write(self._archive.write_events, events)

    def write_agents(self, agents: Collection[Agent]) -> None:
        """Raises ArchiveAway."""
        self._write(self._archive.write_agents, list(agents))

    def agents(self, ids: Collection[str]) -> Mapping[str, Agent]:
        """Raises ArchiveAway."""
        try:
            return self._archive.agents(ids)
        except StoreUnavailable as error:
            raise ArchiveAway(str(error)) from error

    def _write(self, write: Callable[[Sequence[T]], None], what: Sequence[T]) -> None:
        try:
            write(what)
        except StoreUnavailable as error:
            raise ArchiveAway(str(error)) from error
        except BadData as bad:
            if len(what) == 1:
                log.error("agents: the database refuses, and it is left out: %s: %s", what[0], bad)
                return
            for each in what:
                self._write(write, [each])
