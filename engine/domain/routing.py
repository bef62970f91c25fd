"""Routing data as one immutable snapshot with a version. A call keeps the snapshot that it began with.

Secrets (SIP passwords of agents and trunks) are not in here: a snapshot may be logged and handed to any room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from engine.domain.acd import Accept, AgentState, QueueRules, Strategy, Tier


@dataclass(frozen=True, slots=True)
class NumberRoute:
    """Where calls to a number go.

    `pattern` in normal form: an E.164 number, an internal extension, a prefix ending in `*`, or `*` for all others
    (`dialplan.routes`).
    `trunk`: only calls that come over this trunk ("" for any). `max_channels`: calls at once (None: no limit, R12).
    `fallback`: the number that takes the calls while no engine can, or while there are `max_channels` ("" for none).
    """

    pattern: str
    flow: str
    language: str = "cs"
    country: str = "CZ"
    record: bool = False
    trunk: str = ""
    max_channels: int | None = None
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class AgentEntry:
    """An agent. `id` is also the SIP user; `number` the internal number under which colleagues reach the agent.

    `skills`: levels from 1 to `MAX_SKILL` by name. `queues`: where he works, and at which place (R2);
    `may_choose_queues`: whether he may log in to and out of single ones himself (R52). `mobile` ("" for none) is rung
    in place of his desk phone in the states `mobile_in` (R14).
    """

    id: str
    name: str
    number: str = ""
    skills: Mapping[str, int] = field(default_factory=dict)
    queues: Mapping[str, Tier] = field(default_factory=dict)
    may_choose_queues: bool = True
    mobile: str = ""
    mobile_in: tuple[AgentState, ...] = ()

    def rings_mobile(self, state: AgentState) -> bool:
        """Whether a call for him rings his mobile while he is in this state, and not his desk phone (R14)."""
        return bool(self.mobile) and state in self.mobile_in


@dataclass(frozen=True, slots=True)
class TrunkEntry:
    """A line to an operator, without its password; `dialplan.settings.Trunk` says more of each field.

    `caller_id`: the number shown where the flow shows none ("" for the caller's own). `max_channels`: calls at once in
    both directions (None: no limit, R12).
    """

    id: str
    proxy: str
    name: str = ""
    username: str = ""
    register: bool = False
    prefix: str = ""
    networks: tuple[str, ...] = ()
    ping_s: int | None = None
    caller_id: str = ""
    max_channels: int | None = None


class OverflowReason(StrEnum):
    """Why a queue does not keep a call (R3, R6, R32). The node `queue` has an exit of each name."""

    CLOSED = "closed"
    FULL = "full"
    NO_AGENTS = "no_agents"
    """Nobody is logged in."""
    TIMEOUT = "timeout"
    """The longest wait is over."""


class OverflowKind(StrEnum):
    """What a call overflows to."""

    FLOW = "flow"
    QUEUE = "queue"
    NUMBER = "number"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Overflow:
    """Where a call goes on: `target` is the id of the flow, queue or agent, or a public number in its one form."""

    kind: OverflowKind
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcements:
    """What a waiting caller is told, and how often; None: never (R30). The first one comes after `first_after_s`."""

    first_after_s: int = 15
    position_every_s: int | None = None
    expected_wait_every_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueEntry:
    """A queue's settings; those of how it chooses mean what they mean in `QueueRules`.

    `priority`: of calls whose flow gives none. `whisper` (heard by the agent before he talks) and `music` are paths of
    sound files, `wait_flow` the flow of kind `queue_wait` that callers hear, `calendar` the opening hours; "" for none.
    `max_waiting` and `max_wait_s`: None for no limit. `service_level_s`: answered within so much counts as in time.
    """

    id: str
    name: str
    strategy: Strategy = Strategy.LONGEST_IDLE
    priority: int = 0
    weight: float = 1.0
    ageing_per_min: float = 1.0
    tier_wait_s: int = 15
    ring_s: int = 20
    wrap_up_s: int = 0
    sticky_wait_s: int = 0
    accept: Accept = Accept.ANSWER
    whisper: str = ""
    wait_flow: str = ""
    music: str = ""
    calendar: str = ""
    overflow: Mapping[OverflowReason, Overflow] = field(default_factory=dict)
    max_waiting: int | None = None
    max_wait_s: int | None = None
    service_level_s: int = 20
    announcements: Announcements = field(default_factory=Announcements)

    def rules(self, *, is_open: bool) -> QueueRules:
        """The settings as the matcher takes them; `is_open` is what the calendar says now."""
        return QueueRules(
            id=self.id,
            strategy=self.strategy,
            weight=self.weight,
            ageing_per_min=self.ageing_per_min,
            tier_wait_ms=self.tier_wait_s * 1000,
            ring_ms=self.ring_s * 1000,
            wrap_up_ms=self.wrap_up_s * 1000,
            sticky_wait_ms=self.sticky_wait_s * 1000,
            accept=self.accept,
            open=is_open,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeEntry:
    """A notice on a general problem (R24). Calls hear it by what it says now, not by the snapshot they began with.

    `sounds`: the sound file below the prompts directory in each language; the first language stands in for those that
    are missing. `until_ms`: when it switches itself off (UTC epoch ms, None for never). `changed_ms`, `changed_by`:
    who switched or changed it last, and when.
    """

    id: str
    name: str
    sounds: Mapping[str, str]
    active: bool = False
    until_ms: int | None = None
    changed_ms: int = 0
    changed_by: str = ""

    def is_on(self, now_ms: int) -> bool:
        """Whether calls hear it at `now_ms` (UTC epoch ms)."""
        return self.active and (self.until_ms is None or now_ms < self.until_ms)

    def sound(self, language: str) -> str:
        """The sound file for callers of this language."""
        return self.sounds.get(language) or next(iter(self.sounds.values()))


@dataclass(frozen=True, slots=True)
class RoutingSnapshot:
    """All routing data at one version.

    `calendars` holds each calendar as JSON in the form of `dialplan.calendars`; `active_flows` the active version of
    each flow that has one. The mappings are shared between calls and are not to be changed.
    """

    version: int
    numbers: tuple[NumberRoute, ...] = ()
    agents: tuple[AgentEntry, ...] = ()
    trunks: tuple[TrunkEntry, ...] = ()
    calendars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    active_flows: Mapping[str, str] = field(default_factory=dict)
    queues: tuple[QueueEntry, ...] = ()
    notices: tuple[NoticeEntry, ...] = ()
