"""What a flow may ask of the runtime. A node yields one of these and is sent one of `ivr_flows.results`.

Instructions are plain data: they are written to the call's journal as JSON and compared when a call is resumed,
so a field that is added later needs a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

from pydantic import Field

from ivr_flows.results import (
    AnswerDetected,
    CalendarState,
    CallbackNoted,
    Collected,
    ConferenceLeft,
    ContactsFound,
    Conversation,
    Done,
    FlowEntered,
    HttpAnswered,
    HttpFailed,
    MessageLeft,
    NotConnected,
    NoticeState,
    Played,
    PlayFailed,
    QueueFigures,
    QueueLeft,
    Refused,
)

R = TypeVar("R")


class Asks(Generic[R]):
    """Base of all instructions: names the results that answer it, as in `class Play(Asks[Played | PlayFailed])`."""

    __slots__ = ()

    @classmethod
    def answers(cls) -> tuple[type, ...]:
        """The results that are an answer."""
        (base,) = cls.__orig_bases__  # type: ignore[attr-defined]
        (answer,) = get_args(base)
        return get_args(answer) or (answer,)


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A sound file, by its path below the prompts directory (`welcome/cs.wav`, `general/cs/closed.wav`)."""

    path: str
    kind: Literal["file"] = "file"


@dataclass(frozen=True, slots=True)
class Spoken:
    """A text to be heard in a language. From the recorded `pieces` of its voice if it has them all, else from the
    speech engine; without pieces always from the engine. `keep` false: personal, the engine's file is deleted soon.
    """

    text: str
    language: str
    pieces: tuple[str, ...] = ()
    keep: bool = True
    kind: Literal["spoken"] = "spoken"


