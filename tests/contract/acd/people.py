"""Agents, members and offers for the contract's tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from engine.acd.agent import Agent, LogIn
from engine.acd.store import AcdStore, Lease, Reservation
from engine.domain.acd import Member, Offer, Ring, Strategy, Tier

POOL, OTHER_POOL = "one", "two"
LONG_MS = 60_000
WITHIN_S = 10.0


def agent(name: str, *queues: str) -> Agent:
    return Agent(id=name, assigned={queue: Tier() for queue in queues or ("sales", "help")}, skills={"cs": 5})


def ready(store: AcdStore, *names: str) -> None:
    """Agents of these names are there, logged in to sales and help."""
    for name in names:
        store.add_agent(agent(name))
        store.change(name, LogIn())


def member(name: str, queue: str = "sales", joined_ms: int = 1_700_000_000_000, **others: Any) -> Member:
    rings = (Ring(0, {"cs": 3}), Ring(9000, {}))
    return Member(id=name, queue=queue, joined_ms=joined_ms, priority=5, rings=rings, **others)


def offer(store: AcdStore, member_id: str, agents: Sequence[str], queue: str = "sales") -> Offer:
    return Offer(
        member=member_id,
        queue=queue,
        agents=tuple(agents),
        at_ms=store.now_ms(),
        strategy=Strategy.LONGEST_IDLE,
        ring=0,
        score="idle for 3 s",
        waited_ms=5,
    )


def reserve(store: AcdStore, lease: Lease, member_id: str, *agents: str, queue: str = "sales") -> Reservation:
    """The offer as an owner makes it who knows these agents as they are."""
    return store.reserve(lease, offer(store, member_id, agents, queue), [store.agent(each) for each in agents])


def lease(store: AcdStore, pool: str = POOL, owner: str = "e1", for_ms: int = LONG_MS) -> Lease:
    got = store.acquire(pool, owner, for_ms)
    assert got
    return got


def soon(ask: Callable[[], Lease | None]) -> Lease:
    """The answer as soon as there is one: the shared clock is not ours to move."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        if answer := ask():
            return answer
    pytest.fail(f"nothing within {WITHIN_S} s")
