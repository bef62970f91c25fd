"""Short ways to name members and agents in tests."""

from __future__ import annotations

from typing import Any

from engine.acd.matcher import Matcher
from engine.domain.acd import AgentSnapshot, AgentState, Member, Offer, QueueRules, Tier

NOW = 1_800_000_000_000
"""Where the tests' clocks begin."""


def agent(name: str, *queues: str, level: int = 1, position: int = 1, **others: Any) -> AgentSnapshot:
    """Ready since a minute, in queue `q` where none is named."""
    tiers = {queue: Tier(level, position) for queue in queues or ("q",)}
    others.setdefault("state", AgentState.READY)
    others.setdefault("ready_since_ms", NOW - 60_000)
    others.setdefault("tiers", tiers)
    return AgentSnapshot(id=name, since_ms=NOW - 60_000, **others)


def member(name: str, queue: str = "q", joined_ms: int = NOW, **others: Any) -> Member:
    return Member(id=name, queue=queue, joined_ms=joined_ms, **others)


def matcher(*rules: QueueRules) -> Matcher:
    made = Matcher()
    for each in rules or (QueueRules(id="q"),):
        made.set_rules(each)
    return made


def pairs(offers: list[Offer]) -> list[tuple[str, ...]]:
    """Each offer as member and agents."""
    return [(offer.member, *offer.agents) for offer in offers]
