"""A call centre for tests of sessions: a bench with a queue, agents and the owner that decides, all in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import gevent
from gevent.event import Event

from engine.acd.agent import Agent, LogIn
from engine.acd.owner import Owner
from engine.acd.store_memory import MemoryStore
from engine.domain.acd import AgentState, Tier
from engine.domain.routing import AgentEntry, QueueEntry
from engine.session.session import SessionServices
from engine.switch.port import Originated, Played
from ivr_flows import library
from ivr_flows.flow import Flow
from ivr_flows.node import Node
from ivr_flows.nodes.hangup import Hangup
from ivr_flows.nodes.queue import Queue
from tests.unit.session.bench import Bench, flow
from tests.unit.session.fake_switch import FakeChannel, FakeOriginate

WITHIN_S = 5.0


def waiting(**fields: Any) -> Flow:
    """A flow of one queue, `sales`; each of its exits hangs up with the exit's name as reason."""
    node = Queue(queue="sales", **fields)
    exits = {each: each for each in node.exits()}
    nodes: dict[str, tuple[Node, Mapping[str, str]]] = {"queue": (node, exits)}
    return flow(nodes | {each: (Hangup(reason=each), {}) for each in exits})


class Centre(Bench):
    """`agents` are ready, in this order of idle time. What the owner and the engines tell runs beside the test."""

    library = library.prompts_dir()

    def __init__(self, *flows: Flow, agents: str = "", queues: tuple[QueueEntry, ...] = (), **settings: Any) -> None:
        super().__init__(*(flows or (waiting(),)))
        self.lost: list[str] = []
        settings.setdefault("name", "Sales")
        self.snapshot = replace(
            self.snapshot,
            queues=(QueueEntry(id="sales", **settings), *queues),
            agents=tuple(
                AgentEntry(each, each.title(), queues={"sales": Tier()}) for each in ("alice", "bob", "carol")
            ),
        )
        self.inbox_waits = False
        """No engine reads its messages."""
        self.store = MemoryStore(self.acd)
        self.store.attach()
        self._engines: list[SessionServices] = [self.services]
        self.owner = Owner("main", "owner", MemoryStore(self.acd), self._queues, lambda queue, at: True, gevent.sleep)
        for name in agents.split():
            self.log_in(name)
        self._running = [gevent.spawn(self._pump), gevent.spawn(self.services.tools.queueing.reports.run)]

    def _queues(self) -> Mapping[str, QueueEntry]:
        return {each.id: each for each in self.snapshot.queues}

    def _pump(self) -> None:
        while True:
            self.owner.turn()
            for engine in [] if self.inbox_waits else self._engines:
                engine.tools.queueing.inbox.turn()
            gevent.sleep(0.001)

    def flows_now(self, *flows: Flow) -> None:
        """What calls from now on run."""
        self._flows = {(each.id, each.version): each for each in flows}

    def second_engine(self) -> SessionServices:
        """Another engine, whose inbox is read from now on."""
        engine = self.engine("e2")
        self.also_runs(engine)
        return engine

    def also_runs(self, engine: SessionServices) -> None:
        """The engine's inbox is read from now on, after those of the others."""
        self._engines.append(engine)
        self._running.append(gevent.spawn(engine.tools.queueing.reports.run))

    def engine_dies(self, engine: SessionServices) -> None:
        """Its inbox is read no more. What its sessions do is the test's business."""
        self._engines.remove(engine)

    def log_in(self, name: str, *queues: str) -> None:
        self.clock.ms += 1000
        self.store.add_agent(Agent(id=name, assigned={queue: Tier() for queue in queues or ("sales",)}))
        self.store.change(name, LogIn())

    def agent(self, name: str) -> Agent:
        return self.store.agent(name)

    def until(self, what: Any) -> Any:
        """What this comes to as soon as it is true: everything here happens in other greenlets' turns."""
        with gevent.Timeout(WITHIN_S):
            while not (found := what()):
                gevent.sleep(0.001)
        return found

    def arrives(self, channel: FakeChannel | None = None, engine: SessionServices | None = None) -> FakeChannel:
        """A call is in the queue."""
        channel = channel or FakeChannel()
        self.start(channel, engine)
        self.until(lambda: self.waits(channel.info.uuid))
        return channel

    def second_passes(self) -> bool:
        """The clock goes on by a second: owners tell positions and figures each second."""
        self.clock.ms += 1000
        return True

    def waits(self, call_id: str = "a-leg") -> bool:
        return any(each.id == call_id for each in self.store.load("main").members)

    def rings(self, name: str, times: int = 1) -> FakeOriginate:
        """The agent's phone, as soon as it rings for the so-many-th time."""
        mine: list[FakeOriginate] = self.until(
            lambda: [ringing for target, ringing in self.control.rung if target.user_or_number == name][times - 1 :]
        )
        return mine[0]

    def close(self) -> None:
        gevent.killall(self._running)


class Listener(FakeChannel):
    """A caller who hears what is played to the end only when the test says so."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.heard: list[tuple[str, ...]] = []
        self.plays_to_its_end = Event()
        self.stopped = 0

    def play(self, sources: Sequence[str], stop_keys: str = "", deadline_s: float = 600, **_: Any) -> Played:
        self._do("play", *sources)
        self.heard.append(tuple(sources))
        self.plays_to_its_end.wait()
        self.plays_to_its_end.clear()
        return Played()

    def stop_playing(self) -> None:
        super().stop_playing()
        self.stopped += 1


ANSWERED = Originated("answered")


def in_state(made: Centre, name: str, state: AgentState) -> bool:
    return made.agent(name).state is state


def ended(made: Centre, call_id: str = "a-leg") -> str:
    """The reason of the flow's hangup, which names the exit of the queue."""
    made.until(lambda: ("call", call_id) in made.spooled)
    return made.record(call_id).reason


def talking(made: Centre) -> FakeChannel:
    """A caller who talks with Alice."""
    caller = made.arrives()
    made.rings("alice").outcome.set(ANSWERED)
    made.control.joined.get(timeout=5)
    made.until(lambda: made.agent("alice").talking_since_ms)
    return caller
