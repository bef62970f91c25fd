"""The lines of all skill groups: who waits in which, and which agents at work fit. Pure: moments come with each call.

A group is the members of a queue who ask for the same. The owner of a pool keeps these by what it hears, and the
simulation by what happens in it, so that what is measured there is what callers are told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from engine.acd.demand import DemandKey, demand_key
from engine.acd.floor import ON_HIS_WAY
from engine.acd.ordering import fits
from engine.acd.wait import ExpectedWait, GroupWaits, Learnt
from engine.domain.acd import AgentSnapshot, Member, Ring

GROUPS_KEPT = 32
"""So many groups of a queue stay in mind, more only where members wait in them."""
LEAST_LEARNT = 0.5
"""A group of which fewer members were taken (those of long ago count less) is not worth handing on."""
PLAIN = (Ring(0, {}),)
"""What somebody asks for who will speak with anybody."""


_Skills: TypeAlias = dict[str, int]


@dataclass(frozen=True, slots=True)
class KnownLine:
    """What an owner learnt of a group's line, for the one after it."""

    queue: str
    rings: tuple[Ring, ...]
    learnt: Learnt


@dataclass(slots=True, eq=False)
class _Group:
    rings: tuple[Ring, ...]
    line: GroupWaits
    agents: int = 0
    """At work, and fit one of the rings."""
    since_ms: dict[str, int] = field(default_factory=dict)
    """By member in the line: when he joined the queue."""

    def fits(self, skills: _Skills | None) -> bool:
        return skills is not None and any(fits(skills, ring.skills) for ring in self.rings)


class Lines:
    """Reported to as `wait.GroupWaits` wants it; whoever is not in a line may be reported gone all the same."""

    def __init__(self, at_ms: int, known: Iterable[KnownLine] = ()) -> None:
        self._groups: defaultdict[str, dict[DemandKey, _Group]] = defaultdict(dict)
        """By queue, those used last at the end."""
        self._of: dict[str, _Group] = {}
        """By member."""
        self._at_work: dict[str, tuple[frozenset[str], _Skills]] = {}
        """Queues and skills, by agent."""
        self._staff: defaultdict[str, set[str]] = defaultdict(set)
        """Agents at work, by queue."""
        for each in known:
            self._group(each.queue, each.rings, at_ms, each.learnt)

    def set_agent(self, agent: AgentSnapshot, at_ms: int) -> None:
        """What an agent is doing now."""
        is_there = agent.state in ON_HIS_WAY and agent.reachable
        before, had = self._at_work.get(agent.id, (frozenset[str](), None))
        queues, skills = (agent.tiers.keys(), dict(agent.skills)) if is_there else (frozenset(), None)
        if queues == before and skills == had:
            return
        for queue in before | queues:
            has = skills if queue in queues else None
            self._count(queue, had if queue in before else None, has, at_ms)
            (self._staff[queue].discard if has is None else self._staff[queue].add)(agent.id)
        self._at_work.pop(agent.id, None)
        if skills is not None:
            self._at_work[agent.id] = frozenset(queues), skills

    def _count(self, queue: str, before: _Skills | None, after: _Skills | None, at_ms: int) -> None:
        for group in self._groups.get(queue, {}).values():
            change = group.fits(after) - group.fits(before)
            if change:
                group.agents += change
                group.line.staffed(group.agents, at_ms)

    def joined(self, member: Member, at_ms: int) -> None:
        """He found nobody free, or nobody took the offer. Nothing happens where he is in the line already."""
        if member.id in self._of:
            return
        group = self._group(member.queue, member.rings, at_ms)
        group.since_ms[member.id] = member.joined_ms
        group.line.joined(at_ms)
        self._of[member.id] = group

    def taken(self, member_id: str, at_ms: int) -> None:
        """He is offered to an agent."""
        group = self._out(member_id)
        if group:
            group.line.taken(at_ms)

    def left(self, member_id: str, gave_up: bool, at_ms: int) -> None:
        """He hung up (`gave_up`), or went another way."""
        group = self._out(member_id)
        if group:
            (group.line.gave_up if gave_up else group.line.left)(at_ms)

    def _out(self, member_id: str) -> _Group | None:
        group = self._of.pop(member_id, None)
        if group:
            del group.since_ms[member_id]
        return group

    def drop_queue(self, queue: str) -> None:
        """There is no such queue any more."""
        for group in self._groups.pop(queue, {}).values():
            for member in group.since_ms:
                del self._of[member]

    def _group(self, queue: str, rings: tuple[Ring, ...], at_ms: int, learnt: Learnt | None = None) -> _Group:
        groups, key = self._groups[queue], demand_key(rings)
        group = groups.pop(key, None)
        if group is None:
            unused = [each for each, there in groups.items() if not there.since_ms]
            for each in unused[: max(len(groups) - GROUPS_KEPT + 1, 0)]:
                del groups[each]
            group = _Group(rings, GroupWaits(at_ms, learnt=learnt))
            group.agents = sum(group.fits(self._at_work[agent][1]) for agent in self._staff[queue])
            group.line.staffed(group.agents, at_ms)
        groups[key] = group
        return group

    # What is expected

    def along(self, order: Iterable[str], at_ms: int) -> dict[str, ExpectedWait | None]:
        """The waits from now on of a queue's members, given in their order; of those alone who are in a line."""
        walks: dict[_Group, Iterator[ExpectedWait | None]] = {}
        waits = {}
        for member in order:
            group = self._of.get(member)
            if group is None:
                continue
            if group not in walks:
                walks[group] = group.line.along(at_ms, at_ms - group.since_ms[member])
            waits[member] = next(walks[group], None)
        return waits

    def behind(self, order: Iterable[str], queue: str, rings: tuple[Ring, ...], at_ms: int) -> ExpectedWait | None:
        """The wait of somebody who joins behind these members, asks for this, and finds nobody free."""
        group = self._group(queue, rings, at_ms)
        ahead = [member for member in order if self._of.get(member) is group]
        head_waited_ms = at_ms - group.since_ms[ahead[0]] if ahead else 0
        return group.line.expected(len(ahead), at_ms, head_waited_ms)

    def usual(self, queue: str) -> tuple[Ring, ...]:
        """What a caller of this queue asks for: nothing, or where too little is known of such callers, what most of
        those asked for who were taken lately.
        """
        groups = self._groups.get(queue, {})
        plain = groups.get(demand_key(PLAIN))
        if not groups or (plain and plain.line.pace_is_known):
            return PLAIN
        return max(groups.values(), key=lambda group: group.line.taken_lately).rings

    def known(self, at_ms: int) -> tuple[KnownLine, ...]:
        """What was learnt, for the next owner."""
        found = (
            KnownLine(queue, group.rings, group.line.learnt(at_ms))
            for queue, groups in self._groups.items()
            for group in groups.values()
        )
        return tuple(each for each in found if each.learnt.taken >= LEAST_LEARNT)