@dataclass(frozen=True, slots=True)
class Tone:
    """One or two frequencies in Hz, `on_ms` loud and `off_ms` silent, `repeats` times; 0 repeats: until stopped."""

    hz: tuple[int, ...]
    on_ms: int
    off_ms: int = 0
    repeats: int = 1
    kind: Literal["tone"] = "tone"


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence of `ms` milliseconds."""

    ms: int
    kind: Literal["pause"] = "pause"


Media = Annotated[PromptFile | Spoken | Tone | Pause, Field(discriminator="kind")]

RINGBACK = Tone(hz=(425,), on_ms=1000, off_ms=4000, repeats=0)
"""The ringing tone of the Czech and most European networks (ETSI TS 101 504)."""


@dataclass(frozen=True, slots=True)
class Answer(Asks[Done]):
    """Answer the call, open early media, or only let it ring. Doing it twice changes nothing."""

    mode: Literal["answer", "early_media", "ringing"] = "answer"
    op: Literal["answer"] = "answer"


@dataclass(frozen=True, slots=True)
class Play(Asks[Played | PlayFailed]):
    """Play to the caller, in order; any key of `stop_keys` ends it at once. Result: `Played` or `PlayFailed`."""

    media: tuple[Media, ...]
    stop_keys: str = ""
    op: Literal["play"] = "play"


@dataclass(frozen=True, slots=True)
class Collect(Asks[Collected | PlayFailed]):
    """Play, and gather keys meanwhile and after. Result: `Collected`, or `PlayFailed` where a prompt can't be played.

    Ends with `max_digits` keys, with a key of `terminators`, `timeout_ms` after the prompt without a first key, or
    `interdigit_timeout_ms` after the last key. Keys that were typed ahead count.
    """

    media: tuple[Media, ...]
    max_digits: int = 1
    timeout_ms: int = 5000
    interdigit_timeout_ms: int = 3000
    terminators: str = ""
    op: Literal["collect"] = "collect"


@dataclass(frozen=True, slots=True)
class SetAttributes(Asks[Done]):
    """Attach attributes to the call: they go with it to the agent, the record and the reports (R9). Result: `Done`."""

    attributes: Mapping[str, str]
    op: Literal["set_attributes"] = "set_attributes"


@dataclass(frozen=True, slots=True)
class CheckCalendar(Asks[CalendarState]):
    """Ask whether the calendar is open at this moment. Result: `CalendarState`."""

    calendar: str
    op: Literal["check_calendar"] = "check_calendar"


@dataclass(frozen=True, slots=True)
class AgentTarget:
    """An agent, by id; rung on the phone registered for that agent."""

    agent: str
    kind: Literal["agent"] = "agent"


@dataclass(frozen=True, slots=True)
class NumberTarget:
    """A number over a trunk; `trunk` None: the default trunk."""

    number: str
    trunk: str | None = None
    kind: Literal["number"] = "number"


Target = Annotated[AgentTarget | NumberTarget, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class Connect(Asks[Conversation | NotConnected]):
    """Ring the target and let it talk with the caller until one of them ends it.

    Result: `Conversation` when they talked, else `NotConnected`. `announcement` is played to the target on answer,
    before the two hear each other. `record` None: as the route says.
    """

    target: Target
    ring_timeout_s: int = 20
    ringback: tuple[Media, ...] = (RINGBACK,)
    announcement: tuple[Media, ...] = ()
    caller_id: str | None = None
    record: bool | None = None
    op: Literal["connect"] = "connect"


@dataclass(frozen=True, slots=True)
class Record(Asks[Done | Refused]):
    """Start, stop, pause, resume, mask or unmask the recording of the call. Result: `Done` or `Refused`."""

    action: Literal["start", "stop", "pause", "resume", "mask", "unmask"]
    op: Literal["record"] = "record"


@dataclass(frozen=True, slots=True)
class EnterFlow(Asks[FlowEntered | Refused]):
    """Go on in another flow, at a version or at the one that is active now. Result: `FlowEntered` or `Refused`."""

    flow: str
    version: str | None = None
    op: Literal["enter_flow"] = "enter_flow"


@dataclass(frozen=True, slots=True)
class SendKeys(Asks[Done | Refused]):
    """Send keys to the caller's side; `w` waits half a second, `W` a second. Ends when the last one is out."""

    keys: str
    key_ms: int = 100
    op: Literal["send_keys"] = "send_keys"


@dataclass(frozen=True, slots=True)
class HttpRequest(Asks[HttpAnswered | HttpFailed]):
    """One HTTP request; the caller hears `hold` meanwhile.

    `body` is JSON text, or None for none. `secret_headers` name values of the configuration, which never stand in a
    flow or a journal. `results`: names and the JSON pointers (RFC 6901) to their values.
    """

    method: Literal["GET", "POST"]
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    secret_headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    results: Mapping[str, str] = field(default_factory=dict)
    timeout_ms: int = 5000
    hold: tuple[Media, ...] = ()
    op: Literal["http"] = "http"


@dataclass(frozen=True, slots=True)
class FindContact(Asks[ContactsFound | Refused]):
    """Look a contact up in the local copy, by telephone number or by the customer's key (R111)."""

    by: Literal["number", "key"]
    value: str
    fields: tuple[str, ...] = ()
    op: Literal["find_contact"] = "find_contact"


@dataclass(frozen=True, slots=True)
class CheckNotice(Asks[NoticeState | Refused]):
    """Ask whether a notice is switched on, and for its recording (R24)."""

    notice: str
    language: str
    op: Literal["check_notice"] = "check_notice"


@dataclass(frozen=True, slots=True)
class ReadQueue(Asks[QueueFigures | Refused]):
    """Ask for the figures of a queue (R6)."""

    queue: str
    op: Literal["read_queue"] = "read_queue"


