"""Random events: the matcher offers what the naive reference offers, at the moments at which it does."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.acd.faults import QueueClosed
from engine.acd.matcher import Matcher
from engine.domain.acd import AgentSnapshot, AgentState, Member, QueueRules, Ring, Strategy, Tier
from tests.unit.acd.people import NOW, pairs
from tests.unit.acd.reference import Reference

QUEUES = ("q1", "q2")
AGENTS = ("a1", "a2", "a3", "a4", "a5")
MEMBERS = tuple(f"m{number}" for number in range(10))
SPANS = (0, 1, 1000, 4999, 5000, 9999, 10_000, 15_000, 30_000)


class Events:
    """Random events. Few different values, so that there are ties and that moments fall together."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def some(self) -> tuple[Any, ...]:
        match self._one(
            "agent", "agent", "agent", "join", "join", "join", "leave", "leave", "back", "wait", "wake", "rare"
        ):
            case "agent":
                return "agent", self.agent(self._one(*AGENTS))
            case "join":
                return "join", self._member()
            case "leave":
                return "leave", self._one(*MEMBERS)
            case "back":
                return "back", self._one(*MEMBERS), self._one(*AGENTS), self._one(*SPANS)
            case "wait":
                return "wait", self._one(*SPANS)
            case "wake":
                return ("wake",)
        if self._one(*[False] * 9, True):
            return "drop_queue", self._one(*QUEUES)
        rare: tuple[Any, ...] = self._one(
            ("drop_agent", self._one(*AGENTS)), *[("rules", self.rules(self._one(*QUEUES)))] * 4
        )
        return rare

    def rules(self, queue: str) -> QueueRules:
        return QueueRules(
            id=queue,
            strategy=self._one(*Strategy),
            weight=self._one(0.5, 1.0, 4.0),
            ageing_per_min=self._one(0.0, 1.0, 2.0),
            tier_wait_ms=self._one(0, 5000, 10_000),
            open=self._one(*[True] * 9, False),
        )

    def agent(self, name: str) -> AgentSnapshot:
        return AgentSnapshot(
            id=name,
            # more often ready than not, or hardly anything would ever be offered
            state=self._one(*AgentState, *[AgentState.READY] * 6),
            reachable=self._one(True, True, True, True, False),
            since_ms=NOW,
            tiers={queue: Tier(self._small() + 1, self._small()) for queue in QUEUES if self._one(True, True, False)},
            skills={skill: self._one(1, 2, 3) for skill in ("cs", "en") if self._one(True, True, False)},
            ready_since_ms=NOW - self._small(),
            last_offer_ms=self._small(),
            calls=self._small(),
            talk_ms=self._small(),
            busy_ms=self._small(),
            present_ms=self._small() * 4,
        )

    def _member(self) -> dict[str, Any]:
        """What a member is made of; moments as spans from now."""
        return {
            "id": self._one(*MEMBERS),
            "queue": self._one(*QUEUES),
            "waited": self._one(*SPANS),
            "priority": self._one(0.0, 0.5, 1.0, 10.0),
            "rings": self._rings(),
            "sticky_agent": self._one(None, None, *AGENTS),
            "sticky": self._one(*SPANS),
            "refused": {self._one(*AGENTS): self._one(*SPANS) for _ in range(self._small())},
        }

    def _rings(self) -> tuple[Ring, ...]:
        demanded = {skill: self._one(1, 2, 3) for skill in ("cs", "en") if self._one(True, False)}
        made = [Ring(0, demanded)]
        for after_ms in (5000, 10_000, 30_000):
            if self._one(True, False):
                demanded = {name: level - 1 for name, level in demanded.items() if level > 1}
                made.append(Ring(after_ms, demanded))
        return tuple(made)

    def _small(self) -> int:
        return self._random.randrange(3)

    def _one(self, *possible: Any) -> Any:
        return possible[self._random.randrange(len(possible))]


