"""What the runtime answers to `ivr_flows.instructions`. Plain data, written to the call's journal as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

from pydantic import Field


@dataclass(frozen=True, slots=True)
class Done:
    """Carried out; there is nothing to tell."""

    kind: Literal["done"] = "done"


@dataclass(frozen=True, slots=True)
class Refused:
    """Not carried out, and why: the flow takes its error exit."""

    reason: str
    kind: Literal["refused"] = "refused"


@dataclass(frozen=True, slots=True)
class Played:
    """Played to its end, or stopped by `key`."""

    key: str | None = None
    kind: Literal["played"] = "played"


@dataclass(frozen=True, slots=True)
class PlayFailed:
    """A prompt is missing or can't be read. What came before it was played, what comes after it was not."""

    reason: str
    kind: Literal["play_failed"] = "play_failed"


@dataclass(frozen=True, slots=True)
class Collected:
    """The keys pressed, without the terminator, possibly none; `terminator` None: by length or by time."""

    digits: str
    terminator: str | None = None
    kind: Literal["collected"] = "collected"


@dataclass(frozen=True, slots=True)
class CalendarState:
    """The calendar's state at the moment of the question."""

    state: Literal["open", "closed", "holiday"]
    kind: Literal["calendar"] = "calendar"


@dataclass(frozen=True, slots=True)
class Conversation:
    """They talked for `talk_ms`; `ended_by` says who of the two hung up.

    The caller is still there, or this would not be sent.
    """

    talk_ms: int
    ended_by: Literal["agent", "system"] = "agent"
    cause: str = "NORMAL_CLEARING"
    kind: Literal["conversation"] = "conversation"


@dataclass(frozen=True, slots=True)
class NotConnected:
    """No conversation came about. `not_ready`: no phone is registered, or the agent is not to be rung.

    `cause` is the switch's, in FreeSWITCH's spelling.
    """

    why: Literal["busy", "no_answer", "rejected", "not_ready", "failed"]
    cause: str
    kind: Literal["not_connected"] = "not_connected"


@dataclass(frozen=True, slots=True)
class FlowEntered:
    """The version of the flow that is to be run."""

    version: str
    kind: Literal["flow_entered"] = "flow_entered"


@dataclass(frozen=True, slots=True)
class HttpAnswered:
    """The service answered with 2xx and JSON. `values` has what the pointers lead to: text, number, truth, or None for
    what isn't there or is an object, a list or null.
    """

    status: int
    values: Mapping[str, str | int | float | bool | None]
    kind: Literal["http_answered"] = "http_answered"


@dataclass(frozen=True, slots=True)
class HttpFailed:
    """No answer of use. `refused`: not allowed here, or the service said no (3xx, 4xx). `status` 0: no answer."""

    why: Literal["refused", "timeout", "error"]
    reason: str
    status: int = 0
    kind: Literal["http_failed"] = "http_failed"


@dataclass(frozen=True, slots=True)
class ContactsFound:
    """How many contacts fit, and the fields of the first one."""

    count: int
    fields: Mapping[str, str] = field(default_factory=dict)
    kind: Literal["contacts"] = "contacts"


@dataclass(frozen=True, slots=True)
class NoticeState:
    """Whether a notice is on; then its sound files below the prompts directory, in a language that it has."""

    active: bool
    files: tuple[str, ...] = ()
    kind: Literal["notice"] = "notice"


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """A queue at this moment. `expected_wait_s` None: not known yet."""

    ready: int
    logged_in: int
    waiting: int
    longest_wait_s: int
    expected_wait_s: int | None = None
    kind: Literal["queue_figures"] = "queue_figures"


@dataclass(frozen=True, slots=True)
class Onward:
    """Where a queue sends calls that it does not keep: the id of a flow, a queue or an agent, or a public number."""

    kind: Literal["flow", "queue", "agent", "number"]
    target: str


@dataclass(frozen=True, slots=True)
class QueueLeft:
    """The caller left the queue without an agent: why, with which key, and where the queue's settings send him then."""

    why: Literal["timeout", "no_agents", "full", "closed", "key"]
    key: str | None = None
    waited_ms: int = 0
    onward: Onward | None = None
    kind: Literal["queue_left"] = "queue_left"


@dataclass(frozen=True, slots=True)
class CallbackNoted:
    """What became of a request for a callback. `duplicate`: there is an open one for this number and queue (R40)."""

    outcome: Literal["accepted", "duplicate", "closed"]
    kind: Literal["callback_noted"] = "callback_noted"


@dataclass(frozen=True, slots=True)
class MessageLeft:
    """A message was recorded and kept, or was too short and thrown away (`message` empty)."""

    message: str
    length_ms: int
    kind: Literal["message_left"] = "message_left"


@dataclass(frozen=True, slots=True)
class AnswerDetected:
    """Who seems to have answered the call that we placed."""

    who: Literal["human", "machine", "fax", "unsure"]
    kind: Literal["answer_detected"] = "answer_detected"


@dataclass(frozen=True, slots=True)
class ConferenceLeft:
    """The caller was in the conference for `talk_ms` and left it, or was let out."""

    talk_ms: int
    kind: Literal["conference_left"] = "conference_left"


Result = Annotated[
    Done
    | Refused
    | Played
    | PlayFailed
    | Collected
    | CalendarState
    | Conversation
    | NotConnected
    | FlowEntered
    | HttpAnswered
    | HttpFailed
    | ContactsFound
    | NoticeState
    | QueueFigures
    | QueueLeft
    | CallbackNoted
    | MessageLeft
    | AnswerDetected
    | ConferenceLeft,
    Field(discriminator="kind"),
]

RESULTS: tuple[type, ...] = get_args(get_args(Result)[0])
"""All results there are."""


@dataclass(frozen=True, slots=True)
class QueueStanding:
    """Where a waiting caller stands: his place from 1 (0: not known), and how long he has waited, s.

    `wait_low_s` and `wait_high_s`: between which waits from now on he will probably be answered; None: not known.
    """

    position: int
    waited_s: int = 0
    wait_low_s: int | None = None
    wait_high_s: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent into the flow program: the result, and when it came, in ms since the program's start.

    The program reads no clock; its time limit is held against `at_ms`. `standing`: where the caller of a waiting flow
    stands now; None: nothing new.
    """

    result: Result
    at_ms: int
    standing: QueueStanding | None = None


class CallerGone(Exception):
    """The caller hung up. Thrown into the flow program, so that a node's `finally` cleans up."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause
