"""The call in the words of the trade: what is known when it comes, and what is kept when it is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class CallFacts:
    """All that was known when the call came; the first entry of its journal.

    `call_id` is the id of the channel on which the call began: the switch's logs and ours meet in it. `did` and `ani`
    are normalised (E.164, or an internal extension); `*_raw` are as received. Nothing raw may reach a command.
    `trunk`: the one that the call came over ("" where it came over none, or that is not known). `refusal`: why no flow
    runs, though the number has one (`number_full`, `trunk_full`); `fallback` is the number that takes such a call.
    """

    call_id: str
    did: str
    did_raw: str
    ani: str
    ani_raw: str
    anonymous: bool
    caller_name: str
    route: str
    flow: str
    flow_version: str
    language: str
    country: str
    record: bool
    snapshot: int
    switch: str
    sip_call_id: str
    started_ms: int
    trunk: str = ""
    refusal: str = ""
    fallback: str = ""


class HungUpBy(StrEnum):
    """Which side ended the call."""

    CALLER = "caller"
    AGENT = "agent"
    SYSTEM = "system"


class CallResult(StrEnum):
    """What became of the call: exactly one for each (R91)."""

    HANDLED = "handled"
    LOST_BEFORE_IVR = "lost_before_ivr"
    LOST_IN_IVR = "lost_in_ivr"
    LOST_IN_QUEUE = "lost_in_queue"
    LOST_RINGING = "lost_ringing"
    CALLBACK = "callback"
    MESSAGE = "message"
    OTHER_END = "other_end"


@dataclass(frozen=True, slots=True)
class Visit:
    """One node of the path: when it was entered and by which exit it was left (None: the call ended there)."""

    flow: str
    version: str
    node: str
    entered_ms: int
    left_ms: int
    exit: str | None = None


@dataclass(frozen=True, slots=True)
class LegRecord:
    """One leg. Times are UTC epoch milliseconds, None where it did not happen. `party` is an agent's id or a number."""

    leg_id: str
    kind: str
    party: str
    started_ms: int
    answered_ms: int | None
    ended_ms: int
    talk_ms: int
    hangup_cause: str
    result: str


class QueueOutcome(StrEnum):
    """How a visit of a queue ended: exactly one for each."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    """He hung up while he waited."""
    ABANDONED_RINGING = "abandoned_ringing"
    """He hung up while an agent was being rung for him."""
    TIMEOUT = "timeout"
    NO_AGENTS = "no_agents"
    FULL = "full"
    CLOSED = "closed"
    KEY = "key"
    ERROR = "error"
    """The queue could not be entered, or the call was ended by neither him nor the queue."""


@dataclass(frozen=True, slots=True)
class QueueVisit:
    """One visit of one queue, also where it did not keep the call; a call that overflows to another queue has two.

    `joined_ms`: when he joined, or was to. `left_ms`: when the conversation with `agent` began, or he left; `wait_ms`
    lies between. `ring_ms`: how long the phone of that agent rang until he accepted, 0 where none did. `offers`: how
    often an agent's phone was rung for him. `talk_ms`: the conversation that came of it.
    """

    queue: str
    joined_ms: int
    left_ms: int
    outcome: QueueOutcome
    key: str | None = None
    agent: str | None = None
    wait_ms: int = 0
    ring_ms: int = 0
    offers: int = 0
    talk_ms: int = 0


@dataclass(frozen=True, slots=True)
class CallRecord:
    """The one record of a call (R90), built from its journal by `engine.cdr.record.build`.

    `wait_ms`: from the start of the flow to the first conversation, or to the end where there was none.
    `talk_ms`: all conversations together.
    """

    call_id: str
    direction: str
    did: str
    caller: str
    caller_name: str
    anonymous: bool
    route: str
    flow: str
    flow_version: str
    switch: str
    sip_call_id: str
    started_ms: int
    answered_ms: int | None
    ended_ms: int
    result: CallResult
    hung_up_by: HungUpBy
    hangup_cause: str
    reason: str
    wait_ms: int
    talk_ms: int
    resumed: int
    path: tuple[Visit, ...]
    legs: tuple[LegRecord, ...]
    queues: tuple[QueueVisit, ...]
    recordings: tuple[str, ...]
    attributes: dict[str, str] = field(default_factory=dict)


JsonObject = dict[str, Any]
