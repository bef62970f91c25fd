"""The journal of a call: everything that happened, in order. Call record, path and a resumed call derive from it.

Entries are numbered from 1 without gaps; the number is also the entry's id in the store, so that an entry written twice
is one entry and two engines that believe to own the same call find out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, TypeAdapter

from engine.domain.call import CallFacts, JsonObject

FORMAT = 2
"""Version of the entries' format. An engine reads its own and those before, never one that it does not know."""


class FormatUnknown(ValueError):
    """A newer version of the engine wrote the journal; `format` is its format's version."""

    def __init__(self, format: int) -> None:
        super().__init__(f"the journal has format {format}, this engine reads {FORMAT} and older")
        self.format = format


@dataclass(frozen=True, slots=True)
class Started:
    """The call came. Always entry 1."""

    facts: CallFacts
    format: int = FORMAT
    kind: Literal["started"] = "started"


@dataclass(frozen=True, slots=True)
class Attached:
    """An engine took the call: at its start, when it came back from a conversation, or after another engine's death."""

    engine: str
    attempt: int
    kind: Literal["attached"] = "attached"


@dataclass(frozen=True, slots=True)
class InstructionGiven:
    """The flow asked for something: an `ivr_flows` instruction as JSON, and the nodes `entered` before it."""

    step: int
    instruction: JsonObject
    entered: tuple[JsonObject, ...] = ()
    kind: Literal["instruction"] = "instruction"


@dataclass(frozen=True, slots=True)
class ResultCame:
    """What became of the instruction of the same step. `at_ms`: the time that the flow was told, ms since its start."""

    step: int
    result: JsonObject
    at_ms: int
    kind: Literal["result"] = "result"


PartyKind = Literal["caller", "agent", "number", ""]


@dataclass(frozen=True, slots=True)
class LegEvent:
    """Something happened to a leg other than the caller's, or the caller's was answered.

    `trunk`: in `offered`, the trunk over which it is rung; "" for a phone.
    """

    leg: str
    event: Literal["offered", "answered", "bridged", "unbridged", "ended"]
    party: str = ""
    party_kind: PartyKind = ""
    cause: str = ""
    happened_ms: int | None = None
    """When it happened, where it was found out only later (UTC epoch ms)."""
    trunk: str = ""
    kind: Literal["leg"] = "leg"


@dataclass(frozen=True, slots=True)
class QueueEvent:
    """Something happened to the call in a queue, in the instruction `enqueue`. Its legs and its result tell the rest.

    `joined`: he began to wait at `happened_ms` (UTC epoch ms of the shared clock), which he keeps whatever comes.
    `offered`: the offer's number, and the agents who are asked. `accepted`: the agent who took the offer. `told`: he
    was, or may have been, told that this is his `position`.
    """

    event: Literal["joined", "offered", "accepted", "told"]
    queue: str
    offer: str = ""
    agents: tuple[str, ...] = ()
    happened_ms: int | None = None
    position: int | None = None
    kind: Literal["queue"] = "queue"


@dataclass(frozen=True, slots=True)
class RecordingEvent:
    """A recording began or ended, or could not be begun. `path` is the file on the switch's disk."""

    recording: str
    event: Literal["started", "stopped", "failed", "masked", "unmasked"]
    path: str = ""
    kind: Literal["recording"] = "recording"


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over; always the last entry. `hung_up_by`: who ended the caller's leg, as the switch tells."""

    cause: str
    hung_up_by: Literal["caller", "system"]
    reason: str = ""
    kind: Literal["ended"] = "ended"


Event = Annotated[
    Started | Attached | InstructionGiven | ResultCame | LegEvent | QueueEvent | RecordingEvent | Ended,
    Field(discriminator="kind"),
]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its number, when it was written (UTC epoch ms), and what happened."""

    n: int
    at_ms: int
    event: Event = field()


_ADAPTER: TypeAdapter[Entry] = TypeAdapter(Entry)
_FIRST: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


def encode(entry: Entry) -> bytes:
    """The entry as one line of JSON, UTF-8, without a line break."""
    return orjson.dumps(entry)


def decode(line: bytes | str) -> Entry:
    """The entry of one line. Raises `pydantic.ValidationError` when it is none."""
    return _ADAPTER.validate_json(line)


def read(lines: Iterable[bytes | str]) -> list[Entry]:
    """The entries of a journal's lines. Raises FormatUnknown, `pydantic.ValidationError` for a line that is none.

    The format is looked at first: entries of a newer one may have a form or a kind that is not known here.
    """
    lines = list(lines)
    if lines:
        found = _FIRST.validate_json(lines[0])
        event = found.get("event")
        written = event.get("format") if isinstance(event, dict) else None
        if isinstance(written, int) and written > FORMAT:
            raise FormatUnknown(written)
    return [decode(line) for line in lines]
