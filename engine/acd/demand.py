"""Members of a queue who ask for the same: one order of members and one of agents serves all of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise
from typing import TypeAlias

from engine.acd.faults import BadMember
from engine.acd.ordering import Rank, Standing, fits
from engine.domain.acd import MAX_PRIORITY, MAX_RINGS, Member, Ring

DemandKey: TypeAlias = tuple[tuple[int, frozenset[tuple[str, int]]], ...]


def demand_key(rings: tuple[Ring, ...]) -> DemandKey:
    """What is equal where the same is asked for."""
    return tuple((ring.after_ms, frozenset(ring.skills.items())) for ring in rings)


def check(member: Member) -> None:
    """Raises BadMember where rings or priority have no order."""
    rings = member.rings
    if not rings or rings[0].after_ms != 0:
        raise BadMember(member.id, "the first ring must begin at after_ms 0")
    if len(rings) > MAX_RINGS:
        raise BadMember(member.id, f"{len(rings)} rings, at most {MAX_RINGS} are possible")
    if any(earlier.after_ms >= later.after_ms for earlier, later in pairwise(rings)):
        raise BadMember(member.id, "each ring must begin later than the one before")
    if not 0 <= member.priority <= MAX_PRIORITY:
        raise BadMember(member.id, f"priority {member.priority}, must be from 0 to {MAX_PRIORITY}")


class Demand:
    """One set of demands within a queue.

    A member goes through stages: at each one a ring more is open to him or a tier level more is asked. `members` has
    the order of those at each stage, `agents` that of the available agents by the first ring they fit and by level.
    """

    __slots__ = ("agents", "key", "members", "rings", "size", "stages", "times", "wanted")

    def __init__(self, key: DemandKey, rings: tuple[Ring, ...], tier_wait_ms: int, ranks: int) -> None:
        """`ranks`: how many tier levels there can be."""
        self.key = key
        self.rings = rings
        self.wanted = tuple(rings[0].skills)
        level_ms = [tier_wait_ms * number for number in range(ranks)]
        ring_ms = [ring.after_ms for ring in rings]
        self.times = sorted({*ring_ms, *level_ms})
        """At which waits (ms) a stage begins."""
        self.stages = [(bisect_right(ring_ms, at) - 1, bisect_right(level_ms, at) - 1) for at in self.times]
        """The highest ring and the highest rank of a level that are open at each stage."""
        self.members: list[list[Standing]] = [[] for _ in self.times]
        self.agents: list[dict[int, list[Rank]]] = [{} for _ in rings]
        self.size = 0
        """How many members who wait ask for this, those who are held for their sticky agent too."""

    def ring_of(self, skills: Mapping[str, int]) -> int | None:
        """The first ring that an agent of these skills fits, None where he fits none."""
        for number, ring in enumerate(self.rings):
            if fits(skills, ring.skills):
                return number
        return None

    def stage_at(self, waited_ms: int) -> int:
        """The stage of a member who has waited so long."""
        return max(bisect_right(self.times, waited_ms) - 1, 0)

    def first_stage(self, ring: int, rank: int) -> int:
        """The first stage that is open to an agent of this ring and of the level of this rank."""
        for number, (open_ring, open_rank) in enumerate(self.stages):
            if open_ring >= ring and open_rank >= rank:
                return number
        return len(self.stages)
