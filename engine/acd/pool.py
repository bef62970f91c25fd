"""A pool of queues as its owner sees it: news go in, what is to be done comes out. Pure: no clock, no shared state.

Built from what is stored (`PoolState`), kept by the news since. Whoever misses one (`lost`) throws the pool away and
builds another: nothing here is true only here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from engine.acd.actions import Action, Dismiss, Release, Reserve, Tell
from engine.acd.agent import Agent
from engine.acd.board import Board
from engine.acd.explain import with_absent
from engine.acd.faults import BadMember
from engine.acd.lines import Lines
from engine.acd.matcher import Matcher
from engine.acd.news import (
    MOST_PASSED,
    Became,
    Explanation,
    MemberNews,
    News,
    Place,
    Stop,
)
from engine.acd.staff import Staff
from engine.acd.store import OpenOffer, PoolState
from engine.domain.acd import Member, Offer
from engine.domain.routing import OverflowReason, QueueEntry

IsOpen = Callable[[QueueEntry, int], bool]
"""Whether a queue's calendar has it open at a moment (ms)."""

EMPTY_FOR_MS = 5_000
"""A queue has nobody logged in when that has lasted so long: after a loss of all data agents come back one by one, and
the last one may only be changing his phone."""
ANSWERED_WITHIN_MS = 30_000
"""An offer that is out for so much longer than it rings is nobody's: the engine that rang is gone. Covers setting the
leg up, the whispered queue name, and the bridge."""
STOPPED_WITHIN_MS = 5_000
"""The same for an offer whose member has left or is taken."""


@dataclass(slots=True)
class _Out:
    """An offer that is out: who was told, and when it is nobody's any more."""

    offer: Offer
    engine: str
    until_ms: int


