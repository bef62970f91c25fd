"""Carries out a flow's instructions on the caller's channel, one after the other, and says what became of each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gevent

from engine.domain.ports import Clock, Ids
from engine.domain.routing import RoutingSnapshot
from engine.session.beside import beside
from engine.session.journal import Journal
from engine.session.log import CallLog
from engine.session.media import MediaPaths
from engine.session.routing import FlowNotFound
from engine.session.speech import Unspoken
from engine.switch.port import NOT_DONE, Channel, Digits, Interrupted, NotPlayed, SwitchLost, TimedOut
from engine.switch.port import Played as ChannelPlayed
from ivr_flows.instructions import (
    Answer,
    CheckCalendar,
    CheckNotice,
    Collect,
    Connect,
    DetectAnswer,
    Emit,
    Enqueue,
    EnterFlow,
    FindContact,
    Hangup,
    HttpRequest,
    Instruction,
    JoinConference,
    Media,
    Play,
    ReadQueue,
    Record,
    RecordMessage,
    RequestCallback,
    SendKeys,
    SendSms,
    SetAttributes,
    Spoken,
)
from ivr_flows.program import FlowSource
from ivr_flows.results import (
    CalendarState,
    Collected,
    Done,
    FlowEntered,
    NoticeState,
    Played,
    PlayFailed,
    Refused,
    Result,
)

if TYPE_CHECKING:
    from engine.session.calendars import Calendars
    from engine.session.connect import Connections
    from engine.session.contacts import Contacts
    from engine.session.conversation import Conversations
    from engine.session.http_request import HttpRequests
    from engine.session.limits import ChannelLimits
    from engine.session.queue_figures import QueueReader
    from engine.session.queueing.queueing import Queueing
    from engine.session.recorder import Recorder


NOT_AVAILABLE: tuple[type, ...] = (
    RequestCallback,
    RecordMessage,
    SendSms,
    Emit,
    DetectAnswer,
    JoinConference,
)
"""Instructions that need something that isn't in `engine.domain.features`."""

LONGEST_S = 4 * 3600
"""How long one prompt or collection may take: as long as a call. It ends with the call anyhow."""

log = logging.getLogger(__name__)


