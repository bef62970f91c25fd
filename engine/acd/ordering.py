"""Who goes before whom: members within a queue, agents within a level, pairs of both. Lower goes first everywhere.

A member is worth `priority + weight · ageing · minutes waited` points. All members of a queue age at the same rate, so
their order within it never changes: it is kept by what they were worth at the epoch, and only members of different
queues are compared at a moment.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from engine.domain.acd import AgentSnapshot, Member, QueueRules, Strategy, Tier

MINUTE_MS = 60_000

Standing: TypeAlias = tuple[float, int, str]
"""A member's place: less what he was worth at the epoch (points × ms in a minute), moment of joining, id."""
Rank: TypeAlias = tuple[float, int, int, str]
"""An agent's place within a level: the strategy's value, position, ready since, id."""


class Pair(NamedTuple):
    """A member and an agent who fit, in the order in which pairs are made."""

    not_sticky: bool
    """False: the agent is the one whom the member spoke with last."""
    ring: int
    """The first demands of the member that the agent fits."""
    less_worth: float
    """Less what the member is worth now (points × ms in a minute)."""
    joined_ms: int
    member: str
    level: int
    rank: Rank

    @property
    def agent(self) -> str:
        return self.rank[-1]


def slope(rules: QueueRules) -> float:
    """Points that a minute of waiting lifts a member of this queue by."""
    return rules.weight * rules.ageing_per_min


def standing(member: Member, rules: QueueRules) -> Standing:
    """The member's place in his queue."""
    return slope(rules) * member.joined_ms - member.priority * MINUTE_MS, member.joined_ms, member.id


def rank(rules: QueueRules, agent: AgentSnapshot, tier: Tier, wanted: Iterable[str]) -> Rank:
    """The agent's place within his level, for members who want these skills."""
    return _value(rules.strategy, agent, wanted), tier.position, agent.ready_since_ms, agent.id


def _value(strategy: Strategy, agent: AgentSnapshot, wanted: Iterable[str]) -> float:
    match strategy:
        case Strategy.LONGEST_IDLE:
            return agent.ready_since_ms
        case Strategy.FEWEST_CALLS:
            return agent.calls
        case Strategy.LEAST_TALK_TIME:
            return agent.talk_ms
        case Strategy.ROUND_ROBIN:
            return agent.last_offer_ms
        case Strategy.BEST_SKILL:
            return -sum(agent.skills.get(name, 0) for name in wanted)
        case Strategy.OCCUPANCY:
            return agent.busy_ms / agent.present_ms if agent.present_ms > 0 else 0.0
        case Strategy.TOP_DOWN | Strategy.RING_ALL:
            return 0


def fits(skills: Mapping[str, int], demanded: Mapping[str, int]) -> bool:
    """Whether an agent of these skills has all that is demanded."""
    return all(skills.get(name, 0) >= level for name, level in demanded.items())


def file(items: list[Any], item: Any) -> None:
    """Put the item into the sorted list.

    What is behind it is moved: 1 µs among 5,000 items, 14 µs among 100,000, where a tree of lists takes 8 and 4.
    """
    insort(items, item)


def unfile(items: list[Any], item: Any) -> None:
    """Take the item out of the sorted list, if it is there."""
    at = bisect_left(items, item)
    if at < len(items) and items[at] == item:
        del items[at]
