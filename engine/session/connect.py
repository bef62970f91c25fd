"""Carries out `Connect`: rings one target and lets it talk with the caller."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal, Protocol

from gevent.queue import Empty, Queue

from engine.domain.acd import AgentState
from engine.domain.journal import LegEvent
from engine.domain.routing import AgentEntry, RoutingSnapshot
from engine.session.beside import beside
from engine.session.conversation import Conversations, Whom, agents_phone, control_needed, number_over
from engine.session.limits import FULL_CAUSE, LineFull
from engine.session.log import CallLog
from engine.session.media import MediaPaths
from engine.switch.port import (
    NOT_DONE,
    Channel,
    ChannelEnd,
    ChannelGone,
    Control,
    Originate,
    Originated,
    SwitchError,
    SwitchLost,
    UnsafeArgument,
)
from ivr_flows import codec
from ivr_flows.instructions import AgentTarget, Connect, NumberTarget, Target
from ivr_flows.results import NotConnected, Result

log = logging.getLogger(__name__)

ANSWER_GRACE_S = 5
"""How much longer than the ringing we wait for the switch to say what became of it."""

_NOT_CONNECTED = {
    "busy": "busy",
    "no_answer": "no_answer",
    "rejected": "rejected",
    "not_registered": "not_ready",
    "failed": "failed",
    "cancelled": "no_answer",
}


class Desk(Protocol):
    """What queues know of agents, and are told of the calls that reach them past the queues."""

    def state_of(self, agent: str) -> AgentState | None:
        """What an agent is doing now; None where nobody can tell."""

    def engage(self, agent: str, call: str) -> bool:
        """A call of his own begins to ring; False where he is in another one. Where nobody can tell, True."""

    def disengage(self, agent: str, call: str) -> None:
        """The call of his own is over, or did not come about. One that had not begun is none."""


class Unreachable(Exception):
    """The target can't be rung at all, or not now; `cause` in FreeSWITCH's spelling."""

    def __init__(self, cause: str, why: Literal["not_ready", "busy"] = "not_ready") -> None:
        super().__init__(cause)
        self.cause = cause
        self.why = why


class Connections:
    """One for all calls of an engine."""

    def __init__(
        self,
        conversations: Conversations,
        media: MediaPaths,
        routing: Callable[[int], RoutingSnapshot],
        newest: Callable[[], RoutingSnapshot],
        desk: Desk,
    ) -> None:
        self._conversations = conversations
        self._media = media
        self._routing = routing
        self._newest = newest
        self._desk = desk

    def connect(self, step: int, instruction: Connect, channel: Channel, call: CallLog) -> Result:
        """Ring, join and wait; or, on a call that came back, say how the conversation went."""
        before = self._conversations.take_up(step, channel, call)
        if before is not None:
            self._let_go(instruction.target, call)
            return before.conversation
        try:
            whom = self._whom(instruction, channel, call)
        except Unreachable as unreachable:
            return NotConnected(unreachable.why, unreachable.cause)
        try:
            leg = self._ring(instruction, whom, channel, call)
            if isinstance(leg, NotConnected):
                self._let_go(instruction.target, call)
                return leg
            if instruction.announcement:
                self._announce(leg, instruction, channel)
            talking = self._conversations.talk(leg, whom, channel, call, record=instruction.record)
        except NOT_DONE as refused:
            log.warning("call %s: not joined with %s: %s", call.call_id, whom.party, refused)
            self._conversations.give_up(channel, call)
            self._let_go(instruction.target, call)
            return NotConnected("failed", _cause_of(refused))
        raise talking.wait_for_end()

    def _whom(self, instruction: Connect, channel: Channel, call: CallLog) -> Whom:
        snapshot = self._routing(call.facts.snapshot)
        first_trunk = snapshot.trunks[0].id if snapshot.trunks else None
        match instruction.target:
            case AgentTarget(agent=agent):
                entry = self._entry(agent, call)
                if entry is None:
                    raise Unreachable("SUBSCRIBER_ABSENT")
                on_mobile = _is_looked_after(entry) and self._engage(entry, channel, call)
                return agents_phone(entry, on_mobile, first_trunk, self._conversations.settings)
            case NumberTarget(number=number, trunk=trunk):
                name = trunk or first_trunk
                if name is None or not any(entry.id == name for entry in snapshot.trunks):
                    raise Unreachable("NO_ROUTE_DESTINATION")
                return number_over(number, name)

    def settle(self, call: CallLog) -> None:
        """The call has ended while an agent rang or talked: no queue is kept waiting for him any more. Never raises."""
        pending = call.pending()
        instruction = None if pending is None else codec.load_instruction(pending)
        if isinstance(instruction, Connect):
            self._let_go(instruction.target, call)

    def _engage(self, entry: AgentEntry, channel: Channel, call: CallLog) -> bool:
        """Queues offer him nobody from now on. Whether his mobile is to ring, by what he is doing (R14).

        The question may take a moment, and the caller may hang up meanwhile. Raises Unreachable for one who is on a
        call already. Who is logged out has a phone all the same, and may log in while he talks.
        """
        state = beside(channel, lambda: self._desk.state_of(entry.id))
        if state is None:
            return False
        if not beside(channel, lambda: self._desk.engage(entry.id, call.call_id)):
            raise Unreachable("USER_BUSY", "busy")
        return entry.rings_mobile(state)

    def _let_go(self, target: Target, call: CallLog) -> None:
        entry = self._entry(target.agent, call) if isinstance(target, AgentTarget) else None
        if entry is not None and _is_looked_after(entry):
            self._desk.disengage(entry.id, call.call_id)

    def _entry(self, agent: str, call: CallLog) -> AgentEntry | None:
        # As he is set up now: he may have got queues since the call came.
        snapshots = (self._newest(), self._routing(call.facts.snapshot))
        return next((each for snapshot in snapshots for each in snapshot.agents if each.id == agent), None)

    def _ring(self, instruction: Connect, whom: Whom, channel: Channel, call: CallLog) -> str | NotConnected:
        """The leg that answered, or why there is none. The caller hears the ringing tone meanwhile."""
        channel.start_playing(self._media.available(instruction.ringback))
        originate = self._conversations.ring(
            whom,
            channel,
            call,
            ring_timeout_s=instruction.ring_timeout_s,
            caller_id=self._conversations.caller_id(call, instruction.caller_id),
        )
        try:
            outcome = self._wait_for_answer(originate, instruction.ring_timeout_s + ANSWER_GRACE_S, channel)
        except BaseException:  # The caller's hangup, a lost switch, or our own greenlet being taken off the call.
            originate.cancel()
            raise
        if outcome.outcome != "answered":
            channel.stop_playing()
            self._conversations.leg_ended(call, originate.leg, whom.party, whom.kind, outcome.cause)
            return NotConnected(_NOT_CONNECTED[outcome.outcome], outcome.cause)  # type: ignore[arg-type]
        call.add(LegEvent(originate.leg, "answered", whom.party, whom.kind))
        return originate.leg

    def _wait_for_answer(self, originate: Originate, timeout_s: float, channel: Channel) -> Originated:
        """The first of: what became of the ringing, the caller's hangup (raises ChannelGone), a lost connection."""
        first: Queue[Originated | ChannelEnd | None] = Queue()
        take_back = [originate.on_done(first.put), channel.on_end(first.put)]
        try:
            came: Originated | ChannelEnd | None = first.get(timeout=timeout_s)
        except Empty:
            originate.cancel()
            return Originated("no_answer", "NO_ANSWER")
        finally:
            for undo in take_back:
                undo()
        if came is None:
            raise SwitchLost(f"call {channel.info.uuid}: connection lost while ringing")
        if isinstance(came, ChannelEnd):
            raise ChannelGone(came)
        return came

    def _announce(self, leg: str, instruction: Connect, channel: Channel) -> None:
        """Play to the target alone. The caller still hears the ringing tone, and may hang up."""
        control = self._conversations.control(channel.info.switch)
        beside(channel, lambda: play_to(control, leg, self._media.available(instruction.announcement)))


def _cause_of(refused: SwitchError) -> str:
    match refused:
        case UnsafeArgument():
            return "INVALID_NUMBER_FORMAT"
        case LineFull():
            return FULL_CAUSE
    return "NORMAL_TEMPORARY_FAILURE"


def _is_looked_after(agent: AgentEntry) -> bool:
    """Whether it matters what he is doing: to queues, or to which of his phones rings."""
    return bool(agent.queues or agent.mobile)


def play_to(control: Control, leg: str, sources: list[str]) -> None:
    """The two may talk all the same where the announcement can't be played. Raises CommandRefused and the like."""
    with control_needed():
        control.play_to(leg, sources)
