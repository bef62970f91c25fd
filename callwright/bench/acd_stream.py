"""A contact centre at work, for `callwright bench acd`: so many agents, members and queues, and event after event.

The same seed gives the same events. Half of the queues are busy: members wait there, and every agent who comes free is
asked at once. The others are quiet: agents wait there, and every caller is offered at once. An agent works in one to
five queues of his kind; demands, skills, levels, priorities and strategies are mixed, and some queues are much larger.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from random import Random
from typing import TypeAlias

from engine.acd.matcher import Matcher
from engine.domain.acd import AgentSnapshot, AgentState, Member, Offer, QueueRules, Ring, Strategy, Tier

BEGINS_MS = 1_800_000_000_000
AGENTS_A_QUEUE = 20
AGENTS_A_MEMBER = 2
CALL_S = 180
WAIT_S = 120
BUSY_SHARE = 0.7
"""Of the agents, who work in the busy queues."""
UNANSWERED = 0.05
"""Of the offers."""
SKILLS = ("cs", "en", "tech")
DEMANDS: tuple[tuple[Ring, ...], ...] = (
    (Ring(0, {}),),
    (Ring(0, {"cs": 5}), Ring(30_000, {"cs": 3}), Ring(60_000, {})),
    (Ring(0, {"en": 6, "tech": 4}), Ring(20_000, {"en": 5, "tech": 2}), Ring(60_000, {"en": 3})),
)
# An event of `ring_all` costs as much as it rings agents; it would say nothing of the matcher.
STRATEGIES = tuple(strategy for strategy in Strategy if strategy is not Strategy.RING_ALL)

Event: TypeAlias = Callable[[], list[Offer]]
"""What is reported to the matcher, and the decision after it."""
Events: TypeAlias = Generator[Event, list[Offer], None]


class Stream:
    """The centre. `events` go on for ever, and keep the numbers of those who wait and who talk where they are."""

    def __init__(self, agents: int, seed: int) -> None:
        self.agents = agents
        self.members = max(agents // AGENTS_A_MEMBER, 1)
        self.queues = max(agents // AGENTS_A_QUEUE, 2)
        self.matcher = Matcher()
        self._random = Random(seed)
        self._at_ms = float(BEGINS_MS)
        names = [f"queue-{number}" for number in range(self.queues)]
        self._busy, self._quiet = names[: self.queues // 2], names[self.queues // 2 :]
        self._snapshots: dict[str, AgentSnapshot] = {}
        self._talking: dict[bool, list[str]] = {True: [], False: []}
        """Agents on a call, those of the busy queues and those of the quiet ones."""
        self._callers = 0
        self._in_busy: list[str] = []
        self._fill(names)

    @property
    def now_ms(self) -> int:
        return int(self._at_ms)

    def events(self) -> Events:
        """Events one by one; each is sent the offers that it brought."""
        while True:
            self._at_ms += CALL_S * 1000 / (4 * self.agents)
            match self._random.choices(("freed", "caller", "gone"), (6, 3, 1))[0]:
                case "freed" if self._talking[True]:
                    yield from self._happens(self._frees(True))
                case "gone" if self._in_busy:
                    yield from self._happens(self._gone())
                case _:
                    yield from self._happens(self._joins(self._quiet))
                    if self._talking[False]:
                        yield from self._happens(self._frees(False))
            while len(self._in_busy) < self.members:
                yield from self._happens(self._joins(self._busy))

    def _fill(self, names: list[str]) -> None:
        for number, name in enumerate(names):
            weight = self._random.choice((1.0, 1.0, 2.0))
            strategy = STRATEGIES[number % len(STRATEGIES)]
            self.matcher.set_rules(QueueRules(id=name, strategy=strategy, weight=weight))
        for number in range(self.agents):
            busy = number < self.agents * BUSY_SHARE
            self._snapshots[f"agent-{number}"] = agent = self._agent(f"agent-{number}", busy)
            if busy:
                self._talking[True].append(agent.id)
            self.matcher.set_agent(agent)
        for _ in range(self.members):
            waited_ms = int(self._random.random() * WAIT_S * 1000)
            self.matcher.join(self._member(self._busy, waited_ms), self.now_ms)
        self.matcher.decide(self.now_ms)

    def _agent(self, name: str, busy: bool) -> AgentSnapshot:
        random = self._random
        queues = {self._some_queue(self._busy if busy else self._quiet) for _ in range(random.randint(1, 5))}
        return AgentSnapshot(
            id=name,
            state=AgentState.ON_CALL if busy else AgentState.READY,
            since_ms=self.now_ms,
            ready_since_ms=0 if busy else self.now_ms - random.randrange(60_000),
            tiers={queue: Tier(random.choice((1, 1, 1, 2)), random.randint(1, 3)) for queue in sorted(queues)},
            skills={skill: random.randint(1, 10) for skill in SKILLS if random.random() < 0.7},
            calls=random.randrange(50),
            talk_ms=random.randrange(10_000_000),
            busy_ms=random.randrange(10_000_000),
            present_ms=20_000_000,
        )

    def _member(self, queues: list[str], waited_ms: int = 0) -> Member:
        self._callers += 1
        name = f"caller-{self._callers}"
        if queues is self._busy:
            self._in_busy.append(name)
        return Member(
            id=name,
            queue=self._some_queue(queues),
            joined_ms=self.now_ms - waited_ms,
            priority=self._random.choice((0, 0, 0, 5)),
            rings=self._random.choice(DEMANDS),
        )

    def _some_queue(self, queues: list[str]) -> str:
        """The first ones more often: the first tenth of the queues gets three tenths of everything."""
        return queues[int(len(queues) * self._random.random() ** 2)]

    def _happens(self, event: Event) -> Events:
        """The event, and what becomes of the offers that it brought."""
        for offer in (yield event):
            agent = offer.agents[0]
            if self._random.random() < UNANSWERED:
                yield from self._happens(self._unanswered(offer, agent))
                yield from self._happens(self._returns(agent))
            else:
                yield from self._happens(self._answers(offer, agent))

    def _frees(self, busy: bool) -> Event:
        talking = self._talking[busy]
        at = self._random.randrange(len(talking))
        talking[at], talking[-1] = talking[-1], talking[at]
        return self._returns(talking.pop())

    def _returns(self, name: str) -> Event:
        snapshot = self._becomes(name, AgentState.READY, ready_since_ms=self.now_ms)

        def event() -> list[Offer]:
            self.matcher.set_agent(snapshot)
            return self.matcher.decide(self.now_ms)

        return event

    def _joins(self, queues: list[str]) -> Event:
        member = self._member(queues)

        def event() -> list[Offer]:
            self.matcher.join(member, self.now_ms)
            return self.matcher.decide(self.now_ms)

        return event

    def _gone(self) -> Event:
        at = self._random.randrange(len(self._in_busy))
        self._in_busy[at], self._in_busy[-1] = self._in_busy[-1], self._in_busy[at]
        name = self._in_busy.pop()

        def event() -> list[Offer]:
            self.matcher.leave(name)
            return self.matcher.decide(self.now_ms)

        return event

    def _answers(self, offer: Offer, name: str) -> Event:
        calls = self._snapshots[name].calls + 1
        snapshot = self._becomes(name, AgentState.ON_CALL, ready_since_ms=0, calls=calls)
        self._talking[offer.queue in self._busy].append(name)
        if offer.member in self._in_busy:
            self._in_busy.remove(offer.member)

        def event() -> list[Offer]:
            self.matcher.leave(offer.member)
            self.matcher.set_agent(snapshot)
            return self.matcher.decide(self.now_ms)

        return event

    def _unanswered(self, offer: Offer, name: str) -> Event:
        snapshot = self._becomes(name, AgentState.BREAK, ready_since_ms=0)
        return lambda: self._put_back(offer, snapshot)

    def _put_back(self, offer: Offer, agent: AgentSnapshot) -> list[Offer]:
        self.matcher.set_agent(agent)
        member = self.matcher.leave(offer.member)
        if member is not None:
            back = replace(member, refused_by={**member.refused_by, agent.id: self.now_ms + 10_000})
            self.matcher.put_back(back, self.now_ms)
        return self.matcher.decide(self.now_ms)

    def _becomes(self, name: str, state: AgentState, **others: int) -> AgentSnapshot:
        snapshot = replace(self._snapshots[name], state=state, since_ms=self.now_ms, **others)  # type: ignore[arg-type]
        self._snapshots[name] = snapshot
        return snapshot
