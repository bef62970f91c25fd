"""Random sequences, and news that come doubled, in another order, or not at all: nobody is forgotten, nobody is in two
offers, and nobody waits while somebody who fits is ready.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.acd.agent import (
    Accepted,
    Agent,
    Break,
    ConversationBegan,
    ConversationEnded,
    Happening,
    LogIn,
    NotAnswered,
    PhoneBack,
    PhoneGone,
    Ready,
    Refused,
    TakeBreak,
    Withdrawn,
)
from engine.acd.news import Explanation, Leave, News, Place
from engine.acd.owner import Owner
from engine.acd.states import NotPossible
from engine.acd.store import AcdStore, Lease, OfferOver, PoolState, Reservation
from engine.acd.store_memory import MemoryStore, SharedMemory
from engine.domain.acd import AgentState, Member, Offer, Ring, Strategy, Tier
from engine.domain.routing import QueueEntry
from tests.contract.acd.people import POOL, agent

T = TypeVar("T")
NAMES = ("alice", "bob", "carl")
QUEUES = {
    "sales": QueueEntry(id="sales", name="Sales"),
    "help": QueueEntry(id="help", name="Help", strategy=Strategy.RING_ALL),
}
ENGINES = ("e1", "e2")
CALLERS = tuple(f"m{n}" for n in range(6))


class Clock:
    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def now_ms(self) -> int:
        return self.ms


class BadLine(MemoryStore):
    """By chance its news are doubled, mixed up and lost on the way, and people do something while it decides."""

    def __init__(self, shared: SharedMemory, chance: random.Random) -> None:
        super().__init__(shared)
        self._chance = chance

    def wait_news(self, pool: str, after: Place, timeout_ms: int) -> News:
        news = super().wait_news(pool, after, timeout_ms)
        return replace(news, agents=self._spoil(news.agents), members=self._spoil(news.members))

    def reserve(
        self, lease: Lease, offer: Offer, agents: Sequence[Agent], why: Explanation | None = None
    ) -> Reservation:
        if self._chance.random() < 0.2:
            self.change(self._chance.choice(offer.agents), self._chance.choice((PhoneGone(), TakeBreak(Break("x")))))
        if self._chance.random() < 0.2:
            (caller,) = (each for each in self.load(POOL).members if each.id == offer.member)
            self.leave(POOL, caller.id)
            self.join(POOL, caller)
        return super().reserve(lease, offer, agents, why)

    def _spoil(self, news: Iterable[T]) -> list[T]:
        spoiled = [each for each in news for _ in range(self._chance.choice((1, 1, 1, 1, 2, 0)))]
        if self._chance.random() < 0.3:
            self._chance.shuffle(spoiled)
        return spoiled


@dataclass(frozen=True)
class Step:
    kind: str
    who: int
    choice: int


steps = st.lists(
    st.builds(
        Step,
        kind=st.sampled_from(
            ("join", "join", "leave", "agent", "agent", "agent", "agent", "turn", "time", "lose lease")
        ),
        who=st.integers(0, 5),
        choice=st.integers(0, 19),
    ),
    min_size=10,
    max_size=80,
)


class World:
    def __init__(self, chance: random.Random) -> None:
        self.clock = Clock()
        self.shared = SharedMemory(self.clock)
        self.store: AcdStore = MemoryStore(self.shared)
        self.store.attach()
        for name in NAMES:
            queues = ("sales", "help") if name != "carl" else ("help",)
            self.store.add_agent(replace(agent(name), assigned={queue: Tier() for queue in queues}))
            self.store.change(name, LogIn())
        self.owners = [
            Owner(POOL, engine, BadLine(self.shared, chance), lambda: QUEUES, lambda *_: True, lambda _: None)
            for engine in ENGINES
        ]
        self.waiting: set[str] = set()
        self.read = dict.fromkeys(ENGINES, "0")

    def do(self, step: Step) -> None:
        match step.kind:
            case "join":
                self.dismissed()
                self.store.join(POOL, self._caller(step))
                self.waiting.add(CALLERS[step.who])
            case "leave":
                self.store.leave(POOL, CALLERS[step.who])
                self.waiting.discard(CALLERS[step.who])
            case "agent":
                self._agent(NAMES[step.who % len(NAMES)], step.choice)
            case "time":
                self.clock.ms += (1, 900, 7_000, 40_000, -3_000)[step.choice % 5]
            case "lose lease":
                self.clock.ms += 10_000
                self.owners.reverse()
            case _:
                self.settle()

    def _caller(self, step: Step) -> Member:
        rings = (Ring(0, {"cs": 9}), Ring(5_000, {"cs": 3})) if step.choice % 3 == 0 else (Ring(0, {}),)
        limit_ms = self.clock.ms + 20_000 if step.choice % 4 == 0 else 0
        return Member(
            id=CALLERS[step.who],
            queue="sales" if step.choice % 2 else "help",
            joined_ms=self.clock.ms,
            rings=rings,
            engine=f"e{step.choice % 2 + 1}",
            wait_until_ms=limit_ms,
        )

    def _agent(self, name: str, choice: int) -> None:
        there = self.store.agent(name)
        number = there.offer.number if there.offer else ""
        choices: tuple[Happening, ...] = (Ready(), Ready(), PhoneBack(), PhoneGone(), TakeBreak(Break("lunch")))
        if there.state is AgentState.RINGING:
            choices = (Accepted(number), Accepted(number), Refused(number), NotAnswered(number), Withdrawn(number))
        elif there.offer:
            choices = (ConversationBegan(there.call, number), Withdrawn(number))
        elif there.call:
            choices = (ConversationEnded(there.call),)
        happening = choices[choice % len(choices)]
        try:
            self.store.change(name, happening)
        except (NotPossible, OfferOver):
            return
        if isinstance(happening, ConversationBegan):
            self.waiting.discard(there.call)

    def dismissed(self) -> None:
        """The engines read who must leave."""
        for engine, after in self.read.items():
            for place, told in self.store.inbox(engine, after):
                self.read[engine] = place
                if isinstance(told, Leave):
                    self.waiting.discard(told.member)

    def settle(self) -> None:
        """Both owners have a turn; whoever leads has one that is sure to know all by its end."""
        for each in self.owners:
            each.turn()
        for each in self.owners:
            each.turn()


def holds_together(world: World, state: PoolState) -> None:
    asked = [each for offer in state.offers for each in offer.asked]
    assert len(asked) == len(set(asked)), "an agent in two offers"
    assert {each.id for each in state.agents if each.offer} == set(asked)
    world.dismissed()
    assert {each.id for each in state.members} == world.waiting, "a member is lost, or held by nobody"


def nobody_waits_in_vain(world: World, state: PoolState) -> None:
    now_ms = world.clock.ms
    for member in state.members:
        if member.id in state.offered:
            continue
        assert not 0 < member.wait_until_ms <= now_ms, "his time is over"
        for each in state.agents:
            may = each.available and member.queue in each.tiers and member.refused_by.get(each.id, 0) <= now_ms
            assert not (may and fits(each, member, now_ms)), f"{member.id} waits while {each.id} is ready"


def fits(agent: Agent, member: Member, now_ms: int) -> bool:
    waited_ms = max(now_ms - member.joined_ms, 0)
    return any(
        all(agent.skills.get(name, 0) >= level for name, level in ring.skills.items())
        for ring in member.rings
        if ring.after_ms <= waited_ms
    )


@given(steps, st.integers(0, 2**32))
@settings(max_examples=400, deadline=None)
def test_nobody_is_forgotten(sequence: list[Step], seed: int) -> None:
    world = World(random.Random(seed))
    for step in sequence:
        world.do(step)
        state = world.store.load(POOL)
        holds_together(world, state)
        if step.kind == "turn":
            nobody_waits_in_vain(world, state)
    world.settle()
    nobody_waits_in_vain(world, world.store.load(POOL))
