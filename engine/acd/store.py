"""What the engines share about queues: who owns a pool of queues, agents, waiting members, offers.

One engine at a time decides for a pool: it holds the pool's lease, whose number rises with every new holder; what an
older number says is refused. Agents belong to no pool: two owners may want the same one, and the first one has him.

    StoreError
    ├── StoreUnavailable  can't be reached, or refuses; what was asked may or may not be done
    ├── StateLost         the shared state is not what it was: `attach`, then put everything in again
    ├── LeaseLost         another engine decides for the pool
    ├── Outdated          an agent is not what was believed; `agents` says what they are
    ├── UnknownAgent      no record of that id
    ├── MemberGone        the member does not wait: he left, or is asked for already
    └── OfferOver         the offer is not there any more, or another agent took it
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from engine.acd.agent import (
    Accepted,
    Agent,
    AgentEvent,
    ConversationBegan,
    Happening,
    NotAnswered,
    Refused,
    Reserved,
    Withdrawn,
)
from engine.acd.lines import KnownLine
from engine.acd.news import Explanation, News, Place, QueueFigures, Told
from engine.acd.states import Change, apply
from engine.domain.acd import AgentState, Member, Offer
from engine.domain.routing import OverflowReason

POOL = "main"
"""All queues are one pool."""
ASK_AGAIN_AFTER_MS = 30_000
"""An agent who did not take a member is not asked again for that member until then."""
KEEP_EVENTS = 1_000_000
"""So many agents' events stay in the shared log where nobody reads them."""


class StoreError(Exception):
    """Of the shared state; the tree stands above."""


class StoreUnavailable(StoreError):
    """`str` says why. Whether it was done shows when the agent or the pool is read again."""


class StateLost(StoreError):
    """The shared state was emptied, or fell back to an older one. `attach` joins what there is or begins anew;
    members come back from live calls and journals, agents from what each engine knows.
    """


class LeaseLost(StoreError):
    """The pool has another owner."""

    def __init__(self, pool: str, number: int) -> None:
        super().__init__(f"pool {pool}: lease {number} is not the last one given: another engine decides now")


class Outdated(StoreError):
    """The agents changed meanwhile. `agents`: those of them that are there, as they are."""

    def __init__(self, agents: Sequence[Agent]) -> None:
        super().__init__(f"changed meanwhile: {', '.join(f'{each.id} is {each.state}' for each in agents) or 'gone'}")
        self.agents = tuple(agents)


class UnknownAgent(StoreError):
    """There is no record of this agent."""

    def __init__(self, agent: str) -> None:
        super().__init__(f"agent {agent}: not in the shared state; add_agent puts him in")


class MemberGone(StoreError):
    """There is nobody to offer."""

    def __init__(self, member: str) -> None:
        super().__init__(f"member {member} does not wait: he left, or an offer is out for him")


class OfferOver(StoreError):
    """Too late: the member left, or another agent took him."""

    def __init__(self, offer: str) -> None:
        super().__init__(f"offer {offer} is over: the member left, or another agent took him")


@dataclass(frozen=True, slots=True)
class Lease:
    """`number` is the fencing number: higher than every one given before, for whichever pool."""

    pool: str
    owner: str
    number: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class OpenOffer:
    """An offer that is out. `asked`: the agents whom it still holds; `taken_by`: who of them accepted it; `engine`: who
    was told to ring them.
    """

    number: str
    offer: Offer
    asked: frozenset[str]
    taken_by: str = ""
    engine: str = ""


@dataclass(frozen=True, slots=True)
class Reservation:
    """The offer's number, and the agents as they are now, each with his event."""

    number: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class PoolState:
    """All that a new owner needs. `offered`: members for whom an offer is out, with its number; `place`: the news that
    are in it already; `lines`: what the last owner learnt of how fast they move.
    """

    members: tuple[Member, ...] = ()
    offers: tuple[OpenOffer, ...] = ()
    offered: Mapping[str, str] = field(default_factory=dict)
    agents: tuple[Agent, ...] = ()
    place: Place = field(default_factory=Place)
    lines: tuple[KnownLine, ...] = ()


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """Of one queue, for decisions at call time (R6, R31, R32)."""

    logged_in: int
    ready: int
    waiting: int


@dataclass(frozen=True, slots=True)
class OfferStep:
    """What a happening means for its offer: take, begin or drop, and whether he did not want the member."""

    number: str
    kind: str
    refuses: bool


