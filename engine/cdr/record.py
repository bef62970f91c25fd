"""Journal → call record: a pure function, so that a record can be built again at any time (R90, R91)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from engine.cdr.stretches import Stretch, broken_off, cut, happened_ms
from engine.cdr.visits import visits
from engine.domain.call import (
    CallFacts,
    CallRecord,
    CallResult,
    HungUpBy,
    JsonObject,
    LegRecord,
    QueueOutcome,
    QueueVisit,
    Visit,
)
from engine.domain.journal import (
    Attached,
    Ended,
    Entry,
    InstructionGiven,
    LegEvent,
    RecordingEvent,
    Started,
)


class JournalBroken(ValueError):
    """The journal can't be a call's: `message` says what is missing."""


def build(entries: Sequence[Entry]) -> CallRecord:
    """The record of a call that has ended.

    Raises JournalBroken when the journal does not begin with `Started` or does not end with `Ended`.
    """
    if not entries or not isinstance(entries[0].event, Started):
        raise JournalBroken("the journal does not begin with 'started'")
    last = entries[-1]
    if not isinstance(last.event, Ended):
        raise JournalBroken("the journal does not end with 'ended'")
    facts, ended = entries[0].event.facts, last.event
    stretches = cut(entries)
    legs = _legs(entries, last.at_ms)
    queues = visits(stretches, legs, last)
    bridged = [
        happened_ms(entry) for entry in entries if isinstance(entry.event, LegEvent) and entry.event.event == "bridged"
    ]
    return CallRecord(
        call_id=facts.call_id,
        direction="inbound",
        did=facts.did or facts.did_raw,
        caller=facts.ani,
        caller_name=facts.caller_name,
        anonymous=facts.anonymous,
        route=facts.route,
        flow=facts.flow,
        flow_version=facts.flow_version,
        switch=facts.switch,
        sip_call_id=facts.sip_call_id,
        started_ms=facts.started_ms,
        answered_ms=_answered_ms(entries, stretches, bridged),
        ended_ms=last.at_ms,
        result=_result(ended, stretches, queues, bool(bridged)),
        hung_up_by=_hung_up_by(ended, stretches),
        hangup_cause=ended.cause,
        reason=ended.reason or _hangup_reason(stretches) or facts.refusal,
        wait_ms=max(0, (bridged[0] if bridged else last.at_ms) - facts.started_ms),
        talk_ms=sum(leg.talk_ms for leg in legs),
        resumed=_resumed(entries),
        path=_path(facts, entries, last.at_ms),
        legs=legs,
        queues=queues,
        recordings=_recordings(entries),
        attributes=_attributes(stretches),
    )


def _recordings(entries: Sequence[Entry]) -> tuple[str, ...]:
    events = [entry.event for entry in entries if isinstance(entry.event, RecordingEvent)]
    failed = {event.recording for event in events if event.event == "failed"}
    return tuple(event.recording for event in events if event.event == "started" and event.recording not in failed)


def _resumed(entries: Sequence[Entry]) -> int:
    """How often the call had to be taken up where an engine had left it; the usual return from a talk is none."""
    attached = [entry.event for entry in entries if isinstance(entry.event, Attached)]
    return sum(later.attempt > 1 or later.engine != before.engine for before, later in pairwise(attached))


def _answered_ms(entries: Sequence[Entry], stretches: Sequence[Stretch], bridged: Sequence[int]) -> int | None:
    """The first of: told by the switch, by the flow, or joined with somebody while it rang, which answers it too."""
    told = [
        entry.at_ms
        for entry in entries
        if isinstance(entry.event, LegEvent) and entry.event.party_kind == "caller" and entry.event.event == "answered"
    ]
    by_flow = [
        stretch.result_ms
        for stretch in stretches
        if stretch.instruction.get("op") == "answer"
        and stretch.instruction.get("mode") == "answer"
        and stretch.result_ms is not None
    ]
    return min([*told, *by_flow, *bridged], default=None)


def _result(ended: Ended, stretches: Sequence[Stretch], queues: Sequence[QueueVisit], talked: bool) -> CallResult:
    if talked:
        return CallResult.HANDLED
    if ended.hung_up_by != "caller":
        return CallResult.OTHER_END
    if not stretches:
        return CallResult.LOST_BEFORE_IVR
    pending = broken_off(stretches)
    match pending and pending.instruction.get("op"):
        case "connect":
            return CallResult.LOST_RINGING
        case "enqueue":  # the last visit is the one that was broken off
            rang = queues[-1].outcome is QueueOutcome.ABANDONED_RINGING
            return CallResult.LOST_RINGING if rang else CallResult.LOST_IN_QUEUE
    return CallResult.LOST_IN_IVR


def _hung_up_by(ended: Ended, stretches: Sequence[Stretch]) -> HungUpBy:
    """The agent ended the call when all that followed the agent's hangup was the flow's own way out."""
    if ended.hung_up_by == "caller":
        return HungUpBy.CALLER
    for stretch in reversed(stretches):
        if stretch.instruction.get("op") in ("hangup", "set_attributes", "record"):
            continue
        result = stretch.result or {}
        if result.get("kind") == "conversation" and result.get("ended_by") == "agent":
            return HungUpBy.AGENT
        break
    return HungUpBy.SYSTEM


def _hangup_reason(stretches: Sequence[Stretch]) -> str:
    """The reason that the flow gave for its hangup, whatever it cleaned up after it."""
    for stretch in reversed(stretches):
        if stretch.instruction.get("op") == "hangup" and (stretch.result or {}).get("kind") != "refused":
            return str(stretch.instruction.get("reason", ""))
        if stretch.instruction.get("op") != "set_attributes":
            break
    return ""


def _path(facts: CallFacts, entries: Sequence[Entry], ended_ms: int) -> tuple[Visit, ...]:
    entered = [
        (entry.at_ms, node)
        for entry in entries
        if isinstance(entry.event, InstructionGiven)
        for node in entry.event.entered
    ]
    closing: tuple[int, JsonObject] = (ended_ms, {})
    return tuple(
        Visit(
            flow=here.get("flow", facts.flow),
            version=here.get("version", facts.flow_version),
            node=here["node"],
            entered_ms=at_ms,
            left_ms=next_ms,
            exit=after.get("exit"),
        )
        for (at_ms, here), (next_ms, after) in pairwise([*entered, closing])
    )


def _legs(entries: Sequence[Entry], ended_ms: int) -> tuple[LegRecord, ...]:
    order: dict[str, dict[str, tuple[int, LegEvent]]] = {}
    for entry in entries:
        if isinstance(entry.event, LegEvent) and entry.event.party_kind != "caller":
            order.setdefault(entry.event.leg, {}).setdefault(entry.event.event, (happened_ms(entry), entry.event))
    return tuple(_leg(leg_id, events, ended_ms) for leg_id, events in order.items())


def _leg(leg_id: str, events: dict[str, tuple[int, LegEvent]], ended_ms: int) -> LegRecord:
    first_ms, first = next(iter(events.values()))
    bridged = events.get("bridged")
    apart = events.get("unbridged") or events.get("ended")
    ended = events.get("ended") or events.get("unbridged")
    answered = events.get("answered") or bridged
    apart_ms = apart[0] if apart else ended_ms
    return LegRecord(
        leg_id=leg_id,
        kind=first.party_kind or "agent",
        party=first.party,
        started_ms=first_ms,
        answered_ms=answered[0] if answered else None,
        ended_ms=ended[0] if ended else ended_ms,
        talk_ms=max(0, apart_ms - bridged[0]) if bridged else 0,
        hangup_cause=ended[1].cause if ended else "",
        result="talked" if bridged else "answered" if answered else "not_answered",
    )


def _attributes(stretches: Sequence[Stretch]) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for stretch in stretches:
        if stretch.instruction.get("op") == "set_attributes" and stretch.result is not None:
            attributes.update(stretch.instruction.get("attributes", {}))
    return attributes
