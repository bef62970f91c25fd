"""Rings targets and joins one with the caller.

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

from dialplan.contexts import SEEN_VARIABLE
from engine.domain.journal import Entry, LegEvent, PartyKind
from engine.domain.ports import Clock, Ids
from engine.domain.routing import AgentEntry
from engine.session.agent_headers import agent_headers
from engine.session.limits import FULL_CAUSE, ChannelLimits, LineFull
from engine.session.log import CallLog
from engine.session.recorder import Recorder
from engine.switch.port import (
    NOT_DONE,
    Channel,
    ChannelEnd,
    ChannelGone,
    CommandRefused,
    Control,
    DialTarget,
    Originate,
    SwitchError,
    SwitchLost,
)
from ivr_flows.results import Conversation

log = logging.getLogger(__name__)


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


@contextmanager
def control_needed() -> Iterator[None]:
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


@dataclass(slots=True, eq=False)
class _Talk:
    """A call that is being joined with somebody, or is."""

    control: Control
    hangup: AsyncResult = field(default_factory=AsyncResult)
    joined: bool = False


@dataclass(frozen=True, slots=True)
class Whom:
    """Who is rung: an agent by his id, on whichever phone, or a number. `numbers`: under which he is known."""

    target: DialTarget
    party: str
    kind: Literal["agent", "number"]
    numbers: tuple[str, ...]

    @property
    def trunk(self) -> str:
        """The trunk over which he is rung; "" for a phone."""
        return self.target.domain_or_gateway if self.target.kind == "gateway" else ""


def agents_phone(agent: AgentEntry, on_mobile: bool, trunk: str | None, settings: DialSettings) -> Whom:
    """The agent on his mobile, where that is to ring and a trunk is there to reach it, else on his desk phone."""
    if on_mobile and agent.mobile and trunk is not None:
        return Whom(DialTarget("gateway", agent.mobile, trunk), agent.id, "agent", (agent.number, agent.mobile))
    return Whom(DialTarget("user", agent.id, settings.agent_domain), agent.id, "agent", (agent.number,))


def number_over(number: str, trunk: str) -> Whom:
    """A number over a trunk."""
    return Whom(DialTarget("gateway", number, trunk), number, "number", (number,))


@dataclass(frozen=True, slots=True)
class Taken:
    """A conversation that is over: with whom, and how it went."""

    party: str
    conversation: Conversation


@dataclass(frozen=True, slots=True)
class Talking:
    """A conversation that goes on."""

    channel: Channel
    hangup: AsyncResult
    forget: Callable[[], None]

    def wait_for_end(self) -> ChannelGone:
        """The caller's hangup. The channel has left its socket; its hangup is told by the control connection.

        Any other end brings the call back on a new connection, whose session takes this one off the call.
        """
        try:
            try:
                end = self.channel.wait_end(None)
            except SwitchLost:
                end = self.hangup.get()
            return ChannelGone(end or self.hangup.get())
        finally:
            self.forget()


class Conversations:
    """Rings, joins, and finds out how it went. What is rung, when and in which order is said by whoever uses it."""

    def __init__(
        self,
        control: Callable[[str], Control],
        clock: Clock,
        ids: Ids,
        recorder: Recorder,
        settings: DialSettings,
        limits: ChannelLimits,
    ) -> None:
        self.control = control
        """The control connection of a switch, by the switch's name."""
        self.settings = settings
        self._clock = clock
        self._ids = ids
        self._recorder = recorder
        self._limits = limits
        self._talking: dict[str, _Talk] = {}

    # Ringing

    def prepare(self, channel: Channel, call: CallLog) -> None:
        """Before anybody is rung: the journal is safe, and the switch knows the way back."""
        call.flush()
        # Only a call whose journal is safe is marked as seen: before that, the next engine begins it anew.
        channel.set_variables(
            {
                SEEN_VARIABLE: "true",
                "hangup_after_bridge": "false",
                "transfer_after_bridge": self.settings.return_to,
                # A target that hangs up in the moment of joining would take the caller along (measured).
                "uuid_bridge_continue_on_cancel": "true",
            }
        )

    def ring(
        self,
        whom: Whom,
        channel: Channel,
        call: CallLog,
        *,
        ring_timeout_s: int,
        caller_id: str,
        auto_answer: bool = False,
        prepared: bool = False,
        queue: str = "",
    ) -> Originate:
        """Begin to ring. Raises CommandRefused (LineFull), DeadlinePassed, UnsafeArgument; the leg has then ended in
        the journal.

        An agent's phone is told of the call, and of the `queue` that it comes from (`agent_headers`).
        `prepared`: `prepare` was done before, and the phone is not to wait for the journal to be safe. An engine that
        dies within the journal's 20 ms leaves a phone ringing then that nobody knows of, until its time is over.
        """
        leg = self._ids.new()
        offered = LegEvent(leg, "offered", whom.party, whom.kind, trunk=whom.trunk)
        call.add(offered)
        if not prepared:
            self.prepare(channel, call)
        try:
            self._limits.ring(call, offered)
            with control_needed():
                return self.control(channel.info.switch).originate(
                    whom.target,
                    leg=leg,
                    ring_timeout_s=ring_timeout_s,
                    caller_id_number=caller_id,
                    caller_id_name=call.facts.caller_name,
                    variables={"cw_leg_of": call.call_id},
                    auto_answer=auto_answer,
                    headers=agent_headers(call, queue) if whom.target.kind == "user" else {},
                )
        except NOT_DONE as refused:
            cause = FULL_CAUSE if isinstance(refused, LineFull) else "NORMAL_TEMPORARY_FAILURE"
            self.leg_ended(call, leg, whom.party, whom.kind, cause)
            raise

    def caller_id(self, call: CallLog, wanted: str | None = None) -> str:
        """The number shown to who is rung: the one wanted, else the caller's, else ours."""
        return wanted or call.facts.ani or self.settings.default_caller_id or call.facts.did

    # Talking

    def talk(self, leg: str, whom: Whom, channel: Channel, call: CallLog, *, record: bool | None) -> Talking:
        """Join the caller with a leg that answered. `record` None: as the route says. Raises like `ring`."""
        channel.stop_playing()
        self._recorder.join(channel, call, whom.numbers, wanted=call.facts.record if record is None else record)
        call.flush()
        call_id = channel.info.uuid
        control = self.control(channel.info.switch)
        talk = self._talking[call_id] = _Talk(control)
        try:
            with control_needed():
                control.bridge(call_id, leg)
        except BaseException:
            self._forget(call_id, talk)
            raise
        talk.joined = True
        call.add(LegEvent(leg, "bridged", whom.party, whom.kind))
        return Talking(channel, talk.hangup, lambda: self._forget(call_id, talk))

    def _forget(self, call_id: str, talk: _Talk) -> None:
        if self._talking.get(call_id) is talk:
            del self._talking[call_id]

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

    # Legs

    def give_up(self, channel: Channel, call: CallLog) -> None:
        """The two could not be joined: nothing plays, records or rings any more."""
        channel.stop_playing()
        self._recorder.stop(channel, call)
        self.hang_up_legs(call, channel.info.switch)

    def leg_ended(self, call: CallLog, leg: str, party: str, kind: PartyKind, cause: str) -> None:
        """Say in the journal that a leg has ended, and let its trunk go."""
        call.add(LegEvent(leg, "ended", party, kind, cause))
        self._limits.leg_over(call, leg)

    def hang_up_legs(self, call: CallLog, switch: str, cause: str = "NORMAL_CLEARING") -> None:
        """End the legs that were rung for this call and are not known to have ended, and say so in the journal.

        For those that were still ringing the cause is that the caller went.
        """
        open_legs: dict[str, LegEvent] = {}
        answered = set()
        for entry in call.entries:
            event = entry.event
            if isinstance(event, LegEvent) and event.party_kind != "caller":
                if event.event == "ended":
                    open_legs.pop(event.leg, None)
                else:
                    open_legs.setdefault(event.leg, event)
                if event.event in ("answered", "bridged"):
                    answered.add(event.leg)
        for leg, event in open_legs.items():
            self.kill(switch, leg)
            why = cause if leg in answered else "ORIGINATOR_CANCEL"
            self.leg_ended(call, leg, event.party, event.party_kind, why)

    def take_up(self, step: int, channel: Channel, call: CallLog, cause: str = "ORIGINATOR_CANCEL") -> Taken | None:
        """What the journal and the switch know of this instruction's conversation; None: it has to be begun (again).

        Legs that were still ringing are ended, in the journal with `cause`.
        """
        note_bridge(call, channel.info.last_bridge_to)
        for leg, events in call.legs_since(step).items():
            first = next(iter(events.values())).event
            if not isinstance(first, LegEvent):
                continue
            if "bridged" in events:
                return self._over(leg, first, events, channel, call)
            if "ended" not in events:
                self.kill(channel.info.switch, leg)
                self.leg_ended(call, leg, first.party, first.party_kind, cause)
        return None

    def _over(self, leg: str, first: LegEvent, events: dict[str, Entry], channel: Channel, call: CallLog) -> Taken:
        cause = channel.info.last_bridge_cause or "NORMAL_CLEARING"
        if "unbridged" not in events:
            call.add(LegEvent(leg, "unbridged", first.party, first.party_kind, cause))
        if "ended" not in events:
            self.leg_ended(call, leg, first.party, first.party_kind, cause)
        self.kill(channel.info.switch, leg)
        self._recorder.stop(channel, call)
        talk_ms = max(0, self._clock.now_ms() - since_ms(events["bridged"]))
        return Taken(first.party, Conversation(talk_ms, "agent", cause))

    def kill(self, switch: str, leg: str) -> None:
        """Hang up a leg; where that can't be said now it ends by itself, parked for half a minute at most."""
        try:
            self.control(switch).kill(leg)
        except SwitchError as error:
            log.warning("leg %s: not hung up: %s", leg, error)
