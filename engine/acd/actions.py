"""What the owner of a pool has to do next, as `pool.Pool` decides it and `owner.Owner` does it."""

from __future__ import annotations

from dataclasses import dataclass

from engine.acd.agent import Agent
from engine.acd.news import Explanation, Told
from engine.domain.acd import Offer
from engine.domain.routing import OverflowReason


@dataclass(frozen=True, slots=True)
class Reserve:
    """Make this offer; `agents` as they are known."""

    offer: Offer
    agents: tuple[Agent, ...]
    why: Explanation


@dataclass(frozen=True, slots=True)
class Dismiss:
    """The queue does not keep the member."""

    member: str
    reason: OverflowReason
    why: Explanation


@dataclass(frozen=True, slots=True)
class Tell:
    """A message for an engine."""

    engine: str
    told: Told


@dataclass(frozen=True, slots=True)
class Release:
    """Nobody rings the agent any more for this offer, and nobody said so: it is withdrawn."""

    agent: str
    offer: str


Action = Reserve | Dismiss | Tell | Release
