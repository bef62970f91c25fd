"""A recording's row: written before it starts, so that none is ever lost between switch and storage (R83)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from engine.domain.journal import Ended, Entry, InstructionGiven, LegEvent, QueueEvent, RecordingEvent, Started


class RecordingState(StrEnum):
    """How far a recording has come.

    expected → recording → ended → stored is the usual life. `quarantined`: the file is there and is not what it should
    be (kept, looked at by a person). `missing`: the file never came.
    """

    EXPECTED = "expected"
    RECORDING = "recording"
    ENDED = "ended"
    STORED = "stored"
    QUARANTINED = "quarantined"
    MISSING = "missing"


_MAY_BECOME: Mapping[RecordingState, frozenset[RecordingState]] = {
    RecordingState.EXPECTED: frozenset(RecordingState) - {RecordingState.EXPECTED},
    RecordingState.RECORDING: frozenset(RecordingState) - {RecordingState.EXPECTED, RecordingState.RECORDING},
    RecordingState.ENDED: frozenset({RecordingState.STORED, RecordingState.QUARANTINED, RecordingState.MISSING}),
    RecordingState.QUARANTINED: frozenset({RecordingState.STORED, RecordingState.MISSING}),
    RecordingState.MISSING: frozenset({RecordingState.STORED, RecordingState.QUARANTINED}),
    RecordingState.STORED: frozenset(),
}


def may_become(state: RecordingState, following: RecordingState) -> bool:
    """Whether a recording in `state` may go on to `following`. It never goes back, and what is stored stays stored."""
    return following in _MAY_BECOME[state]


def states_before(following: RecordingState) -> tuple[RecordingState, ...]:
    """The states from which a recording may go on to `following`."""
    return tuple(state for state in RecordingState if may_become(state, following))


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """One recording with the metadata that R81 asks for. Times are UTC epoch milliseconds.

    `path` is the file on the switch's disk and `switch` says which one; `bucket` and `key` where it is kept in object
    storage. `expected_ms` is how long the file should be, by the switch's events; `duration_ms` how long it is.
    `kind` is inbound, outbound, consult or voicemail; `queue_ms` the time that the caller waited in the queue.
    """

    id: str
    call_id: str
    path: str
    state: RecordingState = RecordingState.EXPECTED
    switch: str = ""
    kind: str = "inbound"
    started_ms: int | None = None
    ended_ms: int | None = None
    expected_ms: int | None = None
    channels: int | None = None
    sample_rate: int | None = None
    duration_ms: int | None = None
    bytes: int | None = None
    sha256: str = ""
    bucket: str = ""
    key: str = ""
    reason: str = ""
    agent: str = ""
    agent_name: str = ""
    agent_number: str = ""
    caller: str = ""
    did: str = ""
    queue: str = ""
    queue_name: str = ""
    queue_ms: int | None = None
    category: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


def rows_of(entries: Sequence[Entry]) -> tuple[RecordingRow, ...]:
    """What the journal of a call says of its recordings, in the order in which they began (R81).

    A recording is over when it was stopped, or with the call; until then its state is `recording`. `expected_ms` is
    what lies between, by our clock; the file is shorter where the call was on hold.
    """
    if not entries or not isinstance(entries[0].event, Started):
        return ()
    facts = entries[0].event.facts
    call_ended_ms = entries[-1].at_ms if isinstance(entries[-1].event, Ended) else None
    events: dict[str, list[tuple[int, RecordingEvent]]] = {}
    for entry in entries:
        if isinstance(entry.event, RecordingEvent):
            events.setdefault(entry.event.recording, []).append((entry.at_ms, entry.event))
    rows = []
    for recording, happened in events.items():
        started_ms, started = happened[0]
        stopped_ms = [at_ms for at_ms, event in happened if event.event in ("stopped", "failed")]
        ended_ms = stopped_ms[-1] if stopped_ms else call_ended_ms
        until_ms = entries[-1].at_ms if ended_ms is None else ended_ms
        agent = _agent_between(entries, started_ms, until_ms)
        queue, queue_ms = _queue_between(entries, started_ms, until_ms, agent)
        rows.append(
            RecordingRow(
                id=recording,
                call_id=facts.call_id,
                path=started.path,
                state=RecordingState.RECORDING if ended_ms is None else RecordingState.ENDED,
                switch=facts.switch,
                started_ms=started_ms,
                ended_ms=ended_ms,
                expected_ms=None if ended_ms is None else ended_ms - started_ms,
                agent=agent,
                caller=facts.ani,
                did=facts.did,
                queue=queue,
                queue_ms=queue_ms,
            )
        )
    return tuple(rows)


def _agent_between(entries: Sequence[Entry], from_ms: int, to_ms: int) -> str:
    """The first agent who spoke with the caller in this time, else the first who was about to; "" for none."""
    talks: dict[str, tuple[bool, int, str]] = {}
    for entry in entries:
        event = entry.event
        if not isinstance(event, LegEvent):
            continue
        if event.event in ("answered", "bridged") and event.party_kind == "agent" and entry.at_ms <= to_ms:
            candidate = (event.event != "bridged", entry.at_ms, event.party)
            talks[event.leg] = min(candidate, talks.get(event.leg, candidate))
        elif event.event in ("unbridged", "ended") and entry.at_ms < from_ms:
            talks.pop(event.leg, None)
    return min(talks.values())[2] if talks else ""


def _queue_between(entries: Sequence[Entry], from_ms: int, to_ms: int, agent: str) -> tuple[str, int | None]:
    """The queue out of which this agent took the caller, and how long he had waited by then; ("", None) for none."""
    found: tuple[str, int | None] = ("", None)
    joined_ms = 0
    for entry in entries:
        event = entry.event
        if entry.at_ms > to_ms:
            break
        if isinstance(event, InstructionGiven):
            if entry.at_ms <= from_ms:
                found = ("", None)  # he took him for a conversation before this one
            joined_ms = entry.at_ms
        elif isinstance(event, QueueEvent) and event.event == "joined":
            joined_ms = min(entry.at_ms, event.happened_ms or entry.at_ms)
        elif isinstance(event, QueueEvent) and event.event == "accepted" and agent in event.agents and not found[0]:
            found = (event.queue, max(0, entry.at_ms - joined_ms))
    return found
