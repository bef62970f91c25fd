"""Rings a target and joins it with the caller.

The member leaves its socket when it is joined (`uuid_bridge`) and comes back through the entry of the dialplan
(`transfer_after_bridge`) when the other side hangs up, on a new connection, to whichever engine is there. So the end of
a conversation is always found by a session that takes the call up from its journal: usual path and rescue are one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from gevent.event import AsyncResult
from gevent.queue import Empty, Queue

from dialplan.contexts import SEEN_VARIABLE
from engine.domain.journal import Entry, LegEvent
from engine.domain.ports import Clock, Ids
from engine.domain.routing import RoutingSnapshot
from engine.session.beside import beside
from engine.session.log import CallLog
from engine.session.media import MediaPaths
from engine.session.recorder import Recorder
from engine.switch.port import (
    Channel,
    ChannelEnd,
    ChannelGone,
    CommandRefused,
    Control,
    DeadlinePassed,
    DialTarget,
    Originate,
    Originated,
    SwitchError,
    SwitchLost,
    UnsafeArgument,
)
from ivr_flows.instructions import AgentTarget, Connect, NumberTarget
from ivr_flows.results import Conversation, NotConnected, Result

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


class Unreachable(Exception):
    """The target can't be rung at all; `cause` in FreeSWITCH's spelling."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


def note_bridge(call: CallLog, bridged_to: str) -> None:
    """The switch says that the call was joined with this leg. Where the engine died before it could write that down,
    the journal takes it from the leg's answer.
    """
    for entry in list(call.entries):
        event = entry.event
        if isinstance(event, LegEvent) and event.leg == bridged_to and event.event == "answered":
            legs = [each.event for each in call.entries if isinstance(each.event, LegEvent)]
            if not any(each.leg == bridged_to and each.event == "bridged" for each in legs):
                call.add(LegEvent(bridged_to, "bridged", event.party, event.party_kind, happened_ms=entry.at_ms))
            return


def since_ms(entry: Entry) -> int:
    """When what the entry tells happened (UTC epoch ms)."""
    happened = entry.event.happened_ms if isinstance(entry.event, LegEvent) else None
    return happened or entry.at_ms


def _play_to(control: Control, leg: str, sources: list[str]) -> None:
    """The two may talk all the same where the announcement can't be played."""
    with _control_needed():
        control.play_to(leg, sources)


@contextmanager
def _control_needed() -> Iterator[None]:
    """A control connection that is down refuses the command; the caller's own connection is not touched by it."""
    try:
        yield
    except SwitchLost as lost:
        raise CommandRefused("control connection", str(lost)) from lost


@dataclass(frozen=True, slots=True)
class DialSettings:
    """How targets are rung: the domain in which agents' phones register, and the dialplan's way back."""

    agent_domain: str
    return_to: str
    """Value of `transfer_after_bridge` (`<extension>:XML:<context>`)."""
    default_caller_id: str = ""


@dataclass(slots=True)
class _Talk:
    """A call that is being joined with somebody, or is."""

    control: Control
    hangup: AsyncResult = field(default_factory=AsyncResult)
    joined: bool = False


