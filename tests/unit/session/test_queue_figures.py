"""A flow asks how a queue stands: figures of its owner, counted ones without one, nothing where Redis is away."""

from __future__ import annotations

from dataclasses import replace

import gevent
import pytest
from gevent.event import Event

from engine.acd.agent import Agent, LogIn
from engine.acd.live import FRESH_MS
from engine.acd.news import QueueFigures as Told
from engine.acd.store import POOL, AcdStore, QueueCounts, StoreUnavailable
from engine.acd.store_memory import MemoryStore, SharedMemory
from engine.domain.acd import Member, Tier
from engine.domain.routing import QueueEntry, RoutingSnapshot
from engine.session.queue_figures import QueueReader
from engine.switch.port import ChannelGone
from ivr_flows.instructions import ReadQueue
from ivr_flows.results import QueueFigures, Refused
from tests.unit.session.bench import Bench, TestClock, path
from tests.unit.session.fake_switch import FakeChannel
from tests.unit.session.test_instructions import made

ROUTING = RoutingSnapshot(1, queues=(QueueEntry(id="sales", name="Sales"),))
WITHIN_S = 10.0


class Hanging(MemoryStore):
    """Takes questions and says nothing."""

    def __init__(self, shared: SharedMemory) -> None:
        super().__init__(shared)
        self.asked, self.given_up = Event(), Event()

    def figures(self, queue: str) -> Told | None:
        self.asked.set()
        try:
            Event().wait()
        finally:
            self.given_up.set()
        raise AssertionError


class Away(MemoryStore):
    def figures(self, queue: str) -> Told | None:
        raise StoreUnavailable("redis: connection refused")

    def counts(self, queue: str) -> QueueCounts:
        raise AssertionError("asked once is enough")


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


def store(clock: TestClock) -> MemoryStore:
    """With an agent who is ready and a member who waits."""
    made = MemoryStore(SharedMemory(clock))
    made.attach()
    made.add_agent(Agent(id="alice", assigned={"sales": Tier()}))
    made.change("alice", LogIn())
    made.join(POOL, Member(id="m1", queue="sales", joined_ms=clock.ms - 9_000))
    return made


def read(asked: AcdStore, queue: str = "sales") -> QueueFigures | Refused:
    return QueueReader(asked).read(ReadQueue(queue), ROUTING, FakeChannel())


@pytest.mark.req("R6")
def test_the_owners_figures(clock: TestClock) -> None:
    there = store(clock)
    lease = there.acquire(POOL, "e1", 60_000)
    assert lease
    told = Told(
        queue="sales", at_ms=clock.ms, waiting=3, longest_wait_ms=61_900, logged_in=5, ready=0, expected_wait_ms=89_700
    )
    there.tell(lease, [], [told])
    assert read(there) == QueueFigures(ready=0, logged_in=5, waiting=3, longest_wait_s=61, expected_wait_s=90)
    clock.ms += FRESH_MS
    assert isinstance(found := read(there), QueueFigures)
    assert found.waiting == 3
    clock.ms += 1
    assert read(there) == QueueFigures(ready=1, logged_in=1, waiting=1, longest_wait_s=0), "nobody owns the queue"


@pytest.mark.req("R6")
def test_without_an_owner_people_are_counted(clock: TestClock) -> None:
    assert read(store(clock)) == QueueFigures(ready=1, logged_in=1, waiting=1, longest_wait_s=0)


@pytest.mark.req("R6", "R124")
def test_a_state_that_is_lost_is_joined_again(clock: TestClock) -> None:
    shared = SharedMemory(clock)
    reader = QueueReader(MemoryStore(shared))
    nothing = QueueFigures(ready=0, logged_in=0, waiting=0, longest_wait_s=0)
    assert reader.read(ReadQueue("sales"), ROUTING, FakeChannel()) == nothing
    shared.lose()
    assert reader.read(ReadQueue("sales"), ROUTING, FakeChannel()) == nothing


@pytest.mark.req("R6", "R124")
def test_what_cannot_be_known_is_refused(clock: TestClock) -> None:
    assert read(store(clock), "nothing") == Refused("no queue 'nothing'")
    away = Away(SharedMemory(clock))
    assert read(away) == Refused("figures of queue 'sales' are not known: redis: connection refused")
    hangs = QueueReader(Hanging(SharedMemory(clock)), longest_s=0.01)
    told = hangs.read(ReadQueue("sales"), ROUTING, FakeChannel())
    assert told == Refused("figures of queue 'sales' are not known: no answer within 0.01 s")


@pytest.mark.req("R6")
def test_a_caller_who_hangs_up_is_not_held(clock: TestClock) -> None:
    hanging, channel = Hanging(SharedMemory(clock)), FakeChannel()
    call = gevent.spawn(QueueReader(hanging, longest_s=WITHIN_S).read, ReadQueue("sales"), ROUTING, channel)
    assert hanging.asked.wait(WITHIN_S)
    channel.caller_hangs_up()
    with pytest.raises(ChannelGone):
        call.get(timeout=WITHIN_S)
    assert hanging.given_up.wait(WITHIN_S)


@pytest.mark.req("R6")
def test_a_flow_goes_on_by_the_figures() -> None:
    case = {"figure": "waiting", "test": ">=", "value": 1, "exit": "busy"}
    stats = {"type": "queue_stats", "queue": "sales", "cases": [case], "exits": {"busy": "busy", "default": "quiet"}}
    bye = {"type": "hangup", "reason": "end"}
    for members, taken in ((0, "quiet"), (1, "busy")):
        bench = Bench(made({"stats": stats, "busy": bye, "quiet": bye}))
        bench.snapshot = replace(bench.snapshot, queues=ROUTING.queues)
        shared = MemoryStore(bench.acd)
        shared.attach()
        for number in range(members):
            shared.join(POOL, Member(id=f"m{number}", queue="sales", joined_ms=bench.clock.ms))
        bench.run(FakeChannel())
        assert path(bench.record()) == ["stats", taken]
