"""Queues, agents and members in the words of the trade: what the matcher decides on, and what it decides.

All moments are UTC epoch milliseconds of the shared clock (Redis `TIME`), never of the machine's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MAX_SKILL = 10
"""Highest level of a skill; the lowest is 1."""
MAX_PRIORITY = 100
MAX_RINGS = 6
"""How many times a member's demands may relax, the first demands counted."""


class Strategy(StrEnum):
    """Which of the agents that fit is asked first. Ties go by the tier's position, then by the longest idle."""

    LONGEST_IDLE = "longest_idle"
    FEWEST_CALLS = "fewest_calls"
    LEAST_TALK_TIME = "least_talk_time"
    ROUND_ROBIN = "round_robin"
    TOP_DOWN = "top_down"
    RING_ALL = "ring_all"
    BEST_SKILL = "best_skill"
    OCCUPANCY = "occupancy"


class AgentState(StrEnum):
    """What an agent is doing (R50)."""

    LOGGED_OUT = "logged_out"
    READY = "ready"
    RINGING = "ringing"
    ON_CALL = "on_call"
    WRAP_UP = "wrap_up"
    BREAK = "break"


class Accept(StrEnum):
    """How an agent takes an offer."""

    ANSWER = "answer"
    KEY = "key"
    """Answers, hears the whispered name of the queue, presses 1."""
    AT_ONCE = "at_once"
    """The phone answers by itself."""


@dataclass(frozen=True, slots=True)
class Tier:
    """An agent's place in a queue: lower levels are asked first, within a level lower positions."""

    level: int = 1
    position: int = 1


@dataclass(frozen=True, slots=True)
class Ring:
    """Demands that hold from `after_ms` of waiting on: skills and their least levels."""

    after_ms: int
    skills: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRules:
    """How a queue works. `weight` multiplies what its members' waiting is worth to an agent of several queues.

    `ageing_per_min`: by how many points of priority a minute of waiting lifts a member. `tier_wait_ms`: after so long a
    wait the next tier level is asked too. `sticky_wait_ms`: how long a member waits for the agent who spoke with him.
    """

    id: str
    strategy: Strategy = Strategy.LONGEST_IDLE
    weight: float = 1.0
    ageing_per_min: float = 1.0
    tier_wait_ms: int = 15_000
    ring_ms: int = 20_000
    wrap_up_ms: int = 0
    sticky_wait_ms: int = 0
    accept: Accept = Accept.ANSWER
    open: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSnapshot:
    """An agent as the matcher sees him. `tiers`: the queues that he is logged in to.

    `ready_since_ms`: since when he has been ready without a call (0 where he is not). `calls`, `talk_ms`, `busy_ms` and
    `present_ms` count since he logged in; occupancy is busy by present.
    """

    id: str
    state: AgentState
    since_ms: int
    reachable: bool = True
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    skills: Mapping[str, int] = field(default_factory=dict)
    ready_since_ms: int = 0
    last_offer_ms: int = 0
    calls: int = 0
    talk_ms: int = 0
    busy_ms: int = 0
    present_ms: int = 0

    @property
    def available(self) -> bool:
        """Whether he may be offered a call (R5)."""
        return self.state is AgentState.READY and self.reachable


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A caller who waits in a queue. `rings` begin with the one of `after_ms` 0 and only ever ask for less.

    `sticky_agent` is who spoke with this number last; until `sticky_until_ms` nobody else is asked, if that agent is
    available or on his way to be (R8). `joined_ms` stays what it was when an agent did not answer (R53). `engine` has
    his call. At `wait_until_ms` his longest wait is over (0: never).
    """

    id: str
    queue: str
    joined_ms: int
    priority: float = 0.0
    rings: tuple[Ring, ...] = (Ring(0, {}),)
    sticky_agent: str | None = None
    sticky_until_ms: int = 0
    refused_by: Mapping[str, int] = field(default_factory=dict)
    """Agents who did not take this member, and until when they are not asked again."""
    engine: str = ""
    wait_until_ms: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a member stands, from 1, and between which waits from now on he will probably be answered (R30).

    None where nothing can be told honestly.
    """

    position: int
    wait_low_ms: int | None = None
    wait_high_ms: int | None = None


class Why(StrEnum):
    """Why an agent was not chosen for a member."""

    NOT_LOGGED_IN = "not_logged_in"
    """Not in this queue."""
    NOT_READY = "not_ready"
    UNREACHABLE = "unreachable"
    SKILL = "skill"
    TIER = "tier"
    """His level is not asked yet."""
    STICKY = "sticky"
    """The member waits for another agent."""
    REFUSED = "refused"
    """He did not take this member a moment ago."""
    OTHER_MEMBER = "other_member"
    """Another member goes before."""
    OTHER_AGENT = "other_agent"
    """Another agent goes before, by the queue's strategy."""


@dataclass(frozen=True, slots=True)
class Passed:
    """An agent who was not chosen; `detail` is for people: the skill, the level, the value compared."""

    agent: str
    why: Why
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """This member for these agents (several with `ring_all`), decided at `at_ms`.

    `ring`: index of the demands that the agent fits first; `score` tells by what the strategy chose, for people.
    `ring_ms` and `accept`: how long the phones ring and how the offer is taken, by the queue's rules at that moment.
    """

    member: str
    queue: str
    agents: tuple[str, ...]
    at_ms: int
    strategy: Strategy
    ring: int
    score: str
    waited_ms: int
    ring_ms: int = 20_000
    accept: Accept = Accept.ANSWER
