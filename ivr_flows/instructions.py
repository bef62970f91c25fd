"""What a flow may ask of the runtime. A node yields one of these and is sent one of `ivr_flows.results`.

Instructions are plain data: they are written to the call's journal as JSON and compared when a call is resumed,
so a field that is added later needs a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A sound file, by its path below the prompts directory (`prompts/welcome-cs.wav`, `say/cs/20.wav`)."""

    path: str
    kind: Literal["file"] = "file"


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


Media = Annotated[PromptFile | Tone | Pause, Field(discriminator="kind")]

RINGBACK = Tone(hz=(425,), on_ms=1000, off_ms=4000, repeats=0)
"""The ringing tone of the Czech and most European networks (ETSI TS 101 504)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the call, open early media, or only let it ring. Doing it twice changes nothing."""

    mode: Literal["answer", "early_media", "ringing"] = "answer"
    op: Literal["answer"] = "answer"


@dataclass(frozen=True, slots=True)
class Play:
    """Play to the caller, in order; any key of `stop_keys` ends it at once. Result: `Played` or `PlayFailed`."""

    media: tuple[Media, ...]
    stop_keys: str = ""
    op: Literal["play"] = "play"


@dataclass(frozen=True, slots=True)
class Collect:
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
class SetAttributes:
    """Attach attributes to the call: they go with it to the agent, the record and the reports (R9). Result: `Done`."""

    attributes: Mapping[str, str]
    op: Literal["set_attributes"] = "set_attributes"


@dataclass(frozen=True, slots=True)
class CheckCalendar:
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
class Connect:
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
class Record:
    """Start, stop, pause, resume, mask or unmask the recording of the call. Result: `Done` or `Refused`."""

    action: Literal["start", "stop", "pause", "resume", "mask", "unmask"]
    op: Literal["record"] = "record"


@dataclass(frozen=True, slots=True)
class EnterFlow:
    """Go on in another flow, at a version or at the one that is active now. Result: `FlowEntered` or `Refused`."""

    flow: str
    version: str | None = None
    op: Literal["enter_flow"] = "enter_flow"


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the call with a cause in FreeSWITCH's spelling. `reason` says why, for the record. Result: `Done`."""

    cause: str = "NORMAL_CLEARING"
    reason: str = ""
    op: Literal["hangup"] = "hangup"


Instruction = Annotated[
    Answer | Play | Collect | SetAttributes | CheckCalendar | Connect | Record | EnterFlow | Hangup,
    Field(discriminator="op"),
]


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
