"""Carries out `Enqueue`: what all visits of queues share, and what ends with a call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from engine.acd.agent import ConversationBegan, ConversationEnded, Withdrawn
from engine.acd.news import Offered
from engine.acd.store import AcdStore, StoreUnavailable
from engine.domain.acd import AgentState, Member, Ring
from engine.domain.journal import LegEvent, QueueEvent
from engine.domain.ports import Clock
from engine.domain.routing import QueueEntry, RoutingSnapshot
from engine.session.beside import beside
from engine.session.conversation import Conversations, Whom, agents_phone
from engine.session.facts import call_data
from engine.session.log import CallLog
from engine.session.media import MediaPaths
from engine.session.queueing.inbox import Inbox
from engine.session.queueing.moments import Moments
from engine.session.queueing.reports import Reports
from engine.session.queueing.visit import Visit, Wish
from engine.session.queueing.waiting import MUSIC, Waiting
from engine.session.recorder import Recorder
from engine.switch.port import Channel
from ivr_flows.instructions import Enqueue, Instruction, PromptFile
from ivr_flows.program import FlowSource
from ivr_flows.program import run as run_flow
from ivr_flows.results import Refused, Result

log = logging.getLogger(__name__)

WAITING_STEPS = 1_000_000
"""Steps of waiting flows are numbered from here, for each visit anew: they never stand in the journal."""

PROMPT_LANGUAGES = ("cs", "en")
"""Languages of the announcements for agents that come with callwright."""
ASKED = "press-one-to-accept.wav"

LastAgent = Callable[[str, int], str | None]
"""Who spoke with this number last, since this moment (UTC epoch ms). Takes its time, and never raises."""


@dataclass(frozen=True, slots=True)
class Queueing:
    """One for all calls of an engine."""

    engine: str
    store: AcdStore
    inbox: Inbox
    reports: Reports
    conversations: Conversations
    recorder: Recorder
    media: MediaPaths
    flows: FlowSource
    routing: Callable[[int], RoutingSnapshot]
    newest: Callable[[], RoutingSnapshot]
    clock: Clock
    last_agent: LastAgent
    pool: str
    talking: dict[str, str] = field(default_factory=dict)
    """Agents by the call in which they are, of this engine's calls."""

    def __post_init__(self) -> None:
        self.inbox.on_lost = self.say_again
        self.inbox.on_stray = self.give_back

    def wait(
        self,
        step: int,
        instruction: Enqueue,
        channel: Channel,
        call: CallLog,
        execute: Callable[[int, Instruction], Result],
    ) -> Result:
        """Wait and talk; or, on a call that came back, go on where it stood or say how the conversation went.

        `execute` carries out the instructions of a waiting flow.
        """
        entry = self._entry(instruction.queue, call)
        if entry is None:
            return Refused(f"there is no queue {instruction.queue!r}")
        told = _told_since(call, step)
        before = self.conversations.take_up(step, channel, call, "NORMAL_UNSPECIFIED")
        if before is not None:
            self._ended(before.party, call.call_id, entry, told.accepted)
            return before.conversation
        if told.accepted is not None:
            self.reports.agent(told.accepted.agents[0], Withdrawn(told.accepted.offer))
        wish = self._wish(instruction, entry, told.joined_ms, channel, call)
        moments = Moments(self.clock.now_ms())
        waiting = Waiting(
            channel,
            self.media,
            moments,
            instruction.language,
            told.joined_ms or moments.now_ms(),
            told.position,
            lambda place: call.add(QueueEvent("told", entry.id, position=place)),
        )
        hear = self._what_is_heard(step, instruction, entry, waiting, call, execute)
        return Visit(self, instruction, entry, wish, channel, call, waiting, moments, hear).run()

    def settle(self, call: CallLog) -> None:
        """The call has ended: nobody is held for it any more, whatever came in between. Never raises.

        To be called before its legs are hung up: the journal must still say which of them were.
        """
        pending = call.pending()
        if pending is None or pending.get("op") != "enqueue":
            return
        told = _told_since(call, max(call.given()))
        if told.talked_with:
            # His phone before him: else he may be rung for the next caller while it is still busy with this one.
            self.conversations.kill(call.facts.switch, told.leg)
            self._ended(told.talked_with, call.call_id, self._entry(told.queue, call), told.accepted)
            return
        if told.joined_ms is not None:
            self.left(call.call_id, gave_up=True)
        for event in (told.accepted, told.offered):
            for agent in event.agents if event is not None else ():
                self.reports.agent(agent, Withdrawn(event.offer if event is not None else ""))
        self.released(call.call_id)

    # What a visit needs

    def join(self, call_id: str, entry: QueueEntry, wish: Wish) -> tuple[Member, int]:
        """The call waits; who waits already keeps his place. The member, and the shared clock. Raises StoreError."""
        if self.reports.pending_of_member(call_id):
            raise StoreUnavailable("that he left another queue is not known there yet")
        now_ms = self.store.now_ms()
        joined_ms = wish.joined_ms or now_ms
        member = Member(
            id=call_id,
            queue=entry.id,
            joined_ms=joined_ms,
            priority=wish.priority,
            rings=wish.rings,
            sticky_agent=wish.sticky_agent,
            sticky_until_ms=joined_ms + entry.sticky_wait_s * 1000 if wish.sticky_agent else 0,
            engine=self.engine,
            wait_until_ms=joined_ms + wish.max_wait_s * 1000 if wish.max_wait_s else 0,
        )
        return self.store.join(self.pool, member), now_ms

    def whom(self, agents: Sequence[str], call: CallLog) -> Mapping[str, Whom]:
        """Where to ring those of the agents who are set up: who is offered a call is ready."""
        snapshot = self.newest()
        trunk = snapshot.trunks[0].id if snapshot.trunks else None
        settings = self.conversations.settings
        return {
            each.id: agents_phone(each, each.rings_mobile(AgentState.READY), trunk, settings)
            for each in snapshot.agents
            if each.id in agents
        }

    def whisper(self, entry: QueueEntry) -> list[str]:
        """What an agent hears before he talks."""
        return self.media.available([PromptFile(entry.whisper)]) if entry.whisper else []

    def question(self, entry: QueueEntry, language: str) -> list[str]:
        """What an agent hears who must press a key to accept: the queue's name, and which key."""
        asked = PromptFile(f"general/{language if language in PROMPT_LANGUAGES else PROMPT_LANGUAGES[0]}/{ASKED}")
        return [*self.whisper(entry), *self.media.available([asked])]

    def taken(self, call_id: str, agent: str) -> None:
        """The agent has accepted the call."""
        self.talking[call_id] = agent

    def left(self, call_id: str, *, gave_up: bool) -> None:
        """The call waits no more; an offer that is on its way to it is given back."""
        self.inbox.left(call_id)
        self.reports.left(self.pool, call_id, gave_up=gave_up)

    def give_back(self, offered: Offered) -> None:
        """Nobody rings for this offer."""
        for agent in offered.offer.agents:
            self.reports.agent(agent, Withdrawn(offered.number))

    def released(self, call_id: str) -> None:
        """The call has no agent any more."""
        self.talking.pop(call_id, None)

    def say_again(self) -> None:
        """The shared state was lost: who talks must not be offered anybody."""
        for call_id, agent in self.talking.items():
            self.reports.agent(agent, ConversationBegan(call_id))

    def _ended(self, agent: str, call_id: str, entry: QueueEntry | None, accepted: QueueEvent | None) -> None:
        if call_id not in self.talking and accepted is not None:
            # The engine on which it began may have died before it could say so.
            self.reports.agent(agent, ConversationBegan(call_id, accepted.offer))
        self.released(call_id)
        wrap_up_ms = entry.wrap_up_s * 1000 if entry is not None else 0
        self.reports.agent(agent, ConversationEnded(call_id, wrap_up_ms))

    def _entry(self, queue: str, call: CallLog) -> QueueEntry | None:
        """As it was when the call came, or as it is where it is newer than the call."""
        snapshots = (self.routing(call.facts.snapshot), self.newest())
        return next((each for snapshot in snapshots for each in snapshot.queues if each.id == queue), None)

    def _wish(
        self, instruction: Enqueue, entry: QueueEntry, joined_ms: int | None, channel: Channel, call: CallLog
    ) -> Wish:
        sticky = None
        if instruction.sticky_s and call.facts.ani:
            since_ms = self.clock.now_ms() - instruction.sticky_s * 1000
            sticky = beside(channel, lambda: self.last_agent(call.facts.ani, since_ms))
        return Wish(
            priority=entry.priority if instruction.priority is None else instruction.priority,
            rings=(
                Ring(0, instruction.skills),
                *(Ring(each.after_s * 1000, each.skills) for each in instruction.relax),
            ),
            sticky_agent=sticky,
            max_wait_s=entry.max_wait_s if instruction.max_wait_s is None else instruction.max_wait_s,
            joined_ms=joined_ms,
        )

    def _what_is_heard(
        self,
        step: int,
        instruction: Enqueue,
        entry: QueueEntry,
        waiting: Waiting,
        call: CallLog,
        execute: Callable[[int, Instruction], Result],
    ) -> Callable[[], object]:
        def usual() -> None:
            waiting.usual((PromptFile(entry.music) if entry.music else MUSIC,), entry.announcements)

        flow = instruction.wait_flow or entry.wait_flow
        version = self.routing(call.facts.snapshot).active_flows.get(flow) or self.newest().active_flows.get(flow)
        if not flow or version is None:
            if flow:
                log.warning("call %s: no active version of waiting flow %s; music in its place", call.call_id, flow)
            return usual

        def heard() -> None:
            data = replace(
                call_data(call.facts),
                language=instruction.language,
                attributes=call.attributes(),
                standing=waiting.standing(),
            )
            program = run_flow(self.flows, flow, version, data)
            waiting.flow(program, lambda number, asked: execute(_numbered(step, number), asked), usual)

        return heard


