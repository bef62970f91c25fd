"""Random sequences on both stores side by side: they agree on everything, and nobody is ever in two offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.acd.agent import (
    Accepted,
    Break,
    ConversationBegan,
    ConversationEnded,
    Happening,
    LogIn,
    LogOut,
    NotAnswered,
    Ready,
    Refused,
    TakeBreak,
    Withdrawn,
)
from engine.acd.news import Offered, Place
from engine.acd.states import NotPossible
from engine.acd.store import AcdStore, Lease, PoolState, StoreError
from engine.domain.acd import AgentState
from tests.contract.acd.conftest import MemoryRig, Rig, ValkeyRig
from tests.contract.acd.people import OTHER_POOL, POOL, lease, member, offer, ready

AGENTS, MEMBERS = ("alice", "bob", "carl"), ("m1", "m2")
POOLS = (POOL, OTHER_POOL)
ENGINES = ("e1", "e2")
WEIGHTED = ("reserve",) * 6 + ("happen",) * 12 + ("join", "leave", "take over")


@dataclass(frozen=True)
class Step:
    """`fresh`: the owner looks at the agents before he decides; what happens belongs to the offer that they have."""

    kind: str
    pool: str
    member: str
    agents: tuple[str, ...]
    happening: int
    fresh: bool


steps = st.lists(
    st.builds(
        Step,
        kind=st.sampled_from(WEIGHTED),
        pool=st.sampled_from(POOLS),
        member=st.sampled_from(MEMBERS),
        agents=st.lists(st.sampled_from(AGENTS), min_size=1, max_size=3, unique=True).map(tuple),
        happening=st.integers(0, 19),
        fresh=st.sampled_from((True, True, True, False)),
    ),
    min_size=10,
    max_size=60,
)


class World:
    """Two engines on one store; the numbers of offers by the order in which they were made, to compare worlds."""

    def __init__(self, rig: Rig) -> None:
        self.stores = {pool: rig.store() for pool in POOLS}
        self.any: AcdStore = self.stores[POOL]
        ready(self.any, *AGENTS)
        self.leases: dict[str, Lease] = {pool: lease(store, pool, pool) for pool, store in self.stores.items()}
        self.known = {agent: self.any.agent(agent) for agent in AGENTS}
        self.numbers: list[str] = []

    def do(self, step: Step) -> str:
        """What came of it, in a word."""
        try:
            return self._done(step)
        except (StoreError, NotPossible) as refused:
            return type(refused).__name__

    def _done(self, step: Step) -> str:
        store = self.stores[step.pool]
        name = f"{step.pool}-{step.member}"
        if step.kind == "join":
            return store.join(step.pool, member(name, engine=ENGINES[step.fresh])).id
        if step.kind == "leave":
            return self.called(store.leave(step.pool, name))
        if step.kind == "take over":
            old = self.leases[step.pool]
            if step.fresh:
                self.leases[step.pool] = lease(store, step.pool, step.pool)
            return str(store.renew(old, 60_000).pool)
        if step.kind == "reserve":
            if step.fresh:
                store.join(step.pool, member(name))
                self.known = {agent: self.any.agent(agent) for agent in AGENTS}
            free = [each for each in step.agents if self.known[each].available] if step.fresh else step.agents
            asked = offer(store, name, free or step.agents)
            made = store.reserve(self.leases[step.pool], asked, [self.known[each] for each in asked.agents])
            self.numbers.append(made.number)
            return self.called(made.number)
        return str(self.any.change(step.agents[0], self._happening(step)).agent.state)

    def _happening(self, step: Step) -> Happening:
        held = self.any.agent(step.agents[0])
        number = held.offer.number if held.offer and step.fresh else ([*self.numbers, "none"])[0]
        choices: tuple[Happening, ...] = (Ready(), Ready(), TakeBreak(Break("lunch")), LogOut("help"), LogIn())
        if held.offer and held.state is AgentState.RINGING:
            choices = (Accepted(number), Accepted(number), Refused(number), NotAnswered(number), Withdrawn(number))
        elif held.offer:
            choices = (ConversationBegan(held.call, number),) * 2 + (Withdrawn(number), TakeBreak(Break("lunch")))
        elif held.call:
            choices = (ConversationEnded(held.call),)
        return choices[step.happening % len(choices)]

    def called(self, number: str | None) -> str:
        return str(self.numbers.index(number)) if number else "none"

    def seen(self) -> list[Any]:
        """The shared state without times and names."""
        states = [self.any.load(pool) for pool in POOLS]
        agents = sorted(
            (each.id, each.version, each.state, self.called(each.offer and each.offer.number))
            for each in states[0].agents
        )
        counts = [self.any.counts("sales"), self.any.counts("help")]
        told = [self._inbox(each) for each in ENGINES]
        return [agents, *(self._pool(each) for each in states), *counts, *map(self._news, POOLS), *told]

    def _news(self, pool: str) -> list[Any]:
        news = self.any.wait_news(pool, Place(), 0)
        agents = [(number, each.id, each.version) for number, each in news.agents]
        members = [
            (each.number, each.became, each.id, self.called(each.offer), each.engine, sorted(each.refused_by or ()))
            for each in news.members
        ]
        assert (news.last, self.any.load(pool).place) == (Place(len(agents), len(members)),) * 2
        return [agents, members]

    def _inbox(self, engine: str) -> list[Any]:
        told = [each for _, each in self.any.inbox(engine)]
        return [(self.called(each.number), each.offer.member) for each in told if isinstance(each, Offered)]

    def _pool(self, state: PoolState) -> list[Any]:
        members = sorted((each.id, each.engine, sorted(each.refused_by)) for each in state.members)
        offers = sorted(
            (self.called(each.number), sorted(each.asked), each.taken_by, each.engine) for each in state.offers
        )
        return [members, offers, sorted((who, self.called(number)) for who, number in state.offered.items())]


def holds_together(world: World) -> None:
    states = [world.any.load(pool) for pool in POOLS]
    offers = {each.number: each for state in states for each in state.offers}
    asked = [agent for each in offers.values() for agent in each.asked]
    assert len(asked) == len(set(asked)), "an agent in two offers"
    for agent in states[0].agents:
        assert (agent.offer is not None) == (agent.id in asked)
        if agent.offer:
            assert agent.id in offers[agent.offer.number].asked
            accepted = agent.state is AgentState.ON_CALL
            assert not accepted or offers[agent.offer.number].taken_by == agent.id
    for state in states:
        assert state.offered.keys() <= {each.id for each in state.members}
        assert set(state.offered.values()) <= offers.keys(), "a member waits for an offer that is not there"


@given(steps)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_do_the_same(valkey_rig: ValkeyRig, sequence: list[Step]) -> None:
    valkey_rig.lose()
    memory, real = World(MemoryRig()), World(valkey_rig)
    for step in sequence:
        assert memory.do(step) == real.do(step), step
        assert memory.seen() == real.seen(), step
        holds_together(memory)
