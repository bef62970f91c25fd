"""A call's visits of queues, from its journal (R91, R92)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.cdr.stretches import Stretch, broken_off, happened_ms
from engine.domain.call import LegRecord, QueueOutcome, QueueVisit
from engine.domain.journal import Ended, Entry, LegEvent, QueueEvent

CANCELLED = "ORIGINATOR_CANCEL"
"""The cause with which a phone stops ringing because the caller hung up."""

_LEFT: Mapping[str, QueueOutcome] = {
    each.value: each
    for each in (
        QueueOutcome.TIMEOUT,
        QueueOutcome.NO_AGENTS,
        QueueOutcome.FULL,
        QueueOutcome.CLOSED,
        QueueOutcome.KEY,
    )
}


def visits(stretches: Sequence[Stretch], legs: Sequence[LegRecord], last: Entry) -> tuple[QueueVisit, ...]:
    """The visits in their order. `last` is the journal's last entry."""
    talk_ms = {leg.leg_id: leg.talk_ms for leg in legs}
    hung_up = broken_off(stretches)
    found = []
    for stretch in stretches:
        if stretch.instruction.get("op") == "enqueue":
            found.append(_visit(stretch, talk_ms, last))
        if stretch is hung_up:
            break  # what a flow asks for when the caller is gone is no visit
    return tuple(found)


def _visit(stretch: Stretch, talk_ms: Mapping[str, int], last: Entry) -> QueueVisit:
    talks = _legs(stretch, "bridged")
    joined_ms = _joined_ms(stretch)
    if talks:
        left_ms, outcome, agent = talks[0][0], QueueOutcome.ANSWERED, talks[0][1].party
    else:
        left_ms, outcome, agent = stretch.result_ms or last.at_ms, _outcome(stretch, last), None
    left_ms = max(joined_ms, left_ms)
    return QueueVisit(
        queue=str(stretch.instruction.get("queue", "")),
        joined_ms=joined_ms,
        left_ms=left_ms,
        outcome=outcome,
        key=(stretch.result or {}).get("key") if outcome is QueueOutcome.KEY else None,
        agent=agent,
        wait_ms=left_ms - joined_ms,
        ring_ms=_ring_ms(stretch, *talks[0]) if talks else 0,
        offers=len(_legs(stretch, "offered")),
        talk_ms=sum(talk_ms.get(leg, 0) for leg in {event.leg for _, event in talks}),
    )


def _joined_ms(stretch: Stretch) -> int:
    """When he joined; where he did not, when he was to.

    The shared clock told it and the engine's all else: it lies between the instruction and the entry that says so.
    """
    for entry in stretch.during:
        if isinstance(entry.event, QueueEvent) and entry.event.event == "joined":
            return max(stretch.given_ms, min(happened_ms(entry), entry.at_ms))
    return stretch.given_ms


def _ring_ms(stretch: Stretch, bridged_ms: int, bridged: LegEvent) -> int:
    """How long the leg that he talked with rang until its agent accepted, who is the last one to do so."""
    rung_ms = next((at_ms for at_ms, event in _legs(stretch, "offered") if event.leg == bridged.leg), bridged_ms)
    accepted_ms = bridged_ms
    for entry in stretch.during:
        event = entry.event
        if isinstance(event, QueueEvent) and event.event == "accepted":
            accepted_ms = happened_ms(entry)
    return max(0, accepted_ms - rung_ms)


def _outcome(stretch: Stretch, last: Entry) -> QueueOutcome:
    """How the visit of a caller ended with whom nobody talked."""
    if stretch.result is not None:
        left = stretch.result.get("kind") == "queue_left"
        return _LEFT.get(stretch.result.get("why", ""), QueueOutcome.ERROR) if left else QueueOutcome.ERROR
    if not isinstance(last.event, Ended) or last.event.hung_up_by != "caller":
        return QueueOutcome.ERROR
    rang = _rang_to_the_end(stretch, last.event.cause)
    return QueueOutcome.ABANDONED_RINGING if rang else QueueOutcome.ABANDONED


def _rang_to_the_end(stretch: Stretch, cause: str) -> bool:
    """Whether a phone rang, or had just been answered, when the caller hung up (with this `cause`): it was hung up for
    that, with nothing else to follow.
    """
    ringing: set[str] = set()
    answered: set[str] = set()
    cancelled = False
    for entry in stretch.during:
        event = entry.event
        if isinstance(event, LegEvent) and event.event == "ended":
            ringing.discard(event.leg)
            cancelled |= event.cause == (cause if event.leg in answered else CANCELLED)
        elif isinstance(event, LegEvent) and event.event == "answered":
            answered.add(event.leg)
        elif isinstance(event, LegEvent) and event.event == "offered":
            cancelled = False
            ringing.add(event.leg)
        elif isinstance(event, QueueEvent) and event.event != "told":
            cancelled = False
    return cancelled or bool(ringing)


def _legs(stretch: Stretch, what: str) -> list[tuple[int, LegEvent]]:
    """When this happened to legs that were rung, in order."""
    return [
        (happened_ms(entry), entry.event)
        for entry in stretch.during
        if isinstance(entry.event, LegEvent) and entry.event.event == what and entry.event.party_kind != "caller"
    ]
