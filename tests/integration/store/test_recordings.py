from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.domain.recording import RecordingState
from engine.store.calls import CallStore
from engine.store.database import Database
from engine.store.errors import NoSuchRow
from engine.store.recordings import RecordingStore
from tests.integration.store.samples import T0, record, row

STORED: dict[str, Any] = {
    "bucket": "calls",
    "key": "2026/09/21/r1.flac",
    "sha256": "ab" * 32,
    "bytes": 123_456,
    "duration_ms": 54_020,
    "channels": 2,
    "sample_rate": 8_000,
}


@pytest.fixture
def recordings(database: Database) -> RecordingStore:
    return RecordingStore(database)


@pytest.mark.req("R81", "R83")
def test_a_row_comes_back_as_it_was_announced(recordings: RecordingStore) -> None:
    whole = replace(
        row(),
        switch="fs1",
        agent="bob",
        agent_name="Bob Novák",
        agent_number="201",
        queue="support",
        queue_name="Podpora",
        queue_ms=5_000,
        category="stížnost",
    )
    assert recordings.announce(whole)
    assert recordings.get("r1") == whole


@pytest.mark.req("R83")
def test_an_announcement_that_comes_again_changes_nothing(recordings: RecordingStore) -> None:
    recordings.announce(row())
    recordings.finish(replace(row(), state=RecordingState.ENDED, ended_ms=T0 + 59_100))
    assert not recordings.announce(row())
    kept = recordings.get("r1")
    assert kept is not None
    assert kept.state is RecordingState.ENDED


@pytest.mark.req("R83")
def test_a_recording_goes_its_way_and_never_back(recordings: RecordingStore) -> None:
    recordings.announce(row())
    ended = replace(row(), state=RecordingState.ENDED, ended_ms=T0 + 59_100, expected_ms=54_000)
    recordings.finish(ended)
    assert recordings.stored(replace(ended, **STORED))
    assert not recordings.stored(replace(ended, **STORED | {"key": "elsewhere"}))
    assert not recordings.quarantine("r1", "too late")
    recordings.finish(replace(ended, duration_ms=1, category="stížnost"))
    assert recordings.get("r1") == replace(ended, state=RecordingState.STORED, category="stížnost", **STORED)
    assert recordings.due() == []


@pytest.mark.req("R83")
def test_what_was_quarantined_or_missing_can_still_be_stored(recordings: RecordingStore) -> None:
    recordings.announce(row())
    assert recordings.missing("r1", "no file within an hour")
    assert recordings.quarantine("r1", "half as long as expected")
    kept = recordings.get("r1")
    assert kept is not None
    assert (kept.state, kept.reason) == (RecordingState.QUARANTINED, "half as long as expected")
    assert recordings.stored(replace(row(), **STORED))


@pytest.mark.req("R83")
def test_due_is_what_ended_or_was_left_behind(recordings: RecordingStore, database: Database) -> None:
    recordings.announce(row("running", "c-running"))
    recordings.announce(row("left", "c-over"))
    recordings.announce(row("ended", "c-ended"))
    recordings.finish(replace(row("ended", "c-ended"), state=RecordingState.ENDED))
    CallStore(database).write(record("c-over"))
    assert {each.id for each in recordings.due()} == {"left", "ended"}
    assert {each.id for each in recordings.due(unchanged_s=0)} == {"running", "left", "ended"}
    assert len(recordings.due(limit=1)) == 1


def test_what_was_never_announced_can_not_be_stored(recordings: RecordingStore) -> None:
    with pytest.raises(NoSuchRow):
        recordings.stored(replace(row(), **STORED))
    with pytest.raises(NoSuchRow):
        recordings.quarantine("r1", "why")


def test_the_call_of_a_recording_without_a_row(recordings: RecordingStore, database: Database) -> None:
    CallStore(database).write(record("c1", recordings=("r1", "r2")))
    assert recordings.call_of("r2") == "c1"
    assert recordings.call_of("r") is None


def test_the_recordings_of_several_calls(recordings: RecordingStore) -> None:
    for name, call in (("r1", "c1"), ("r2", "c1"), ("r3", "c2")):
        recordings.announce(row(name, call))
    found = recordings.of_calls(["c1", "c2", "c3"])
    assert {call: [each.id for each in rows] for call, rows in found.items()} == {
        "c1": ["r1", "r2"],
        "c2": ["r3"],
        "c3": [],
    }
