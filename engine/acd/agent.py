"""An agent as his state machine keeps him, what can happen to him, and what is logged of it (R50–R53).

All moments are UTC epoch milliseconds of the shared clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import orjson
from pydantic import TypeAdapter

from engine.domain.acd import AgentSnapshot, AgentState, Tier

NO_ANSWER = "no_answer"
"""Reason of the break that an agent is put on who let an offer ring (R53)."""
PHONE_FAILED = "phone_failed"
"""The same where his phone could not be rung at all."""


class BreakKind(StrEnum):
    """Whose time a break is (R50)."""

    WORK = "work"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Break:
    """Why an agent takes no calls."""

    reason: str
    kind: BreakKind = BreakKind.WORK


@dataclass(frozen=True, slots=True)
class HeldOffer:
    """The offer that reserved the agent, until its conversation begins.

    `last_offer_ms`: when he was asked the time before, so that an offer that is withdrawn leaves no trace.
    """

    number: str
    call: str
    queue: str
    last_offer_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An agent's record; `version` grows by one with each change.

    `assigned` are the queues that he belongs to, `tiers` those that he is logged in to. Without any he is logged out,
    or will be as soon as his call allows. `break_next` begins when what he does now is over. `offer` is set while he
    rings, and from his answer until the conversation begins; `talking_since_ms` is 0 until then. `ready_since_ms` is
    kept while he is asked, for an offer that is withdrawn. `calls` counts conversations out of queues.
    """

    id: str
    state: AgentState = AgentState.LOGGED_OUT
    since_ms: int = 0
    version: int = 0
    reachable: bool = True
    assigned: Mapping[str, Tier] = field(default_factory=dict)
    may_choose_queues: bool = True
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    skills: Mapping[str, int] = field(default_factory=dict)
    on_break: Break | None = None
    break_next: Break | None = None
    offer: HeldOffer | None = None
    call: str = ""
    queue: str = ""
    talking_since_ms: int = 0
    wrap_up_until_ms: int = 0
    ready_since_ms: int = 0
    last_offer_ms: int = 0
    calls: int = 0
    talk_ms: int = 0
    busy_ms: int = 0
    present_ms: int = 0

    def snapshot(self) -> AgentSnapshot:
        """The agent as the matcher sees him. `busy_ms` and `present_ms` reach until `since_ms`."""
        return AgentSnapshot(
            id=self.id,
            state=self.state,
            since_ms=self.since_ms,
            reachable=self.reachable,
            tiers=self.tiers,
            skills=self.skills,
            ready_since_ms=self.ready_since_ms if self.state is AgentState.READY else 0,
            last_offer_ms=self.last_offer_ms,
            calls=self.calls,
            talk_ms=self.talk_ms,
            busy_ms=self.busy_ms,
            present_ms=self.present_ms,
        )

    @property
    def available(self) -> bool:
        """Whether he may be offered a call (R5)."""
        return self.state is AgentState.READY and self.reachable

    def to_json(self) -> str:
        """One line of JSON."""
        return orjson.dumps(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Agent:
        """The record that `to_json` wrote. Raises `pydantic.ValidationError` where it is none."""
        return _AGENT.validate_json(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEvent:
    """A change, for the log (R50): every version of an agent's record has one.

    `what` is the name of what happened. `reason` and `kind` belong to the break that began or was asked for; `queue`
    is the call's, or the one that he logged in to or out of.
    """

    agent: str
    version: int
    at_ms: int
    what: str
    from_state: AgentState
    to_state: AgentState
    reason: str = ""
    kind: BreakKind | None = None
    call: str = ""
    queue: str = ""

    def to_json(self) -> str:
        """One line of JSON."""
        return orjson.dumps(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> AgentEvent:
        """The event that `to_json` wrote. Raises `pydantic.ValidationError` where it is none."""
        return _EVENT.validate_json(text)


_AGENT: TypeAdapter[Agent] = TypeAdapter(Agent)
_EVENT: TypeAdapter[AgentEvent] = TypeAdapter(AgentEvent)


# What can happen


@dataclass(frozen=True, slots=True)
class LogIn:
    """To one of his queues, or to all. `forced`: a supervisor does it, who needs no leave (R52)."""

    queue: str | None = None
    forced: bool = False


@dataclass(frozen=True, slots=True)
class LogOut:
    """Of one queue, or of all. Out of all is never forbidden."""

    queue: str | None = None
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """The end of a break or of wrap-up; while he rings or talks it takes back the break that he asked for."""


@dataclass(frozen=True, slots=True)
class TakeBreak:
    """A break, at once or after the call."""

    why: Break


@dataclass(frozen=True, slots=True)
class Reserved:
    """An offer is made to him: his phone is about to ring."""

    offer: str
    call: str
    queue: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """He took the offer: by answering, by a key, or his phone did by itself."""

    offer: str


@dataclass(frozen=True, slots=True)
class Refused:
    """He rejected the offer. He stays where he is in line: to refuse earns no pause."""

    offer: str


@dataclass(frozen=True, slots=True)
class NotAnswered:
    """He let the offer ring, or his phone did not work. `reason`: of the break that follows."""

    offer: str
    reason: str = NO_ANSWER


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The offer is over: the member left, another agent was first, the switch failed.

    `refuses`: he gave it back by hanging up after he had accepted; he is not asked again at once for the same member.
    """

    offer: str
    refuses: bool = False


@dataclass(frozen=True, slots=True)
class ConversationBegan:
    """He speaks: with the member of the offer that he accepted, or, without `offer`, in a call of his own."""

    call: str
    offer: str = ""


@dataclass(frozen=True, slots=True)
class ConversationEnded:
    """`wrap_up_ms`: what the call's queue gives him for the work after it (R51)."""

    call: str
    wrap_up_ms: int = 0


@dataclass(frozen=True, slots=True)
class WrapUpSet:
    """He shortens or extends his wrap-up: it lasts `left_ms` from now on."""

    left_ms: int


@dataclass(frozen=True, slots=True)
class WrapUpOver:
    """His time is over. Refused before that, so that a timer that was set before an extension does no harm."""


@dataclass(frozen=True, slots=True)
class PhoneGone:
    """His phone is no longer registered."""


@dataclass(frozen=True, slots=True)
class PhoneBack:
    """His phone is registered."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """The supervisor changed his queues or skills. If he is logged in, he is so to new ones as well."""

    queues: Mapping[str, Tier]
    skills: Mapping[str, int]
    may_choose_queues: bool = True


OfferHappening = Accepted | Refused | NotAnswered | Withdrawn
Happening = (
    LogIn
    | LogOut
    | Ready
    | TakeBreak
    | Reserved
    | OfferHappening
    | ConversationBegan
    | ConversationEnded
    | WrapUpSet
    | WrapUpOver
    | PhoneGone
    | PhoneBack
    | Assigned
)