@dataclass(frozen=True, slots=True)
class SkillStep:
    """From `after_s` seconds of waiting on, these levels of skills are asked for in place of those before."""

    after_s: int
    skills: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Enqueue(Asks[Conversation | QueueLeft | Refused]):
    """Wait in a queue for an agent and talk. `exit_keys` end the waiting; `wait_flow` is what the caller hears.

    None leaves priority, waiting flow, longest wait and recording to the queue's settings or the route's. `language` is
    what the call speaks at that moment.
    """

    queue: str
    priority: int | None = None
    skills: Mapping[str, int] = field(default_factory=dict)
    relax: tuple[SkillStep, ...] = ()
    sticky_s: int = 0
    wait_flow: str | None = None
    max_wait_s: int | None = None
    exit_keys: str = ""
    record: bool | None = None
    language: str = ""
    op: Literal["enqueue"] = "enqueue"


@dataclass(frozen=True, slots=True)
class RequestCallback(Asks[CallbackNoted | Refused]):
    """Ask to be called back. `not_before_ms`: the earliest time wished (UTC epoch ms), 0 as soon as possible (R40)."""

    queue: str
    number: str
    not_before_ms: int = 0
    keep_place: bool = True
    op: Literal["request_callback"] = "request_callback"


@dataclass(frozen=True, slots=True)
class RecordMessage(Asks[MessageLeft | Refused]):
    """Play, then record a message until a key, silence or the longest time (R42)."""

    mailbox: str
    media: tuple[Media, ...] = ()
    min_ms: int = 2000
    max_ms: int = 180_000
    silence_ms: int = 5000
    stop_keys: str = "#"
    op: Literal["record_message"] = "record_message"


@dataclass(frozen=True, slots=True)
class SendSms(Asks[Done | Refused]):
    """Hand a text message to the gateway (R26). `Done`: it was taken, not that it arrived."""

    number: str
    text: str
    op: Literal["send_sms"] = "send_sms"


@dataclass(frozen=True, slots=True)
class Emit(Asks[Done | Refused]):
    """Send an event to the webhooks that want it (R112). `Done`: it was taken for delivery."""

    event: str
    data: Mapping[str, str | int | bool] = field(default_factory=dict)
    op: Literal["emit"] = "emit"


@dataclass(frozen=True, slots=True)
class DetectAnswer(Asks[AnswerDetected | Refused]):
    """Listen to who answered a call that we placed (R74)."""

    timeout_ms: int
    op: Literal["detect_answer"] = "detect_answer"


@dataclass(frozen=True, slots=True)
class JoinConference(Asks[ConferenceLeft | Refused]):
    """Let the caller into a conference room until one of both ends it (R61)."""

    room: str
    muted: bool = False
    max_members: int = 0
    op: Literal["join_conference"] = "join_conference"


@dataclass(frozen=True, slots=True)
class Hangup(Asks[Done]):
    """End the call with a cause in FreeSWITCH's spelling. `reason` says why, for the record. Result: `Done`."""

    cause: str = "NORMAL_CLEARING"
    reason: str = ""
    op: Literal["hangup"] = "hangup"


Instruction = Annotated[
    Answer
    | Play
    | Collect
    | SetAttributes
    | CheckCalendar
    | Connect
    | Record
    | EnterFlow
    | SendKeys
    | HttpRequest
    | FindContact
    | CheckNotice
    | ReadQueue
    | Enqueue
    | RequestCallback
    | RecordMessage
    | SendSms
    | Emit
    | DetectAnswer
    | JoinConference
    | Hangup,
    Field(discriminator="op"),
]

INSTRUCTIONS: tuple[type[Asks[Any]], ...] = get_args(get_args(Instruction)[0])
"""All instructions there are."""


@dataclass(frozen=True, slots=True)
class NodeEntered:
    """The flow came to `node`. `exit` is the exit by which the node before was left, None at the entry of a flow."""

    flow: str
    version: str
    node: str
    exit: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What the flow program yields: the next instruction and the nodes entered since the one before."""

    instruction: Instruction
    entered: tuple[NodeEntered, ...] = field(default=())
