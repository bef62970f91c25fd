"""Journals of calls through queues as the engine writes them, each with the record that must come of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from engine.domain.call import CallFacts, CallResult, HungUpBy, JsonObject, QueueOutcome, QueueVisit
from engine.domain.journal import (
    Attached,
    Ended,
    Entry,
    Event,
    InstructionGiven,
    LegEvent,
    QueueEvent,
    ResultCame,
    Started,
)

FACTS = CallFacts(
    call_id="c1", did="+420221111000", did_raw="221111000", ani="+420601234567", ani_raw="601234567", anonymous=False,
    caller_name="Jan", route="+420221111000", flow="main", flow_version="v1", language="cs", country="CZ", record=True,
    snapshot=7, switch="lab", sip_call_id="x@y", started_ms=1000,
)  # fmt: skip


@dataclass
class Story:
    """A call as it goes on. Each step takes `ms` milliseconds; `visits` are those that are over."""

    now_ms: int = 1000
    entries: list[Entry] = field(default_factory=list)
    visits: list[QueueVisit] = field(default_factory=list)
    talked: bool = False
    steps: int = 0
    rung: int = 0

    def __post_init__(self) -> None:
        self.add(Started(FACTS))
        self.add(Attached("e1", 1))

    def add(self, event: Event, ms: int = 0) -> int:
        """The moment at which it stands in the journal."""
        self.now_ms += ms
        self.entries.append(Entry(len(self.entries) + 1, self.now_ms, event))
        return self.now_ms

    def give(self, instruction: JsonObject, ms: int = 0) -> int:
        self.steps += 1
        return self.add(InstructionGiven(self.steps - 1, instruction), ms)

    def result(self, result: JsonObject, ms: int = 0) -> int:
        return self.add(ResultCame(self.steps - 1, result, self.now_ms + ms - 1000), ms)

    def visit(self, queue: str, ms: int = 0) -> Stay:
        return Stay(self, queue, self.give({"op": "enqueue", "queue": queue}, ms))

    def end(self, by: str = "caller", ms: int = 0) -> list[Entry]:
        self.add(Ended("NORMAL_CLEARING", by), ms)  # type: ignore[arg-type]
        return self.entries


@dataclass
class Stay:
    """A visit that goes on. `ringing`: the legs that ring, with their agents, and since when."""

    story: Story
    queue: str
    joined_ms: int
    offers: int = 0
    ringing: dict[str, tuple[str, int]] = field(default_factory=dict)

    def join(self, ms: int = 0, told_before_ms: int = 0) -> None:
        """`told_before_ms`: so much before the entry is written it had happened, by the shared clock."""
        given_ms = self.joined_ms
        joined_ms = self.story.now_ms + ms - told_before_ms
        self.story.add(QueueEvent("joined", self.queue, happened_ms=joined_ms), ms)
        self.joined_ms = max(given_ms, min(joined_ms, self.story.now_ms))

    def offer(self, *agents: str, ms: int = 0) -> list[str]:
        """The legs that ring."""
        self.story.add(QueueEvent("offered", self.queue, str(self.offers), agents), ms)
        for agent in agents:
            self.story.rung += 1
            leg = f"leg{self.story.rung}"
            self.ringing[leg] = (agent, self.story.add(LegEvent(leg, "offered", agent, "agent")))
        self.offers += len(agents)
        return list(self.ringing)

    def stop(self, leg: str, cause: str, ms: int = 0) -> None:
        agent, _ = self.ringing.pop(leg)
        self.story.add(LegEvent(leg, "ended", agent, "agent", cause), ms)

    def talk(self, leg: str, ms: int, talk_ms: int, *, agent_ends: bool, bridge_ms: int = 0) -> None:
        """The leg's agent accepts after `ms`; the caller hears him `bridge_ms` later."""
        story, (agent, rung_ms) = self.story, self.ringing.pop(leg)
        story.add(LegEvent(leg, "answered", agent, "agent"), ms)
        ring_ms = story.add(QueueEvent("accepted", self.queue, "1", (agent,))) - rung_ms
        for other in list(self.ringing):
            self.stop(other, "LOSE_RACE")
        bridged_ms = story.add(LegEvent(leg, "bridged", agent, "agent"), bridge_ms)
        if agent_ends:
            story.add(Attached("e1", 1), talk_ms)
            story.add(LegEvent(leg, "unbridged", agent, "agent", "NORMAL_CLEARING"))
        story.add(LegEvent(leg, "ended", agent, "agent", "NORMAL_CLEARING"), 0 if agent_ends else talk_ms)
        if agent_ends:
            story.result({"kind": "conversation", "ended_by": "agent", "talk_ms": talk_ms})
        story.talked = True
        self._over(bridged_ms, QueueOutcome.ANSWERED, agent=agent, ring_ms=ring_ms, talk_ms=talk_ms)

    def leave(self, why: str, ms: int, key: str | None = None) -> None:
        """The queue lets him go."""
        left_ms = self.story.result({"kind": "queue_left", "why": why, "key": key, "waited_ms": 0}, ms)
        self._over(left_ms, QueueOutcome(why), key=key)

    def refuse(self, ms: int = 0) -> None:
        self._over(self.story.result({"kind": "refused", "reason": "no such queue"}, ms), QueueOutcome.ERROR)

    def break_off(self, by: str, ms: int = 0, clean_up: bool = False) -> list[Entry]:
        """The call ends while he waits or an agent rings, and with it the journal."""
        rang = bool(self.ringing)
        self.story.now_ms += ms
        if clean_up:
            for instruction in ({"op": "set_attributes", "attributes": {"left": "1"}}, {"op": "enqueue", "queue": "x"}):
                self.story.give(instruction)
                self.story.result({"kind": "refused", "reason": "the caller is gone"})
        for leg in list(self.ringing):
            self.stop(leg, "ORIGINATOR_CANCEL")
        waited = QueueOutcome.ABANDONED_RINGING if rang else QueueOutcome.ABANDONED
        self._over(self.story.now_ms, waited if by == "caller" else QueueOutcome.ERROR)
        return self.story.end(by)

    def _over(
        self,
        left_ms: int,
        outcome: QueueOutcome,
        *,
        key: str | None = None,
        agent: str | None = None,
        ring_ms: int = 0,
        talk_ms: int = 0,
    ) -> None:
        wait_ms = left_ms - self.joined_ms
        self.story.visits.append(
            QueueVisit(self.queue, self.joined_ms, left_ms, outcome, key, agent, wait_ms, ring_ms, self.offers, talk_ms)
        )