class Detached(Exception):
    """This engine lets go of the call: it came back on another connection, or the engine is being stopped."""


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What executing instructions takes. One for all calls of an engine."""

    journal: Journal
    clock: Clock
    ids: Ids
    flows: FlowSource
    media: MediaPaths
    routing: Callable[[int], RoutingSnapshot]
    """The routing data of a version, or the newest where that version is gone."""
    newest: Callable[[], RoutingSnapshot]
    """The routing data as they stand now, for what must not wait for the next call."""
    calendars: Calendars
    recorder: Recorder
    conversations: Conversations
    connections: Connections
    queueing: Queueing
    http: HttpRequests
    contacts: Contacts
    queue_figures: QueueReader
    limits: ChannelLimits


class Executor:
    """Executes the instructions of one call."""

    def __init__(self, channel: Channel, log: CallLog, tools: Toolbox) -> None:
        self._channel = channel
        self._log = log
        self._tools = tools
        self.handlers: Mapping[type, Callable[[int, Any], Result]] = {
            Answer: self._answer,
            Play: self._play,
            Collect: self._collect,
            SetAttributes: self._set_attributes,
            CheckCalendar: self._check_calendar,
            Connect: self._connect,
            Enqueue: self._enqueue,
            Record: self._record,
            EnterFlow: self._enter_flow,
            SendKeys: self._send_keys,
            HttpRequest: self._http,
            FindContact: self._find_contact,
            CheckNotice: self._check_notice,
            ReadQueue: self._read_queue,
            Hangup: self._hangup,
            **dict.fromkeys(NOT_AVAILABLE, self._not_available),
        }

    def execute(self, step: int, instruction: Instruction) -> Result:
        """The result. Raises ChannelGone, SwitchLost and Detached: the call ends here, or goes to another engine.

        A command that the switch did not carry out is a result like others; the flow has an exit for it.
        """
        try:
            return self.handlers[type(instruction)](step, instruction)
        except Unspoken as fault:
            log.warning("call %s: %s not done: %s", self._log.call_id, instruction.op, fault)
            return PlayFailed(str(fault))
        except NOT_DONE as fault:
            log.warning("call %s: %s not done: %s", self._log.call_id, instruction.op, fault)
            if isinstance(instruction, Hangup):
                raise SwitchLost(f"hangup not done: {fault}") from fault
            return PlayFailed(str(fault)) if isinstance(instruction, Play | Collect) else Refused(str(fault))

    def _answer(self, step: int, instruction: Answer) -> Result:
        match instruction.mode:
            case "answer":
                self._channel.answer()
            case "early_media":
                self._channel.pre_answer()
            case "ringing":
                self._channel.ring()
        return Done()

    def _play(self, step: int, instruction: Play) -> Result:
        outcome = self._channel.play(self._sources(instruction.media), instruction.stop_keys, deadline_s=LONGEST_S)
        match outcome:
            case ChannelPlayed():
                return Played()
            case Interrupted(key=key):
                return Played(key=key)
            case NotPlayed(reason=reason):
                log.warning("call %s: %s", self._log.call_id, reason)
                return PlayFailed(reason)

    def _collect(self, step: int, instruction: Collect) -> Result:
        outcome = self._channel.collect(
            self._sources(instruction.media),
            max_digits=instruction.max_digits,
            timeout_ms=instruction.timeout_ms,
            interdigit_timeout_ms=instruction.interdigit_timeout_ms,
            terminators=instruction.terminators,
            deadline_s=LONGEST_S,
        )
        match outcome:
            case Digits(digits=digits, terminator=terminator):
                return Collected(digits, terminator)
            case TimedOut():
                return Collected("")
            case NotPlayed(reason=reason):
                log.warning("call %s: %s", self._log.call_id, reason)
                return PlayFailed(reason)

    def _sources(self, media: Sequence[Media]) -> list[str]:
        """What the switch is to play; a hangup ends the wait for speech. Raises Unspoken, ChannelGone, SwitchLost."""
        if any(isinstance(item, Spoken) for item in media):
            return beside(self._channel, lambda: self._tools.media.sources(media))
        return self._tools.media.sources(media)

    def _set_attributes(self, step: int, instruction: SetAttributes) -> Result:
        # The journal holds them; the record is built from it. A flow that computes for long asks for it too, and again
        # and again: others have their turn between.
        gevent.sleep(0)
        return Done()

    def _check_calendar(self, step: int, instruction: CheckCalendar) -> Result:
        snapshot = self._tools.routing(self._log.facts.snapshot)
        state = self._tools.calendars.state(snapshot, instruction.calendar, self._tools.clock.now_ms())
        return Refused(f"no calendar {instruction.calendar!r}") if state is None else CalendarState(state)

    def _connect(self, step: int, instruction: Connect) -> Result:
        return self._tools.connections.connect(step, instruction, self._channel, self._log)

    def _enqueue(self, step: int, instruction: Enqueue) -> Result:
        return self._tools.queueing.wait(step, instruction, self._channel, self._log, self.execute)

    def _record(self, step: int, instruction: Record) -> Result:
        return self._tools.recorder.change(instruction.action, self._channel, self._log)

    def _enter_flow(self, step: int, instruction: EnterFlow) -> Result:
        snapshot = self._tools.routing(self._log.facts.snapshot)
        version = instruction.version or snapshot.active_flows.get(instruction.flow)
        if version is None:
            return Refused(f"flow {instruction.flow!r} has no active version")
        try:
            self._tools.flows.get(instruction.flow, version)
        except FlowNotFound as missing:
            return Refused(str(missing))
        return FlowEntered(version)

    def _send_keys(self, step: int, instruction: SendKeys) -> Result:
        self._channel.send_keys(instruction.keys, instruction.key_ms)
        return Done()

    def _http(self, step: int, instruction: HttpRequest) -> Result:
        return self._tools.http.carry_out(step, instruction, self._channel, self._log)

    def _find_contact(self, step: int, instruction: FindContact) -> Result:
        return self._tools.contacts.find(instruction, self._channel, self._log)

    def _check_notice(self, step: int, instruction: CheckNotice) -> Result:
        # As it is now and not as it was when the call came: this is said because something has just happened.
        notice = next((each for each in self._tools.newest().notices if each.id == instruction.notice), None)
        if notice is None:
            return Refused(f"no notice {instruction.notice!r}")
        if not notice.is_on(self._tools.clock.now_ms()):
            return NoticeState(active=False)
        return NoticeState(active=True, files=(notice.sound(instruction.language),))

    def _read_queue(self, step: int, instruction: ReadQueue) -> Result:
        snapshot = self._tools.routing(self._log.facts.snapshot)
        return self._tools.queue_figures.read(instruction, snapshot, self._channel)

    def _not_available(self, step: int, instruction: Instruction) -> Result:
        """Uploads with such a node are refused (`missing_feature`); one from elsewhere takes its exit for it."""
        return Refused(f"{instruction.op} is not available here")

    def _hangup(self, step: int, instruction: Hangup) -> Result:
        self._channel.hangup(instruction.cause)
        return Done()