def _numbered(step: int, number: int) -> int:
    """A number for a step of a waiting flow, which never stands in the journal but in the keys of http requests."""
    return (step + 1) * WAITING_STEPS + number


@dataclass(frozen=True, slots=True)
class _Told:
    """What the journal says of a visit. `talked_with`, `leg`: the agent with whom he was joined, and on which leg."""

    queue: str = ""
    joined_ms: int | None = None
    offered: QueueEvent | None = None
    accepted: QueueEvent | None = None
    talked_with: str = ""
    position: int | None = None
    leg: str = ""


def _told_since(call: CallLog, step: int) -> _Told:
    told = _Told()
    for event in call.since(step):
        match event:
            case QueueEvent(event="joined"):
                told = replace(told, queue=event.queue, joined_ms=told.joined_ms or event.happened_ms)
            case QueueEvent(event="offered"):
                told = replace(told, queue=event.queue, offered=event, accepted=None)
            case QueueEvent(event="told"):
                told = replace(told, position=event.position)
            case QueueEvent(event="accepted"):
                told = replace(told, accepted=event)
            case LegEvent(event="bridged", party_kind="agent"):
                told = replace(told, talked_with=event.party, leg=event.leg)
            case LegEvent(event="ended", party_kind="agent") if (
                told.accepted is not None and not told.talked_with and event.party == told.accepted.agents[0]
            ):
                # They could not be joined, and he waits again.
                told = replace(told, accepted=None, offered=None)
    return told
