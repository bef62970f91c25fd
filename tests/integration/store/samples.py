"""Calls and recordings to write and read."""

from __future__ import annotations

from engine.domain.call import (
    CallFacts,
    CallRecord,
    CallResult,
    HungUpBy,
    LegRecord,
    QueueOutcome,
    QueueVisit,
    Visit,
)
from engine.domain.journal import Attached, Ended, Entry, Event, LegEvent, RecordingEvent, Started
from engine.domain.recording import RecordingRow

T0 = 1_790_000_000_123
"""2026-09-21T14:13:20.123Z"""


def record(call_id: str = "c1", **changes: object) -> CallRecord:
    values: dict[str, object] = {
        "call_id": call_id,
        "direction": "inbound",
        "did": "+420222111000",
        "caller": "+420601234567",
        "caller_name": "Žofie Černá",
        "anonymous": False,
        "route": "+420222111000",
        "flow": "main",
        "flow_version": "0123456789abcdef",
        "switch": "fs1",
        "sip_call_id": "abc@192.0.2.1",
        "started_ms": T0,
        "answered_ms": T0 + 100,
        "ended_ms": T0 + 60_000,
        "result": CallResult.HANDLED,
        "hung_up_by": HungUpBy.AGENT,
        "hangup_cause": "NORMAL_CLEARING",
        "reason": "",
        "wait_ms": 5_000,
        "talk_ms": 54_001,
        "resumed": 0,
        "path": (
            Visit("main", "0123456789abcdef", "welcome", T0, T0 + 3_000, "done"),
            Visit("main", "0123456789abcdef", "agent", T0 + 3_000, T0 + 60_000, None),
        ),
        "legs": (
            LegRecord("l1", "agent", "alice", T0 + 3_000, None, T0 + 4_000, 0, "NO_ANSWER", "not_answered"),
            LegRecord("l2", "agent", "bob", T0 + 4_000, T0 + 5_000, T0 + 60_000, 54_001, "NORMAL_CLEARING", "talked"),
        ),
        "queues": (
            QueueVisit("orders", T0 + 3_000, T0 + 3_010, QueueOutcome.CLOSED, wait_ms=10),
            QueueVisit("support", T0 + 3_010, T0 + 5_999, QueueOutcome.ANSWERED, None, "bob", 2_989, 900, 2, 54_001),
        ),
        "recordings": ("r1",),
        "attributes": {"problem": "fakturace"},
    }
    return CallRecord(**values | changes)  # type: ignore[arg-type]


def facts(call_id: str = "c1") -> CallFacts:
    return CallFacts(
        call_id=call_id,
        did="+420222111000",
        did_raw="222111000",
        ani="+420601234567",
        ani_raw="601234567",
        anonymous=False,
        caller_name="Žofie Černá",
        route="+420222111000",
        flow="main",
        flow_version="0123456789abcdef",
        language="cs",
        country="CZ",
        record=True,
        snapshot=7,
        switch="fs1",
        sip_call_id="abc@192.0.2.1",
        started_ms=T0,
    )


def journal(call_id: str = "c1", recording: str = "r1") -> list[Entry]:
    events: list[tuple[int, Event]] = [
        (0, Started(facts(call_id))),
        (1, Attached("engine-1", 1)),
        (4_000, LegEvent("l2", "offered", "bob", "agent")),
        (5_000, LegEvent("l2", "bridged", "bob", "agent")),
        (5_100, RecordingEvent(recording, "started", f"/rec/{recording}.flac")),
        (59_000, LegEvent("l2", "unbridged", "bob", "agent")),
        (59_100, RecordingEvent(recording, "stopped", f"/rec/{recording}.flac")),
        (60_000, Ended("NORMAL_CLEARING", "system")),
    ]
    return [Entry(n, T0 + ms, event) for n, (ms, event) in enumerate(events, 1)]


def row(recording: str = "r1", call_id: str = "c1") -> RecordingRow:
    return RecordingRow(
        id=recording,
        call_id=call_id,
        path=f"/rec/{recording}.flac",
        started_ms=T0 + 5_100,
        caller="+420601234567",
        did="+420222111000",
        metadata={"campaign": "jaro"},
    )