class AcdStore(Protocol):
    """Every method may raise StoreUnavailable, and all but `attach` and `now_ms` StateLost."""

    def attach(self) -> bool:
        """Join the shared state; True where there was none and this engine began it, empty. First thing to call."""

    def now_ms(self) -> int:
        """The shared clock."""

    # Leases

    def acquire(self, pool: str, owner: str, for_ms: int) -> Lease | None:
        """The pool, if nobody else has it. An engine that asks again is another process: it gets a new number."""

    def renew(self, lease: Lease, for_ms: int) -> Lease:
        """The same lease for `for_ms` from now on, also a late one that nobody took. Raises LeaseLost."""

    def release(self, lease: Lease) -> None:
        """Give the pool back, if it is still ours."""

    # Agents

    def add_agent(self, agent: Agent, event: AgentEvent | None = None) -> None:
        """Put in an agent who is not there, with what is to be logged of it. Raises Outdated with the one who is."""

    def drop_agent(self, agent: Agent) -> None:
        """Take out an agent who is logged out. No owner is told: to them he stays logged out, and one of the same id
        who is put in later must have a higher version. Raises Outdated where he is another by now, or gone, and
        ValueError where he is not logged out.
        """

    def agent(self, agent_id: str) -> Agent:
        """Raises UnknownAgent."""

    def change(self, agent_id: str, happening: Happening) -> Change:
        """What happened to an agent, at the shared clock's time, together with what it means for his offer.

        Accepted: the offer is his alone. ConversationBegan: the member waits no more. Refused, NotAnswered, Withdrawn:
        with the last agent who was asked the member waits again, at his old place. Raises UnknownAgent, NotPossible,
        OfferOver. Reserved is for `reserve` alone: ValueError.
        """

    def reserve(
        self, lease: Lease, offer: Offer, agents: Sequence[Agent], why: Explanation | None = None
    ) -> Reservation:
        """Make the offer: all of its agents are reserved, or none. `agents`: as the owner knows them.

        The engine that has the member's call finds it in its inbox; `why` is kept for people.

        Raises LeaseLost, MemberGone, Outdated (decide again), NotPossible.
        """

    # Members

    def join(self, pool: str, member: Member) -> Member:
        """The member waits. Who waits already (his call was resumed) stays as he is, which is what comes back; only his
        engine is the new one. The offer that is out for him comes into its inbox (again).
        """

    def leave(self, pool: str, member_id: str, gave_up: bool = False) -> str | None:
        """He waits no more. The number of the offer that was out for him: its agents' phones must stop ringing.

        `gave_up`: because he hung up, of which the expected wait of others is learnt.
        """

    def dismiss(self, lease: Lease, member_id: str, reason: OverflowReason, why: Explanation | None = None) -> None:
        """The queue does not keep him: he waits no more, and his engine is told. Raises LeaseLost, and MemberGone where
        he left or an offer is out for him.
        """

    # All at once

    def load(self, pool: str) -> PoolState:
        """The pool's members and offers, and all agents."""

    def counts(self, queue: str) -> QueueCounts:
        """How many, at this moment."""

    # What is told

    def wait_news(self, pool: str, after: Place, timeout_ms: int) -> News:
        """What happened after this place; where nothing did, as soon as something does or the time is over. In memory
        it does not wait. The time must be shorter than the client's `socket_timeout`.
        """

    def tell(
        self,
        lease: Lease,
        told: Iterable[tuple[str, Told]],
        figures: Iterable[QueueFigures] = (),
        known: Iterable[KnownLine] | None = None,
    ) -> None:
        """Messages for engines' inboxes, figures for all, and what the next owner is to know of the lines (None: what
        he would know before). Raises LeaseLost.
        """

    def inbox(self, engine: str, after: str = "0", timeout_ms: int = 0) -> list[tuple[str, Told]]:
        """Messages with their place, the oldest first; waits like `wait_news`. What is up to `after` is done with, and
        forgotten.
        """

    def figures(self, queue: str) -> QueueFigures | None:
        """What the queue's owner told last."""

    def all_figures(self) -> list[QueueFigures]:
        """The same of each queue that ever had an owner."""

    def why(self, member_id: str) -> list[Explanation]:
        """What was decided for him, the oldest first; also when he waits no more."""

    # The log

    def events(self, after: str = "0", most: int = 1000) -> list[tuple[str, AgentEvent]]:
        """Agents' events with their place in the log, the oldest first."""

    def forget_events(self, up_to: str) -> None:
        """Events up to this place are kept elsewhere."""


def offer_step(happening: Happening) -> OfferStep | None:
    """What the happening means for an offer; None where it has to do with none."""
    match happening:
        case Accepted(offer):
            return OfferStep(offer, "take", False)
        case ConversationBegan(_, offer) if offer:
            return OfferStep(offer, "begin", False)
        case Refused(offer) | NotAnswered(offer):
            return OfferStep(offer, "drop", True)
        case Withdrawn(offer, refuses):
            return OfferStep(offer, "drop", refuses)
        case Reserved():
            raise ValueError("an agent is reserved together with his offer: AcdStore.reserve")
    return None


def check_logged_out(agent: Agent) -> None:
    """Raises ValueError."""
    if agent.state is not AgentState.LOGGED_OUT:
        raise ValueError(f"agent {agent.id} is {agent.state}: only who is logged out can be taken out")


def reserved(number: str, offer: Offer, agents: Iterable[Agent]) -> tuple[Change, ...]:
    """The offer's agents after the reservation. Raises NotPossible, and Outdated where one is not among `agents`."""
    known = {agent.id: agent for agent in agents}
    if not known.keys() >= set(offer.agents):
        raise Outdated([known[each] for each in offer.agents if each in known])
    happening = Reserved(number, offer.member, offer.queue)
    return tuple(apply(known[each], happening, offer.at_ms) for each in offer.agents)
