"""A call centre in which everything happens by chance, and what must hold in it whatever happens.

Two engines, each with all of its parts: sessions, inbox, reports, owner, roster, janitor. Only Redis, the switch and
the clock are played. An engine that dies does so in the middle of whatever it did, and leaves all of it as it is.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import gevent

from engine.acd.agent import Agent, LogIn
from engine.acd.news import Told
from engine.acd.owner import Owner
from engine.acd.phones import Phones
from engine.acd.roster import Roster
from engine.acd.states import NotPossible
from engine.acd.store import StateLost, UnknownAgent
from engine.acd.store_memory import MemoryStore, SharedMemory
from engine.acd_parts import CallWatch
from engine.cdr.outbox import CallOutbox
from engine.domain.acd import Accept, AgentState, Strategy, Tier
from engine.domain.routing import AgentEntry, NumberRoute, Overflow, OverflowKind, OverflowReason, QueueEntry
from engine.session.janitor import Janitor
from engine.session.session import SessionServices
from engine.switch.port import Originated, SwitchLost
from ivr_flows.node import Node
from ivr_flows.nodes.hangup import Hangup
from ivr_flows.nodes.queue import Queue
from tests.unit.session.bench import Bench, flow, returned
from tests.unit.session.fake_switch import FakeChannel, FakeControl, FakeOriginate, channel_info

NAMES = ("alice", "bob", "carol")
QUEUES = {
    "sales": QueueEntry(
        id="sales",
        name="Sales",
        max_waiting=2,
        overflow={OverflowReason.FULL: Overflow(OverflowKind.QUEUE, "help")},
    ),
    "help": QueueEntry(id="help", name="Help", strategy=Strategy.RING_ALL, accept=Accept.KEY, max_wait_s=90),
}
DIDS = {"+420221111000": "sales", "+420221111001": "help"}
RING_MS = 21_000
SOON_S = 2.0
"""What has to come about without any time passing may take so long on this machine."""


class Wire:
    """One engine's connection to the switch."""

    def __init__(self, control: FakeControl) -> None:
        self._control = control
        self.is_cut = False
        self.rung: dict[str, FakeOriginate] = {}

    def __getattr__(self, name: str) -> Any:
        if self.is_cut:
            raise SwitchLost("the engine is dead")
        return getattr(self._control, name)

    def originate(self, target: Any, *, leg: str, **options: Any) -> FakeOriginate:
        self.rung[leg] = self._control.originate(target, leg=leg, **options)
        return self.rung[leg]


class BadLine:
    """An engine's store whose inbox is late, tells things twice, and loses some."""

    def __init__(self, store: MemoryStore, world: World) -> None:
        self._store, self._world, self._chance = store, world, world.chance
        self._told: list[Told] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def inbox(self, engine: str, after: str = "0", timeout_ms: int = 0) -> list[tuple[str, Told]]:
        there = self._world.acd.inboxes[engine]
        if there and self._chance.random() < 0.05:
            del there[self._chance.choice(list(there))]
            self._world.disturbed = True
        came = self._store.inbox(engine, after, timeout_ms)
        came = came[: self._chance.randint(0, len(came))] if self._chance.random() < 0.3 else came
        self._told = [*self._told, *(told for _, told in came)][-10:]
        last = came[-1][0] if came else after
        again = [(last, told) for told in self._told if self._chance.random() < 0.1]
        return [*came, *again]


@dataclass
class Caller:
    uuid: str
    did: str
    channel: FakeChannel
    engine: str
    over: set[str] = field(default_factory=set)
    """Legs with which he has talked."""


class Engine:
    """One engine's parts. What is in `sessions` dies with it."""

    def __init__(self, world: World, name: str) -> None:
        self.name, self._world = name, world
        # The same one, in which this engine writes its own name.
        shared, self.journal = world.journal, replace(world.journal, engine=name)
        world.journal = self.journal
        self.services: SessionServices = world.engine(name)
        self.services.outbox = CallOutbox(self, lambda call_id: None)
        tools = self.services.tools
        self.wire = Wire(world.control)
        tools.conversations.control = lambda switch: self.wire  # type: ignore[assignment,return-value]
        self.store = tools.queueing.store
        self.inbox, self.reports = tools.queueing.inbox, tools.queueing.reports
        self.inbox._store = BadLine(self.store, world)  # type: ignore[assignment]
        self.inbox._pause = lambda _: None
        self.owner = Owner("main", name, MemoryStore(world.acd), lambda: QUEUES, lambda queue, at: True, lambda _: None)
        phones = Phones(["fake"], 0)
        phones.answered("fake", frozenset(NAMES))
        self.roster = Roster(name, MemoryStore(world.acd), lambda: world.snapshot, phones, lambda _: None)
        self.calls = CallWatch((self.owner, self.roster), world.journal, {"fake": world.control})
        self.janitor: Janitor = world.janitor(self.services)
        world.journal = shared
        self.sessions: list[gevent.Greenlet] = []
        self.reporting = gevent.spawn(self.reports.run)

    def put(self, kind: str, id: str, payload: bytes, *, urgent: bool = False) -> None:
        """The record is written at once, and its journal closed."""
        self._world.put(kind, id, payload)
        self.journal.close(id)

    def turn(self) -> None:
        self.owner.turn()
        self.roster.turn()
        self._world.archive |= self.roster.take_unwritten()
        self.roster.recalled(self.roster.wanted, self._world.archive)
        self.calls.look()
        self.janitor.sweep()
        self.inbox.turn()

    def dies(self) -> None:
        """Whatever it still does reaches nobody."""
        self.put = lambda *_, **__: None  # type: ignore[method-assign]
        self.journal.open = {}
        self.journal.streams = {call: list(lines) for call, lines in self.journal.streams.items()}
        self.wire.is_cut = True
        for originate in self.wire.rung.values():
            originate.cancel = lambda: None  # type: ignore[method-assign]
        self.store._shared = SharedMemory(self._world.clock)  # type: ignore[attr-defined]
        gevent.killall([*self.sessions, self.reporting])