class Conversations:
    """Executes `Connect`."""

    def __init__(
        self,
        control: Callable[[str], Control],
        clock: Clock,
        ids: Ids,
        media: MediaPaths,
        recorder: Recorder,
        routing: Callable[[int], RoutingSnapshot],
        settings: DialSettings,
    ) -> None:
        self._control = control
        self._clock = clock
        self._ids = ids
        self._media = media
        self._recorder = recorder
        self._routing = routing
        self._settings = settings
        self._talking: dict[str, _Talk] = {}

    def connect(self, step: int, instruction: Connect, channel: Channel, call: CallLog) -> Result:
        """Ring, join and wait; or, on a call that came back, say how the conversation went."""
        before = self._take_up(step, channel, call)
        if before is not None:
            return before
        try:
            target = self._target(instruction, call)
        except Unreachable as unreachable:
            return NotConnected("not_ready", unreachable.cause)
        try:
            leg = self._ring(instruction, target, channel, call)
            if isinstance(leg, NotConnected):
                return leg
            with self._hangup_of(channel) as hangup:
                self._join(leg, instruction, channel, call)
                raise self._wait_for_end(channel, hangup)
        except (CommandRefused, DeadlinePassed, UnsafeArgument) as refused:
            log.warning("call %s: not joined with %s: %s", call.call_id, target.user_or_number, refused)
            channel.stop_playing()
            self._recorder.stop(channel, call)
            self.hang_up_legs(call, channel.info.switch)
            unsafe = isinstance(refused, UnsafeArgument)
            return NotConnected("failed", "INVALID_NUMBER_FORMAT" if unsafe else "NORMAL_TEMPORARY_FAILURE")

    def hang_up_legs(self, call: CallLog, switch: str, cause: str = "NORMAL_CLEARING") -> None:
        """End the legs that were rung for this call and are not known to have ended, and say so in the journal."""
        open_legs: dict[str, LegEvent] = {}
        for entry in call.entries:
            if isinstance(entry.event, LegEvent) and entry.event.party_kind != "caller":
                if entry.event.event == "ended":
                    open_legs.pop(entry.event.leg, None)
                else:
                    open_legs.setdefault(entry.event.leg, entry.event)
        for leg, event in open_legs.items():
            self._kill(switch, leg)
            call.add(LegEvent(leg, "ended", event.party, event.party_kind, cause))

    def note_end(self, end: ChannelEnd) -> None:
        """The control connection tells of a hangup; for a call in conversation it is the only one that can."""
        if end.uuid in self._talking:
            self._talking[end.uuid].hangup.set(end)

    def holds(self, call_id: str) -> bool:
        """Whether the call is in conversation on this engine."""
        return call_id in self._talking and self._talking[call_id].joined

    def check(self, control: Control) -> None:
        """Ask this switch after its calls in conversation: hangups may have gone by unheard. Raises SwitchError."""
        for call_id, talk in list(self._talking.items()):
            if talk.joined and talk.control is control and not control.exists(call_id):
                self.note_end(ChannelEnd(call_id, "NORMAL_UNSPECIFIED", by_remote=False, variables={}))

    @contextmanager
    def _hangup_of(self, channel: Channel) -> Iterator[AsyncResult]:
        """Set to the call's end, should the control connection tell of it from now on."""
        call_id = channel.info.uuid
        talk = self._talking[call_id] = _Talk(self._control(channel.info.switch))
        try:
            yield talk.hangup
        finally:
            if self._talking.get(call_id) is talk:
                del self._talking[call_id]

    def _take_up(self, step: int, channel: Channel, call: CallLog) -> Result | None:
        """What the journal and the switch know of this instruction's conversation; None: it has to be begun (again)."""
        legs = call.legs_since(step)
        for leg, events in legs.items():
            first = next(iter(events.values())).event
            if not isinstance(first, LegEvent):
                continue
            note_bridge(call, channel.info.last_bridge_to)
            bridged = call.legs_since(step)[leg].get("bridged")
            if bridged is not None:
                cause = channel.info.last_bridge_cause or "NORMAL_CLEARING"
                if "unbridged" not in events:
                    call.add(LegEvent(leg, "unbridged", first.party, first.party_kind, cause))
                if "ended" not in events:
                    call.add(LegEvent(leg, "ended", first.party, first.party_kind, cause))
                self._kill(channel.info.switch, leg)
                self._recorder.stop(channel, call)
                return Conversation(max(0, self._clock.now_ms() - since_ms(bridged)), "agent", cause)
            if "ended" not in events:
                self._kill(channel.info.switch, leg)
                call.add(LegEvent(leg, "ended", first.party, first.party_kind, "ORIGINATOR_CANCEL"))
        return None

    def _target(self, instruction: Connect, call: CallLog) -> DialTarget:
        snapshot = self._routing(call.facts.snapshot)
        match instruction.target:
            case AgentTarget(agent=agent):
                if not any(entry.id == agent for entry in snapshot.agents):
                    raise Unreachable("SUBSCRIBER_ABSENT")
                return DialTarget("user", agent, self._settings.agent_domain)
            case NumberTarget(number=number, trunk=trunk):
                name = trunk or (snapshot.trunks[0].id if snapshot.trunks else None)
                if name is None or not any(entry.id == name for entry in snapshot.trunks):
                    raise Unreachable("NO_ROUTE_DESTINATION")
                return DialTarget("gateway", number, name)

    def _ring(self, instruction: Connect, target: DialTarget, channel: Channel, call: CallLog) -> str | NotConnected:
        """The leg that answered, or why there is none. The caller hears the ringing tone meanwhile."""
        party_kind: Literal["agent", "number"] = "agent" if target.kind == "user" else "number"
        leg = self._ids.new()
        call.add(LegEvent(leg, "offered", target.user_or_number, party_kind))
        call.flush()
        # Only a call whose journal is safe is marked as seen: before that, the next engine begins it anew.
        channel.set_variables(
            {
                SEEN_VARIABLE: "true",
                "hangup_after_bridge": "false",
                "transfer_after_bridge": self._settings.return_to,
                # A target that hangs up in the moment of joining would take the caller along (measured).
                "uuid_bridge_continue_on_cancel": "true",
            }
        )
        channel.start_playing(self._media.available(instruction.ringback))
        with _control_needed():
            originate = self._control(channel.info.switch).originate(
                target,
                leg=leg,
                ring_timeout_s=instruction.ring_timeout_s,
                caller_id_number=self._caller_id(instruction, call),
                caller_id_name=call.facts.caller_name,
                variables={"cw_leg_of": call.call_id},
            )
        try:
            outcome = self._wait_for_answer(originate, instruction.ring_timeout_s + ANSWER_GRACE_S, channel)
        except BaseException:  # The caller's hangup, a lost switch, or our own greenlet being taken off the call.
            originate.cancel()
            raise
        if outcome.outcome != "answered":
            channel.stop_playing()
            call.add(LegEvent(leg, "ended", target.user_or_number, party_kind, outcome.cause))
            return NotConnected(_NOT_CONNECTED[outcome.outcome], outcome.cause)  # type: ignore[arg-type]
        call.add(LegEvent(leg, "answered", target.user_or_number, party_kind))
        return leg

    def _caller_id(self, instruction: Connect, call: CallLog) -> str:
        """The number shown to the target: the flow's, else the caller's, else ours."""
        return instruction.caller_id or call.facts.ani or self._settings.default_caller_id or call.facts.did

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

    def _join(self, leg: str, instruction: Connect, channel: Channel, call: CallLog) -> None:
        control = self._control(channel.info.switch)
        if instruction.announcement:
            self._announce(leg, instruction, channel, control)
        channel.stop_playing()
        offered = next(
            entry.event for entry in call.entries if isinstance(entry.event, LegEvent) and entry.event.leg == leg
        )
        if call.facts.record if instruction.record is None else instruction.record:
            self._recorder.start(channel, call)
        call.flush()
        with _control_needed():
            control.bridge(channel.info.uuid, leg)
        self._talking[call.call_id].joined = True
        call.add(LegEvent(leg, "bridged", offered.party, offered.party_kind))

    def _announce(self, leg: str, instruction: Connect, channel: Channel, control: Control) -> None:
        """Play to the target alone. The caller still hears the ringing tone, and may hang up."""
        beside(channel, lambda: _play_to(control, leg, self._media.available(instruction.announcement)))

    def _wait_for_end(self, channel: Channel, hangup: AsyncResult) -> ChannelGone:
        """They talk. The channel has left its socket; its hangup is told by the control connection.

        Any other end brings the call back on a new connection, whose session takes this one off the call.
        """
        try:
            end = channel.wait_end(None)
        except SwitchLost:
            end = hangup.get()
        return ChannelGone(end or hangup.get())

    def _kill(self, switch: str, leg: str) -> None:
        try:
            self._control(switch).kill(leg)
        except SwitchError as error:
            log.warning("leg %s: not hung up: %s", leg, error)
