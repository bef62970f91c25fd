"""Routing data as one immutable snapshot with a version. A call keeps the snapshot that it began with.

Secrets (SIP passwords of agents and trunks) are not in here: a snapshot may be logged and handed to any room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class NumberRoute:
    """Where calls to a number go.

    `pattern` in normal form: an E.164 number, an internal extension, a prefix ending in `*`, or `*` for all others
    (`dialplan.routes`).
    `trunk`: only calls that come over this trunk ("" for any). `max_channels`: calls at once (None: no limit, R12).
    `fallback`: the number that takes the calls while no engine can ("" for none, R12).
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
    """An agent. `id` is also the SIP user; `number` the internal number under which colleagues reach the agent."""

    id: str
    name: str
    number: str = ""


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
