"""What is told through the shared state: to the owner of a pool, to the engines that have its calls, to people.

The owner's news are numbered one by one, agents and members each for themselves: what comes twice is recognised, and
what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson
from pydantic import TypeAdapter

from engine.acd.agent import Agent
from engine.domain.acd import Member, Offer, Passed, Standing
from engine.domain.routing import OverflowReason

KEEP_NEWS = 2_000
"""So many news stay for an owner who is behind; one who missed some loads his pool anew."""
KEEP_TOLD = 100_000
"""So many messages stay for an engine that does not read them."""
KEEP_TOLD_MS = 3_600_000
"""An inbox that nobody wrote to for so long is gone."""
KEEP_WHY = 20
"""So many explanations of one member stay."""
KEEP_WHY_MS = 86_400_000
MOST_PASSED = 50
"""So many agents who were not chosen are listed in an explanation."""


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where an owner knows the news: the last number of each kind."""

    agents: int = 0
    members: int = 0


class Became(StrEnum):
    """What became of a member."""

    JOINED = "joined"
    """He waits; of one who waits already: another engine has his call."""
    BACK = "back"
    """His offer is over and nobody took it: he waits again."""
    LEFT = "left"
    TAKEN = "taken"
    """He speaks with an agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberNews:
    """Of one member. `member`: as he is in the shared state (`joined` alone). `offer`: the one that is over by it, or
    that was out when he left ("" for none). `engine`: who has his call. `refused_by` belongs to `back`, `gave_up` (he
    hung up) to `left`.
    """

    number: int
    became: Became
    id: str
    member: Member | None = None
    offer: str = ""
    engine: str = ""
    refused_by: Mapping[str, int] | None = None
    gave_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What happened since, each with its number, and the shared clock after it.

    `last`: how far the news went when it was asked for them: all of it is here unless `more`.
    """

    agents: Sequence[tuple[int, Agent]]
    members: Sequence[MemberNews]
    last: Place
    at_ms: int
    more: bool = False


# What an engine's inbox holds


@dataclass(frozen=True, slots=True)
class Offered:
    """Ring the offer's agents for its member."""

    number: str
    offer: Offer


@dataclass(frozen=True, slots=True)
class Stop:
    """The offer is over: its agents' phones must not ring any more. Harmless where they don't."""

    number: str
    member: str


@dataclass(frozen=True, slots=True)
class Positions:
    """Where members stand whose place or whose expected wait changed."""

    of: Mapping[str, Standing]


@dataclass(frozen=True, slots=True)
class Leave:
    """The queue does not keep the member. He is out of the shared state already."""

    member: str
    queue: str
    reason: OverflowReason


Told = Offered | Stop | Positions | Leave

_TOLD: Mapping[str, TypeAdapter[Told]] = {
    "offer": TypeAdapter(Offered),
    "withdraw": TypeAdapter(Stop),
    "position": TypeAdapter(Positions),
    "leave": TypeAdapter(Leave),
}
_KINDS: Mapping[type[Told], str] = {Offered: "offer", Stop: "withdraw", Positions: "position", Leave: "leave"}


def to_lines(told: Told) -> tuple[str, str]:
    """Its kind and its JSON."""
    return _KINDS[type(told)], orjson.dumps(told).decode()


def from_lines(kind: str, line: str | bytes) -> Told:
    """What `to_lines` wrote. Raises KeyError and `pydantic.ValidationError` where it is none."""
    return _TOLD[kind].validate_json(line)


# What people and announcements read


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a member was offered to these agents (`offer`), or told to leave (`leave`), at `at_ms`.

    `passed`: agents who were not chosen, those who could have been first; `more`: so many others are not listed.
    """

    at_ms: int
    offer: Offer | None = None
    leave: OverflowReason | None = None
    passed: tuple[Passed, ...] = ()
    more: int = 0

    def to_json(self) -> str:
        """One line of JSON."""
        return orjson.dumps(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Explanation:
        """What `to_json` wrote. Raises `pydantic.ValidationError` where it is none."""
        return _WHY.validate_json(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """Of one queue, as its owner saw it at `at_ms`. Older than a few seconds: nobody owns the queue's pool.

    `waiting` counts those who are being offered, too; `longest_wait_ms` is 0 where nobody waits. `logged_in` counts
    breaks, `ready` those who could be offered somebody. The expected wait, on average and as a range, is that of a
    caller who would join now and asks for what callers of this queue usually do (for nothing special, or where few do
    so, for what most do); None where nothing can be told honestly.
    """

    queue: str
    at_ms: int
    waiting: int
    longest_wait_ms: int
    logged_in: int
    ready: int
    expected_wait_ms: int | None = None
    expected_low_ms: int | None = None
    expected_high_ms: int | None = None

    def to_json(self) -> str:
        """One line of JSON."""
        return orjson.dumps(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> QueueFigures:
        """What `to_json` wrote. Raises `pydantic.ValidationError` where it is none."""
        return _FIGURES.validate_json(text)


_WHY: TypeAdapter[Explanation] = TypeAdapter(Explanation)
_FIGURES: TypeAdapter[QueueFigures] = TypeAdapter(QueueFigures)
