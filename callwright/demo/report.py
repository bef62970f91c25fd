"""What became of the demo's calls, as its line of JSON has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from callwright.demo.listening import Heard

Call = Mapping[str, Any]


def report(call: Call) -> dict[str, Any]:
    """A call, from what the API says of it."""
    recording = next(iter(call["recordings"]), None)
    return {
        "call_id": call["call_id"],
        "did": call["did"],
        "caller": call["caller"],
        "flow": call["flow"],
        "flow_version": call["flow_version"],
        "path": [visit["node"] for visit in call["path"]],
        "visits": [
            {
                "node": visit["node"],
                "entered_ms": _ms(visit["entered_at"]) - _ms(call["started_at"]),
                "left_ms": _ms(visit["left_at"]) - _ms(call["started_at"]),
                "exit": visit["exit"],
            }
            for visit in call["path"]
        ],
        "queues": call["queues"],
        "result": call["result"],
        "hung_up_by": call["hung_up_by"],
        "hangup_cause": call["hangup_cause"],
        "wait_ms": call["wait_ms"],
        "talk_ms": call["talk_ms"],
        "recording": recording and _recording(recording),
    }


def _recording(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "url": row["url"],
        "bucket": row["bucket"],
        "key": row["key"],
        "format": "flac",
        "channels": row["channels"],
        "sample_rate": row["sample_rate"],
        "duration_s": round(row["duration_ms"] / 1000, 3),
        "bytes": row["bytes"],
        "sha256": row["sha256"],
    }


def queue_report(
    heard: Sequence[Heard], events: Mapping[str, Sequence[Mapping[str, Any]]], why: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The queue: what the caller heard who waited, what each agent did, and why that caller went where he did."""
    return {
        "heard": [asdict(each) for each in heard],
        "agents": {
            agent: [{"at": each["at"], "what": each["what"], "state": each["to_state"]} for each in theirs]
            for agent, theirs in events.items()
        },
        "why": why,
    }


def _ms(moment: str) -> int:
    at = datetime.fromisoformat(moment).astimezone(UTC)
    return round(at.timestamp() * 1000)
