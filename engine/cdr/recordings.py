"""Journal → rows of the call's recordings: pure, used before a recording starts and when the call is over."""

from __future__ import annotations

from collections.abc import Sequence

from engine.domain.journal import Ended, Entry, LegEvent, RecordingEvent, Started
from engine.domain.recording import RecordingRow, RecordingState


def rows(entries: Sequence[Entry]) -> tuple[RecordingRow, ...]:
    """One row for each recording that was started, in order (R81).

    A recording ends when it is stopped, or with the call; until then its state is `recording`. `expected_ms` is what
    lies between, by our clock; the file is shorter where the call was on hold.
    """
    if not entries or not isinstance(entries[0].event, Started):
        return ()
    facts = entries[0].event.facts
    last = entries[-1]
    found = []
    for index, entry in enumerate(entries):
        event = entry.event
        if not isinstance(event, RecordingEvent) or event.event != "started":
            continue
        ended_ms = _ended_ms(entries[index + 1 :], event.recording)
        if ended_ms is None and isinstance(last.event, Ended):
            ended_ms = last.at_ms
        agent = _agent(entries, index)
        found.append(
            RecordingRow(
                id=event.recording,
                call_id=facts.call_id,
                path=event.path,
                state=RecordingState.RECORDING if ended_ms is None else RecordingState.ENDED,
                switch=facts.switch,
                started_ms=entry.at_ms,
                ended_ms=ended_ms,
                expected_ms=None if ended_ms is None else max(0, ended_ms - entry.at_ms),
                agent=agent,
                caller=facts.ani,
                did=facts.did,
            )
        )
    return tuple(found)


def _ended_ms(later: Sequence[Entry], recording: str) -> int | None:
    for entry in later:
        if isinstance(entry.event, RecordingEvent) and entry.event == RecordingEvent(
            recording, "stopped", entry.event.path
        ):
            return entry.at_ms
    return None


def _agent(entries: Sequence[Entry], index: int) -> str:
    """The agent in conversation: the last to answer before the recording began, else the first joined after."""
    before = [entry.event for entry in entries[:index] if _of_agent(entry, "answered")]
    after = [entry.event for entry in entries[index:] if _of_agent(entry, "bridged")]
    chosen = before[-1] if before else after[0] if after else None
    return chosen.party if isinstance(chosen, LegEvent) else ""


def _of_agent(entry: Entry, event: str) -> bool:
    return isinstance(entry.event, LegEvent) and entry.event.party_kind == "agent" and entry.event.event == event
