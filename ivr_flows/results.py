"""What the runtime answers to `ivr_flows.instructions`. Plain data, written to the call's journal as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

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


Result = Annotated[
    Done | Refused | Played | PlayFailed | Collected | CalendarState | Conversation | NotConnected | FlowEntered,
    Field(discriminator="kind"),
]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent into the flow program: the result, and when it came, in ms since the program's start.

    The program reads no clock; its time limit is held against `at_ms`.
    """

    result: Result
    at_ms: int


class CallerGone(Exception):
    """The caller hung up. Thrown into the flow program, so that a node's `finally` cleans up."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause
