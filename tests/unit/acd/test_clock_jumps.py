"""The shared clock jumps: nobody is forgotten, and nobody waits until it is what it was."""

from __future__ import annotations

import pytest

from engine.acd.agent import Agent, Break, LogIn, Ready, TakeBreak
from engine.acd.news import Offered
from engine.acd.owner import Owner
from engine.acd.store_memory import MemoryStore, SharedMemory
from engine.domain.acd import Member, Tier
from engine.domain.routing import QueueEntry

HOUR_MS = 3_600_000
QUEUES = {"sales": QueueEntry(id="sales", name="Sales")}


class Clock:
    ms = 1_800_000_000_000

    def now_ms(self) -> int:
        return self.ms


@pytest.mark.req("R5")
@pytest.mark.parametrize("jump_ms", [-HOUR_MS, -1, HOUR_MS])
def test_an_agent_who_comes_free_is_offered_and_the_figures_are_told(jump_ms: int) -> None:
    clock = Clock()
    shared = SharedMemory(clock)
    store = MemoryStore(shared)
    store.attach()
    pauses: list[float] = []
    owner = Owner("main", "e1", MemoryStore(shared), lambda: QUEUES, lambda *_: True, pauses.append)
    store.add_agent(Agent(id="alice", assigned={"sales": Tier()}))
    store.change("alice", LogIn())
    store.change("alice", TakeBreak(Break("lunch")))
    store.join("main", Member(id="m1", queue="sales", joined_ms=clock.ms, engine="e1"))
    for _ in range(3):
        clock.ms += 1000
        owner.turn()
    assert not [told for _, told in store.inbox("e1") if isinstance(told, Offered)]
    clock.ms += jump_ms
    owner.turn()
    store.change("alice", Ready())
    for _ in range(3):
        clock.ms += 1
        owner.turn()
    (offered,) = [told for _, told in store.inbox("e1") if isinstance(told, Offered)]
    assert offered.offer.agents == ("alice",)
    figures = store.figures("sales")
    assert figures is not None
    assert abs(figures.at_ms - clock.ms) < 1000
    assert owner.lease is not None