class Pool:
    """All moments are epoch milliseconds of the shared clock."""

    def __init__(self, queues: Mapping[str, QueueEntry], is_open: IsOpen, state: PoolState, now_ms: int) -> None:
        self.lost = False
        """News are missing: the pool is not what it is believed to be."""
        self.place = state.place
        self._is_open = is_open
        self._queues: dict[str, QueueEntry] = {}
        self._matcher = Matcher()
        self._staff = Staff()
        self._members: dict[str, Member] = {}
        self._in: defaultdict[str, set[str]] = defaultdict(set)
        """Members by queue, those who are being offered too."""
        self._offered: dict[str, str] = {}
        """The number of the offer that is out, by member."""
        self._out: dict[str, _Out] = {}
        self._strays: dict[str, int] = {}
        """Members of a queue that is not known here, and since when."""
        self._empty_since: dict[str, int] = {}
        """Queues without anybody logged in."""
        self._timers: list[tuple[int, str, str]] = []
        self._actions: list[Action] = []
        self._lines = Lines(now_ms, state.lines)
        self._fresh: list[str] = []
        """Members who began to wait since the last decision."""
        self.board = Board(self._matcher, self._staff, self._lines, self._members, self._queues.keys(), self._in)
        """What is told each second."""
        for agent in state.agents:
            self._agent(agent, now_ms)
        self.set_queues(queues, now_ms)
        self._take_over(state, now_ms)

    def _take_over(self, state: PoolState, now_ms: int) -> None:
        offers = {each.number: each for each in state.offers}
        for member in sorted(state.members, key=_in_line):
            number = state.offered.get(member.id, "")
            if number in offers:
                self._put(member)
                self._resume(member, offers[number].offer, number, now_ms)
            else:
                self._admit(member, now_ms)
        for each in state.offers:
            self._watch(each, now_ms)

    def _resume(self, member: Member, offer: Offer, number: str, now_ms: int) -> None:
        self._offered[member.id] = number
        if member.queue in self._queues:
            self._matcher.resume(member, offer, now_ms)
        else:
            self._stray(member, now_ms)

    def _watch(self, open_offer: OpenOffer, now_ms: int) -> None:
        offer, number = open_offer.offer, open_offer.number
        until_ms = offer.at_ms + offer.ring_ms + ANSWERED_WITHIN_MS
        if self._offered.get(offer.member) != number:
            until_ms = now_ms + STOPPED_WITHIN_MS
            self._stop(open_offer.engine, number, offer.member)
        self._out[number] = _Out(offer, open_offer.engine, until_ms)
        self._remind(until_ms, "offer", number)

    # What is heard

    def set_queues(self, queues: Mapping[str, QueueEntry], now_ms: int) -> None:
        """The pool's queues as they are set up now. Who waits in one that is no more leaves it as closed."""
        for queue_id, entry in queues.items():
            if self._queues.get(queue_id) != entry:
                self._queues[queue_id] = entry
                # Who is let in is decided here, by the moment at which he joined.
                self._matcher.set_rules(entry.rules(is_open=True))
                self._look_at_staff(queue_id, now_ms)
        for queue_id in self._queues.keys() - queues.keys():
            del self._queues[queue_id]
            self._empty_since.pop(queue_id, None)
            self._lines.drop_queue(queue_id)
            for member in self._matcher.drop_queue(queue_id):
                self._stray(member, now_ms)
        for member_id in [each for each in self._strays if self._members[each].queue in queues]:
            del self._strays[member_id]
            if member_id not in self._offered:
                self._admit(self._members[member_id], now_ms)

    def hear(self, news: News) -> None:
        """What happened. Where some of it is missing, `lost` is set."""
        agents, members = self.place.agents, self.place.members
        for number, agent in news.agents:
            if number == agents + 1:
                agents = number
                self._agent(agent, news.at_ms)
            self.lost |= number > agents
        for each in news.members:
            if each.number == members + 1:
                members = each.number
                self._member(each, news.at_ms)
            self.lost |= each.number > members
        self.place = Place(agents, members)
        self.lost |= not news.more and (agents < news.last.agents or members < news.last.members)

    def _agent(self, agent: Agent, now_ms: int) -> None:
        before = self._staff.take(agent)
        if before is None:
            return
        snapshot = agent.snapshot()
        self._matcher.set_agent(snapshot)
        self._lines.set_agent(snapshot, now_ms)
        if before is agent or before.tiers.keys() != agent.tiers.keys() or before.state != agent.state:
            for queue in before.tiers.keys() | agent.tiers.keys():
                self._look_at_staff(queue, now_ms)

    def _look_at_staff(self, queue: str, now_ms: int) -> None:
        if self._staff.logged_in(queue) or queue not in self._queues:
            self._empty_since.pop(queue, None)
        elif queue not in self._empty_since:
            self._empty_since[queue] = now_ms
            self._remind(now_ms + EMPTY_FOR_MS, "queue", queue)

    def _member(self, news: MemberNews, now_ms: int) -> None:
        if self.lost:
            return
        known = self._members.get(news.id)
        if news.became is not Became.JOINED and self._is_stranger(news):
            # He left and joined again before an offer was made to who he had been.
            self.lost = True
            return
        match news.became:
            case Became.JOINED if news.member is not None:
                if known is None:
                    self._admit(news.member, now_ms)
                else:
                    self._moves_to(known, news.engine)
            case Became.BACK if known is not None:
                self._out.pop(news.offer, None)
                self._offered.pop(known.id, None)
                self._members[known.id] = replace(known, refused_by=news.refused_by or {})
                self._waits_again(self._members[known.id], now_ms)
            case Became.LEFT | Became.TAKEN:
                self._lines.left(news.id, news.gave_up, now_ms)
                self._forget(news.id, now_ms)
                if news.offer in self._out:
                    self._ends_soon(news, now_ms)

    def _is_stranger(self, news: MemberNews) -> bool:
        """Whether these news fit nobody who is known here, though somebody of that id is, or should be."""
        if news.id in self._members:
            return self._offered.get(news.id, "") != news.offer
        return news.became is Became.BACK

    def _moves_to(self, member: Member, engine: str) -> None:
        self._members[member.id] = replace(member, engine=engine)
        self.board.forget(member.id)
        number = self._offered.get(member.id)
        if number in self._out:
            self._out[number].engine = engine

    def _ends_soon(self, news: MemberNews, now_ms: int) -> None:
        out = self._out[news.offer]
        out.until_ms = min(out.until_ms, now_ms + STOPPED_WITHIN_MS)
        self._remind(out.until_ms, "offer", news.offer)
        if news.became is Became.LEFT:
            self._stop(out.engine, news.offer, news.id)

    # Members

    @property
    def members(self) -> Collection[str]:
        """Who waits, those who are being offered too."""
        return self._members.keys()

    def _admit(self, member: Member, now_ms: int) -> None:
        """A member begins to wait, or is turned away. One whom the pool's last owner let in is not judged otherwise."""
        self._put(member)
        if member.queue not in self._queues:
            self._stray(member, now_ms)
            return
        reason = self._not_let_in(member) or self._must_leave(member, now_ms)
        if reason:
            self._dismiss(member, reason, now_ms)
            return
        self._waits(member, now_ms)

    def _not_let_in(self, member: Member) -> OverflowReason | None:
        """By what was so when he joined, so that whoever decides later decides the same."""
        entry = self._queues[member.queue]
        if not self._is_open(entry, member.joined_ms):
            return OverflowReason.CLOSED
        there = self._in[member.queue]
        if entry.max_waiting is None or len(there) <= entry.max_waiting:
            return None
        ahead = sum(_in_line(self._members[each]) < _in_line(member) for each in there)
        return OverflowReason.FULL if ahead >= entry.max_waiting else None

    def _must_leave(self, member: Member, now_ms: int) -> OverflowReason | None:
        if member.wait_until_ms and now_ms >= member.wait_until_ms:
            return OverflowReason.TIMEOUT
        empty_since_ms = self._empty_since.get(member.queue)
        if empty_since_ms is not None and now_ms >= empty_since_ms + EMPTY_FOR_MS:
            return OverflowReason.NO_AGENTS
        stray_since_ms = self._strays.get(member.id)
        if stray_since_ms is not None and now_ms >= stray_since_ms + EMPTY_FOR_MS:
            return OverflowReason.CLOSED
        return None

    def _waits(self, member: Member, now_ms: int) -> None:
        try:
            self._matcher.put_back(member, now_ms)
        except BadMember:
            # No order can hold him; his flow goes on as if the queue were not there.
            self._dismiss(member, OverflowReason.CLOSED, now_ms)
            return
        self._fresh.append(member.id)
        if member.wait_until_ms:
            self._remind(member.wait_until_ms, "member", member.id)

    def _waits_again(self, member: Member, now_ms: int) -> None:
        """Nobody took the offer. What would have ended his waiting meanwhile ends it after the next decision."""
        if member.queue not in self._queues:
            self._stray(member, now_ms)
            return
        self._waits(member, now_ms)
        self._remind(now_ms, "member", member.id)

    def _put(self, member: Member) -> None:
        self._members[member.id] = member
        self._in[member.queue].add(member.id)

    def _stray(self, member: Member, now_ms: int) -> None:
        since_ms = self._strays.setdefault(member.id, now_ms)
        self._remind(since_ms + EMPTY_FOR_MS, "member", member.id)

    def _forget(self, member_id: str, now_ms: int) -> None:
        member = self._members.pop(member_id, None)
        if member is None:
            return
        self._matcher.leave(member_id)
        self._lines.left(member_id, False, now_ms)
        self._in[member.queue].discard(member_id)
        self._offered.pop(member_id, None)
        self._strays.pop(member_id, None)
        self.board.forget(member_id)

    def _dismiss(self, member: Member, reason: OverflowReason, now_ms: int) -> None:
        self._forget(member.id, now_ms)
        self._actions.append(Dismiss(member.id, reason, Explanation(at_ms=now_ms, leave=reason)))

    # What is to be done

    def decide(self, now_ms: int) -> list[Action]:
        """All that is due, to be done in this order. What became of each reservation is reported before the next
        decision; an offer comes before the end of the same member's waiting.
        """
        offers = [self._reserve(offer, now_ms) for offer in self._matcher.decide(now_ms)]
        self._line_up(now_ms)
        while self._timers and self._timers[0][0] <= now_ms:
            _, kind, subject = heappop(self._timers)
            if kind == "offer":
                self._release(subject, now_ms)
            elif kind == "queue":
                for member in sorted(self._in[subject]):
                    self._look_at(member, now_ms)
            else:
                self._look_at(subject, now_ms)
        actions, self._actions = self._actions, []
        return [*offers, *actions]

    def _line_up(self, now_ms: int) -> None:
        """Who began to wait and found nobody free is in a line from now on."""
        for member_id in self._fresh:
            if self._matcher.is_waiting(member_id):
                self._lines.joined(self._members[member_id], now_ms)
        self._fresh.clear()

    def next_wake_ms(self) -> int | None:
        """When time alone may bring something, as of the last decision."""
        moments = [self._matcher.next_wake_ms(), self._timers[0][0] if self._timers else None]
        return min((each for each in moments if each is not None), default=None)

    def reserved(self, number: str, offer: Offer, agents: Sequence[Agent], now_ms: int) -> None:
        """The offer is out."""
        self._offered[offer.member] = number
        self._lines.taken(offer.member, now_ms)
        for agent in agents:
            self._agent(agent, now_ms)
        self._watch(
            OpenOffer(number, offer, frozenset(offer.agents), engine=self._members[offer.member].engine), now_ms
        )

    def outdated(self, offer: Offer, agents: Sequence[Agent], now_ms: int) -> None:
        """The offer was not made: some of its agents are like this by now. None of them is there: `lost` is set."""
        if not agents:
            self.lost = True
        for agent in agents:
            self._agent(agent, now_ms)
        self._free(offer)
        self._waits_again(self._members[offer.member], now_ms)

    def gone(self, offer: Offer, now_ms: int) -> None:
        """The offer was not made: its member left, of which news will come."""
        self._forget(offer.member, now_ms)
        self._free(offer)

    def _free(self, offer: Offer) -> None:
        for agent in offer.agents:
            self._matcher.set_agent(self._staff[agent].snapshot())

    def _reserve(self, offer: Offer, now_ms: int) -> Reserve:
        absent = self._staff.absent(offer.queue)
        passed = self._matcher.explain(offer.member, now_ms, MOST_PASSED)
        passed = with_absent(passed, offer.queue, absent, MOST_PASSED)
        others = max(self._staff.logged_in(offer.queue) + len(absent) - len(offer.agents) - len(passed), 0)
        why = Explanation(at_ms=now_ms, offer=offer, passed=tuple(passed), more=others)
        return Reserve(offer, tuple(self._staff[agent] for agent in offer.agents), why)

    def _look_at(self, member_id: str, now_ms: int) -> None:
        """Ends his waiting where that is due. An offer that is out for him is waited for."""
        member = self._members.get(member_id)
        if member is None or member_id in self._offered or self._matcher.offer_of(member_id) is not None:
            return
        reason = self._must_leave(member, now_ms)
        if reason:
            self._dismiss(member, reason, now_ms)

    def _release(self, number: str, now_ms: int) -> None:
        out = self._out.get(number)
        if out is None or now_ms < out.until_ms:
            return
        del self._out[number]
        held = [agent for agent in out.offer.agents if self._staff.holds(agent, number)]
        if held:
            self._stop(out.engine, number, out.offer.member)
        self._actions += [Release(agent, number) for agent in held]

    def _stop(self, engine: str, number: str, member: str) -> None:
        if engine:
            self._actions.append(Tell(engine, Stop(number, member)))

    def _remind(self, at_ms: int, kind: str, subject: str) -> None:
        heappush(self._timers, (at_ms, kind, subject))


def _in_line(member: Member) -> tuple[int, str]:
    return member.joined_ms, member.id
