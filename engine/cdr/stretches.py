"""The journal of a call cut into its instructions, each with what happened while it was carried out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.domain.call import JsonObject
from engine.domain.journal import Entry, InstructionGiven, LegEvent, QueueEvent, ResultCame


@dataclass(frozen=True, slots=True)
class Stretch:
    """One instruction with its result, as far as it came, and the entries between the two (or up to the call's end)."""

    given_ms: int
    instruction: JsonObject
    result: JsonObject | None
    result_ms: int | None
    during: Sequence[Entry]


def happened_ms(entry: Entry) -> int:
    """When it happened, which may have been found out only later (UTC epoch ms)."""
    told = entry.event.happened_ms if isinstance(entry.event, LegEvent | QueueEvent) else None
    return told or entry.at_ms


def cut(entries: Sequence[Entry]) -> list[Stretch]:
    """The stretches of a journal, in the order in which the instructions were given."""
    results = {entry.event.step: (at, entry) for at, entry in enumerate(entries) if isinstance(entry.event, ResultCame)}
    stretches = []
    for at, entry in enumerate(entries, 1):
        if not isinstance(entry.event, InstructionGiven):
            continue
        until, came = results.get(entry.event.step, (len(entries), None))
        result = came.event.result if came and isinstance(came.event, ResultCame) else None
        during = entries[at:until]
        stretches.append(Stretch(entry.at_ms, entry.event.instruction, result, came.at_ms if came else None, during))
    return stretches


def broken_off(stretches: Sequence[Stretch]) -> Stretch | None:
    """The instruction that the end of the call broke off; None where there was none.

    Not the last one: what the flow does to clean up comes behind it.
    """
    return next((stretch for stretch in stretches if stretch.result is None), None)