class Both:
    """The matcher and the reference, given the same events."""

    def __init__(self) -> None:
        self.now = NOW
        self.matcher, self.reference = Matcher(), Reference()
        self.offers = 0

    def happen(self, event: tuple[Any, ...]) -> None:
        getattr(self, f"_{event[0]}")(*event[1:])

    def _rules(self, new: QueueRules) -> None:
        self.matcher.set_rules(new)
        self.reference.rules[new.id] = new

    def _agent(self, new: AgentSnapshot) -> None:
        self.matcher.set_agent(new)
        self.reference.agents[new.id] = new
        self.reference.reserved.discard(new.id)

    def _join(self, of: dict[str, Any]) -> None:
        known = of["id"] in self.reference.waiting or of["id"] in self.reference.offered
        queue = self.reference.rules.get(of["queue"])
        if known or queue is None:
            return
        new = Member(
            id=of["id"],
            queue=of["queue"],
            joined_ms=self.now - of["waited"],
            priority=of["priority"],
            rings=of["rings"],
            sticky_agent=of["sticky_agent"],
            sticky_until_ms=self.now + of["sticky"],
            refused_by={name: self.now + span for name, span in of["refused"].items()},
        )
        if not queue.open:
            with pytest.raises(QueueClosed):
                self.matcher.join(new, self.now)
            return
        self.matcher.join(new, self.now)
        self.reference.waiting[new.id] = new

    def _leave(self, name: str) -> None:
        left = self.matcher.leave(name)
        waited, offered = self.reference.waiting.pop(name, None), self.reference.offered.pop(name, None)
        assert left == (waited or offered)

    def _back(self, name: str, refused_by: str, refused_ms: int) -> None:
        offered = self.reference.offered.pop(name, None)
        if offered is not None:
            refused = {**offered.refused_by, refused_by: self.now + refused_ms}
            back = replace(offered, refused_by=refused)
            self.matcher.put_back(back, self.now)
            self.reference.waiting[name] = back

    def _drop_agent(self, name: str) -> None:
        self.matcher.drop_agent(name)
        self.reference.agents.pop(name, None)
        self.reference.reserved.discard(name)

    def _drop_queue(self, name: str) -> None:
        gone = self.matcher.drop_queue(name)
        self.reference.rules.pop(name, None)
        for there in (self.reference.waiting, self.reference.offered):
            for each in [each for each in there.values() if each.queue == name]:
                assert each in gone
                gone.remove(each)
                del there[each.id]
        assert not gone

    def _wait(self, span_ms: int) -> None:
        self.now += span_ms

    def _wake(self) -> None:
        """Nothing happens until the moment that the matcher named."""
        wake_ms = self.matcher.next_wake_ms()
        if wake_ms is not None and wake_ms > self.now:
            self.now = wake_ms

    def decide(self) -> None:
        free_before = {name for name in self.reference.agents if name not in self.reference.reserved}
        offers = self.matcher.decide(self.now)
        assert pairs(offers) == self.reference.decide(self.now)
        self.offers += len(offers)
        asked = [name for offer in offers for name in offer.agents]
        assert len(asked) == len(set(asked)), "an agent in two offers"
        assert set(asked) <= free_before, "an agent who was being offered somebody"
        assert self.reference.best(self.now) is None, "somebody waits beside an agent who fits"
        wake_ms = self.matcher.next_wake_ms()
        assert wake_ms is None or wake_ms > self.now
        for later_ms in [wake_ms - 1] if wake_ms is not None else [self.now + 100_000]:
            assert self.reference.best(later_ms) is None, "time brings an offer before the wake"

    def check_members(self) -> None:
        """Nobody is lost, places are by worth, and everybody who was not chosen is told why."""
        for queue in self.reference.rules:
            waiting = self.matcher.waiting(queue)
            there = [each for each in self.reference.waiting.values() if each.queue == queue]
            assert sorted(each.id for each in waiting) == sorted(each.id for each in there)
            offered = [each for each in self.reference.offered.values() if each.queue == queue]
            order = sorted(
                there + offered, key=lambda each: (-self.reference.worth(each, self.now), each.joined_ms, each.id)
            )
            assert [self.matcher.position(each.id) for each in order] == list(range(1, len(order) + 1))
            assert waiting == [each for each in order if each in there]
            for each in order:
                self._check_reasons(each)

    def _check_reasons(self, of: Member) -> None:
        told = [reason.agent for reason in self.matcher.explain(of.id, self.now)]
        offer = self.matcher.offer_of(of.id)
        assert (offer is not None) is (of.id in self.reference.offered)
        chosen = set(offer.agents) if offer else set()
        # after a decision nobody is left who would be chosen at the next one: everybody has a reason
        named = {each.id for each in self.reference.agents.values() if of.queue in each.tiers}
        if of.sticky_agent in self.reference.agents:
            named.add(of.sticky_agent)
        assert told == sorted(named - chosen)


def run(random: Random, batches: int) -> int:
    """So many decisions after one to three events each. How many offers there were."""
    events, both = Events(random), Both()
    for queue in QUEUES:
        both.happen(("rules", events.rules(queue)))
    for name in AGENTS:
        both.happen(("agent", events.agent(name)))
    for _ in range(batches):
        for _ in range(random.randrange(3) + 1):
            both.happen(events.some())
        both.decide()
        both.check_members()
    return both.offers


@pytest.mark.req("R1", "R2", "R5", "R8")
@settings(max_examples=100, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 30))
def test_the_matcher_offers_what_the_naive_reference_offers(random: Random, batches: int) -> None:
    run(random, batches)


@pytest.mark.parametrize("seed", range(8))
def test_it_does_so_over_long_runs(seed: int) -> None:
    assert run(Random(seed), 2000) > 200