class World(Bench):
    """`do` the steps, then look whether `calm` comes."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        super().__init__(*(_into(queue) for queue in QUEUES))
        self.snapshot = replace(
            self.snapshot,
            queues=tuple(QUEUES.values()),
            numbers=tuple(NumberRoute(did, queue) for did, queue in DIDS.items()),
            agents=tuple(AgentEntry(each, each, queues={queue: Tier() for queue in QUEUES}) for each in NAMES),
        )
        self.store = MemoryStore(self.acd)
        self.store.attach()
        self.engines = {name: Engine(self, name) for name in ("e1", "e2")}
        self.journal.living.update(self.engines)
        self.callers: list[Caller] = []
        self.archive: dict[str, Agent] = {}
        """What PostgreSQL has of agents."""
        self._rung_ms: dict[str, int] = {}
        self.disturbed = False
        self.turns()
        for name in NAMES:
            self.happens(name, LogIn())

    # What happens

    def turns(self, times: int = 4) -> None:
        for _ in range(times):
            for engine in list(self.engines.values()):
                engine.turn()
            gevent.sleep(0)
        self.control.alive = {each.uuid for each in self.live()}
        for _, originate in self.control.rung:
            self._rung_ms.setdefault(originate.leg, self.clock.ms)

    def passes(self, ms: int) -> None:
        """Time; phones that rang too long stop, and who is asked for a key too long is hung up."""
        self.clock.ms += ms
        for name in NAMES:
            for originate in self.ringing(name):
                if self.clock.ms - self._rung_ms[originate.leg] > RING_MS:
                    if originate.outcome.ready():
                        self.control.presses(originate.leg, None)
                    else:
                        originate.outcome.set(Originated("no_answer", "NO_ANSWER"))

    def happens(self, name: str, happening: Any) -> None:
        try:
            self.store.change(name, happening)
        except (NotPossible, UnknownAgent):
            return
        except StateLost:
            self.store.attach()

    def call(self, who: int, choice: int) -> None:
        uuid = f"call-{len(self.callers)}"
        did = list(DIDS)[choice % 2]
        channel = FakeChannel(channel_info(uuid, did=did))
        self.callers.append(Caller(uuid, did, channel, ""))
        self._takes(self._engine(who), self.callers[-1], channel)

    def hangs_up(self, caller: Caller) -> None:
        caller.channel.caller_hangs_up()

    def agent_hangs_up(self, caller: Caller, which: int) -> None:
        leg = self.talks_on(caller)
        assert leg is not None
        caller.over.add(leg)
        engine = self._engine(which)
        for each in self.engines.values():
            session = each.services.register.get(caller.uuid)
            if session is not None and each is not engine:
                session.detach("another engine holds the call", wait_s=0)
        self._takes(engine, caller, returned(caller.channel, leg))

    def engine_dies(self, which: int) -> None:
        if len(self.engines) < 2:
            return
        dead = self.engines.pop(f"e{which % 2 + 1}")
        self.journal.living.discard(dead.name)
        self.disturbed = True
        (other,), left = self.engines.values(), self.live()
        dead.dies()
        for caller in left:
            if caller.engine == dead.name and self.talks_on(caller) is None:
                info = channel_info(caller.uuid, did=caller.did, attempt=2, variables=caller.channel.variables)
                self._takes(other, caller, FakeChannel(info))

    def engine_starts(self) -> None:
        for name in ("e1", "e2"):
            if name not in self.engines:
                self.engines[name] = Engine(self, name)
                self.journal.living.add(name)

    def state_is_lost(self) -> None:
        self.acd.lose()
        self.disturbed = True

    def _engine(self, which: int) -> Engine:
        return list(self.engines.values())[which % len(self.engines)]

    def _takes(self, engine: Engine, caller: Caller, channel: FakeChannel) -> None:
        caller.channel, caller.engine = channel, engine.name
        engine.sessions.append(self.start(channel, engine.services))

    # How it is

    def live(self) -> list[Caller]:
        return [each for each in self.callers if each.channel.end is None]

    def talks_on(self, caller: Caller) -> str | None:
        """The leg with which he talks."""
        legs = [b for a, b in self.control.bridged if a == caller.uuid and b not in caller.over]
        return legs[-1] if legs else None

    def agent_of(self, leg: str) -> str:
        return next(target.user_or_number for target, originate in self.control.rung if originate.leg == leg)

    def talking(self) -> dict[str, list[str]]:
        """Calls by agent."""
        found: dict[str, list[str]] = {name: [] for name in NAMES}
        for caller in self.live():
            if leg := self.talks_on(caller):
                found[self.agent_of(leg)].append(caller.uuid)
        return found

    def ringing(self, name: str) -> list[FakeOriginate]:
        """His phones that ring or are being asked for a key; what a dead engine rang, until somebody stops it."""
        bridged = {b for _, b in self.control.bridged}
        return [
            each
            for target, each in self.control.rung
            if target.user_or_number == name
            and not (each.cancelled or each.leg in self.control.killed or each.leg in bridged)
            and (not each.outcome.ready() or each.leg in self.control._asking)
        ]

    def answerable(self, name: str) -> list[FakeOriginate]:
        mine = {leg for engine in self.engines.values() for leg in engine.wire.rung}
        return [each for each in self.ringing(name) if each.leg in mine and not each.outcome.ready()]

    # What must hold

    def at_once(self) -> None:
        """At any moment."""
        for name, calls in self.talking().items():
            assert len(calls) <= 1, f"{name} is in two calls: {calls}"

    def calm(self) -> None:
        """A second later, or as long as a death may take, everything is as it should be."""
        while not self._comes_to_rest():
            pass  # something was lost meanwhile

    def _comes_to_rest(self) -> bool:
        steps, ms = (14, 5_000) if self.disturbed else (2, 500)
        self.disturbed = False
        for _ in range(steps):
            self.passes(ms)
            self.turns(2)
        deadline_s = time.monotonic() + SOON_S
        while not self.disturbed and (fault := self._fault()):
            assert time.monotonic() < deadline_s, fault
            self.turns(1)
            gevent.sleep(0.001)
        return not self.disturbed

    def _fault(self) -> str:
        faults: Sequence[Callable[[], str]] = (self._lost, self._in_vain, self._held, self._left_over)
        try:
            return next((found for fault in faults if (found := fault())), "")
        except StateLost:
            self.store.attach()
            return "the state is lost"

    def _lost(self) -> str:
        there = {each.id for each in self.store.load("main").members}
        waiting = {each.uuid for each in self.live() if self.talks_on(each) is None}
        if there != waiting:
            return f"who waits: {sorted(waiting)}; who waits in the shared state: {sorted(there)}"
        return ""

    def _in_vain(self) -> str:
        state = self.store.load("main")
        for member in state.members:
            for agent in state.agents:
                may = agent.available and member.queue in agent.tiers
                asked = member.refused_by.get(agent.id, 0) > self.clock.ms
                if member.id not in state.offered and may and not asked:
                    return f"{member.id} waits while {agent.id} is ready"
        return ""

    def _held(self) -> str:
        """Agents are what their phones say."""
        talking = self.talking()
        for agent in self.store.load("main").agents:
            rings = self.ringing(agent.id)
            if len(rings) > 1:
                return f"{len(rings)} phones ring for {agent.id}"
            held = agent.state is AgentState.ON_CALL
            if held != bool(talking[agent.id]) or (held and [agent.call] != talking[agent.id]):
                return f"{agent.id} is {agent.state}, call {agent.call}, and talks in {talking[agent.id]}"
            if (agent.state is AgentState.RINGING) != bool(rings):
                return f"{agent.id} is {agent.state}, and {len(rings)} phones ring for him"
        return ""

    def _left_over(self) -> str:
        # Of whom nothing was written nobody knows anything: he had gone before any engine had taken him.
        ended = [each.uuid for each in self.callers if each.channel.end and self.journal.streams.get(each.uuid)]
        records = [id for kind, id in self.spooled if kind == "call"]
        if sorted(records) != sorted(ended):
            return f"who has gone: {sorted(ended)}; records: {sorted(records)}"
        return ""

    def close(self) -> None:
        for engine in self.engines.values():
            engine.dies()


def _into(queue: str) -> Any:
    node = Queue(queue=queue, keys={"5": "message"})
    exits = {each: each for each in node.exits()}
    nodes: dict[str, tuple[Node, Mapping[str, str]]] = {"queue": (node, exits)}
    return flow(nodes | {each: (Hangup(reason=each), {}) for each in exits}, queue)