@dataclass(frozen=True)
class Written:
    """A journal, and what its record must say."""

    entries: list[Entry]
    visits: tuple[QueueVisit, ...]
    result: CallResult
    hung_up_by: HungUpBy


GAPS = st.integers(0, 60_000)
QUEUES = st.sampled_from(["sales", "support"])
UNANSWERED = st.sampled_from(["NO_ANSWER", "CALL_REJECTED", "USER_BUSY", "LOSE_RACE", "SUBSCRIBER_ABSENT"])
LEFT = st.sampled_from(["timeout", "no_agents", "full", "closed", "key"])


@st.composite
def written(draw: st.DrawFn) -> Written:
    """Any call that the engine could write: prompts, visits of queues one after the other, any end."""
    story = Story()
    lost = CallResult.LOST_BEFORE_IVR
    for _ in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            lost = CallResult.LOST_IN_IVR
            story.give({"op": "play"}, draw(GAPS))
            story.result({"kind": "played"}, draw(GAPS))
            continue
        entries = _visit(draw, story)
        lost = CallResult.LOST_IN_IVR
        if entries is not None:
            return _broken_off(story, entries)
    by = draw(st.sampled_from(["caller", "system"]))
    agent_last = story.entries and _says_conversation(story.entries[-1])
    if by == "system":
        story.give({"op": "hangup"})
        result = CallResult.HANDLED if story.talked else CallResult.OTHER_END
        ended_by = HungUpBy.AGENT if agent_last else HungUpBy.SYSTEM
    else:
        result = CallResult.HANDLED if story.talked else lost
        ended_by = HungUpBy.CALLER
    return Written(story.end(by, draw(GAPS)), tuple(story.visits), result, ended_by)


def _visit(draw: st.DrawFn, story: Story) -> list[Entry] | None:
    """One visit; the whole journal where the call ended in it."""
    stay = story.visit(draw(QUEUES), draw(GAPS))
    if draw(st.integers(0, 5)) == 0:
        stay.refuse(draw(GAPS))
        return None
    if draw(st.booleans()):
        stay.join(draw(GAPS), draw(st.integers(-500, 500)))
        for _ in range(draw(st.integers(0, 3))):
            agents = draw(st.lists(st.sampled_from(["alice", "bob", "carol"]), min_size=1, max_size=3, unique=True))
            legs = stay.offer(*agents, ms=draw(GAPS))
            for leg in draw(st.lists(st.sampled_from(legs), max_size=3, unique=True)):
                stay.stop(leg, draw(UNANSWERED), draw(GAPS))
            if stay.ringing and draw(st.booleans()):
                agent_ends = draw(st.booleans())
                leg = draw(st.sampled_from(sorted(stay.ringing)))
                times = {"ms": draw(GAPS), "talk_ms": draw(GAPS), "bridge_ms": draw(st.integers(0, 300))}
                stay.talk(leg, agent_ends=agent_ends, **times)
                return None if agent_ends else story.end("caller")
            if stay.ringing and draw(st.booleans()):
                return stay.break_off(draw(st.sampled_from(["caller", "system"])), draw(GAPS), draw(st.booleans()))
            for leg in list(stay.ringing):
                stay.stop(leg, draw(UNANSWERED), draw(GAPS))
    if draw(st.booleans()):
        why = draw(LEFT)
        stay.leave(why, draw(GAPS), "7" if why == "key" else None)
        return None
    return stay.break_off(draw(st.sampled_from(["caller", "system"])), draw(GAPS), draw(st.booleans()))


def _broken_off(story: Story, entries: list[Entry]) -> Written:
    ended = entries[-1].event
    assert isinstance(ended, Ended)
    by_caller = ended.hung_up_by == "caller"
    rang = story.visits[-1].outcome is QueueOutcome.ABANDONED_RINGING
    lost = CallResult.LOST_RINGING if rang else CallResult.LOST_IN_QUEUE
    result = CallResult.HANDLED if story.talked else lost if by_caller else CallResult.OTHER_END
    return Written(entries, tuple(story.visits), result, HungUpBy.CALLER if by_caller else HungUpBy.SYSTEM)


def _says_conversation(entry: Entry) -> bool:
    return isinstance(entry.event, ResultCame) and entry.event.result.get("kind") == "conversation"
