from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from engine.domain.recording import RecordingRow, RecordingState
from recordings.care import Caretaker, Outcome, Patience, key_of
from recordings.files import RecordingFiles
from recordings.storage import Content, ContentRefused
from tests.unit.recordings.audio import conversation, flac, unfinished
from tests.unit.recordings.fakes import FakeClock, FakeRows, FakeStorage

START = 1_795_348_800_000
"""2026-11-22T12:00:00Z"""
KEY = "2026/11/22/c1/r1.flac"
GOOD = flac(conversation())
ROW = RecordingRow(
    id="r1",
    call_id="c1",
    path="/srv/recordings/r1.flac",
    state=RecordingState.ENDED,
    started_ms=START,
    ended_ms=START + 4000,
    expected_ms=4000,
    agent="jana",
    agent_name="Jana Nováková",
    caller="+420777123456",
    did="+420222333444",
)


@dataclass
class Room:
    """Everything that a caretaker touches."""

    files: RecordingFiles
    rows: FakeRows
    storage: FakeStorage
    clock: FakeClock
    caretaker: Caretaker

    def put(self, data: bytes, age_s: float = 60, name: str = "r1") -> Path:
        path = self.files.directory / f"{name}.flac"
        path.write_bytes(data)
        modified = self.clock.ms / 1000 - age_s
        os.utime(path, (modified, modified))
        return path

    def row(self, name: str = "r1") -> RecordingRow:
        return self.rows.rows[name]

    def aside(self) -> list[str]:
        return sorted(path.name for path in self.files.set_aside.iterdir())


@pytest.fixture
def room(tmp_path: Path) -> Room:
    files = RecordingFiles(tmp_path)
    files.prepare()
    rows, storage, clock = FakeRows(ROW), FakeStorage(), FakeClock(START + 3_600_000)
    return Room(files, rows, storage, clock, Caretaker(files, rows, storage, clock))


@pytest.mark.req("R80", "R81", "R83")
def test_a_good_recording_is_stored_and_its_file_deleted(room: Room) -> None:
    path = room.put(GOOD)
    content = Content.of(path)
    assert room.caretaker.care("r1") is Outcome.STORED
    row = room.row()
    assert (row.state, row.bucket, row.key, row.reason) == (RecordingState.STORED, "calls", KEY, "")
    assert (row.bytes, row.sha256) == (len(GOOD), content.sha256)
    assert (row.channels, row.sample_rate, row.duration_ms) == (2, 8000, 4000)
    data, _, metadata = room.storage.objects[KEY]
    assert data == GOOD
    assert metadata["call-id"] == "c1"
    assert metadata["agent-name"] == "Jana Nov%C3%A1kov%C3%A1"
    assert not path.exists()


@pytest.mark.req("R83")
def test_a_cut_off_recording_is_repaired_stored_and_marked(room: Room) -> None:
    path = room.put(unfinished(GOOD))
    assert room.caretaker.care("r1") is Outcome.STORED
    assert room.row().reason == "repaired: the recorder did not finish it: no length in its header"
    assert room.row().duration_ms == 4000
    assert not path.exists()
    assert room.aside() == []


@pytest.mark.req("R83")
def test_the_original_of_a_repair_that_lost_something_is_kept(room: Room) -> None:
    room.put(GOOD[:20000] + bytes(2000) + GOOD[22000:])
    assert room.caretaker.care("r1") is Outcome.STORED
    assert "s are lost and silent" in room.row().reason
    assert room.aside() == ["r1.flac"]


@pytest.mark.req("R83")
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"noise" * 1000, "no FLAC frame in its 5000 bytes"),
        (flac(conversation(channels=1)), "1 channels in place of 2"),
        (flac(conversation(rate=44100), 44100), "a sample rate of 44100 Hz"),
    ],
    ids=["empty", "no sound file", "one channel", "rate"],
)
def test_what_is_no_recording_is_kept_for_a_person_to_look_at(room: Room, data: bytes, reason: str) -> None:
    room.put(data)
    assert room.caretaker.care("r1") is Outcome.QUARANTINED
    assert (room.row().state, room.row().reason) == (RecordingState.QUARANTINED, reason)
    assert room.aside() == ["r1.flac"]
    assert room.storage.objects == {}
    room.caretaker.without_file(room.row())
    assert room.row().state is RecordingState.QUARANTINED


def test_a_message_may_have_one_channel(room: Room) -> None:
    room.rows.rows["r1"] = replace(ROW, kind="voicemail")
    room.put(flac(conversation(channels=1)))
    assert room.caretaker.care("r1") is Outcome.STORED


@pytest.mark.parametrize(
    ("expected_ms", "reason"),
    [
        (None, ""),
        (5900, ""),
        (2100, ""),
        (60_000, "4.0 s long, expected 60.0 s"),
        (1000, "4.0 s long, expected 1.0 s"),
    ],
)
def test_a_length_that_does_not_fit_is_remarked(room: Room, expected_ms: int | None, reason: str) -> None:
    room.rows.rows["r1"] = replace(ROW, expected_ms=expected_ms)
    room.put(GOOD)
    assert room.caretaker.care("r1") is Outcome.STORED
    assert room.row().reason == reason


def test_a_recording_without_any_sound_is_stored_with_a_remark(room: Room) -> None:
    room.put(flac(conversation() * 0))
    assert room.caretaker.care("r1") is Outcome.STORED
    assert room.row().reason == "no sound on either side"


@pytest.mark.req("R83")
def test_a_file_that_is_being_written_is_left_alone(room: Room) -> None:
    path = room.put(GOOD)
    with path.open("ab"):
        assert room.caretaker.care("r1") is Outcome.NOT_YET
    assert path.exists()
    assert room.storage.puts == 0


@pytest.mark.req("R83")
@pytest.mark.parametrize(("age_s", "outcome"), [(299, Outcome.NOT_YET), (301, Outcome.STORED)])
@pytest.mark.parametrize("state", [RecordingState.EXPECTED, RecordingState.RECORDING])
def test_a_recording_whose_engine_died_is_stored_a_little_later(
    room: Room, state: RecordingState, age_s: int, outcome: Outcome
) -> None:
    room.rows.rows["r1"] = replace(ROW, state=state)
    room.put(GOOD, age_s=age_s)
    assert room.caretaker.care("r1") is outcome


@pytest.mark.parametrize(
    ("state", "age_s", "outcome"),
    [
        (RecordingState.ENDED, 29, Outcome.NOT_YET),
        (RecordingState.ENDED, 31, Outcome.STORED),
        (RecordingState.RECORDING, 3599, Outcome.NOT_YET),
        (RecordingState.RECORDING, 3601, Outcome.STORED),
    ],
)
def test_where_writers_can_not_be_seen_it_waits_longer(
    room: Room, monkeypatch: pytest.MonkeyPatch, state: RecordingState, age_s: int, outcome: Outcome
) -> None:
    monkeypatch.setattr("recordings.files._has_writer", lambda descriptor: None)
    room.rows.rows["r1"] = replace(ROW, state=state)
    room.put(GOOD, age_s=age_s)
    assert room.caretaker.care("r1") is outcome


@pytest.mark.req("R83")
def test_an_upload_that_arrives_broken_leaves_everything_as_it_was(room: Room) -> None:
    path = room.put(GOOD)
    room.storage.garbles = 1
    with pytest.raises(ContentRefused):
        room.caretaker.care("r1")
    assert path.exists()
    assert room.row().state is RecordingState.ENDED
    assert room.caretaker.care("r1") is Outcome.STORED


@pytest.mark.req("R83")
def test_a_file_that_grew_while_it_was_stored_is_not_deleted(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    path = room.put(GOOD)
    put = room.storage.put

    def put_slowly(*args: object) -> None:
        put(*args)  # type: ignore[arg-type]
        with path.open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr(room.storage, "put", put_slowly)
    assert room.caretaker.care("r1") is Outcome.NOT_YET
    assert path.exists()
    assert room.row().state is RecordingState.ENDED


def stored_before(room: Room, data: bytes = GOOD) -> RecordingRow:
    room.put(data)
    room.caretaker.care("r1")
    return room.row()


@pytest.mark.req("R83")
@pytest.mark.parametrize("data", [GOOD, unfinished(GOOD)], ids=["whole", "repaired"])
def test_a_file_left_behind_by_a_dead_worker_is_cleared_away(room: Room, data: bytes) -> None:
    row = stored_before(room, data)
    path = room.put(data)
    assert room.caretaker.care("r1") is Outcome.CLEARED
    assert not path.exists()
    assert room.row() == row
    assert room.storage.puts == 1


@pytest.mark.req("R83")
def test_a_row_is_not_believed_when_the_storage_says_otherwise(room: Room) -> None:
    stored_before(room)
    room.storage.objects.clear()
    room.put(GOOD)
    assert room.caretaker.care("r1") is Outcome.CLEARED
    assert room.storage.objects[KEY][0] == GOOD


@pytest.mark.req("R83")
def test_another_file_under_the_name_of_a_stored_one_replaces_nothing(room: Room) -> None:
    stored_before(room)
    room.put(flac(conversation(1)))
    assert room.caretaker.care("r1") is Outcome.QUARANTINED
    assert room.storage.objects[KEY][0] == GOOD
    assert room.row().state is RecordingState.STORED
    assert room.aside() == ["r1.flac"]


@pytest.mark.req("R83")
@pytest.mark.parametrize("state", [RecordingState.MISSING, RecordingState.QUARANTINED])
def test_a_file_that_comes_late_or_comes_back_is_stored(room: Room, state: RecordingState) -> None:
    room.rows.rows["r1"] = replace(ROW, state=state, reason="why")
    room.put(GOOD)
    assert room.caretaker.care("r1") is Outcome.STORED
    assert room.row().reason == ""


@pytest.mark.req("R83")
@pytest.mark.parametrize(("after_s", "missing"), [(599, False), (601, True)])
def test_a_row_whose_file_never_comes_is_missing(room: Room, after_s: int, missing: bool) -> None:
    room.clock.ms = START + 4000 + after_s * 1000
    room.caretaker.without_file(ROW)
    assert (room.row().state is RecordingState.MISSING) is missing
    if missing:
        assert room.row().reason == "no file r1.flac on the switch's disk"


def test_a_row_that_was_set_back_is_found_in_storage(room: Room) -> None:
    kept = stored_before(room)
    room.rows.rows["r1"] = ROW
    room.caretaker.without_file(ROW)
    assert room.row() == replace(kept, reason="found in storage")


def test_a_row_that_another_worker_has_just_finished_is_left_alone(room: Room) -> None:
    kept = stored_before(room)
    room.caretaker.without_file(ROW)
    assert room.row() == kept


@pytest.fixture
def lost_row(room: Room) -> Callable[[float], Outcome]:
    def come(age_s: float) -> Outcome:
        room.rows.rows.clear()
        room.put(GOOD, age_s=age_s)
        return room.caretaker.care("r1")

    return come


@pytest.mark.req("R83")
def test_a_file_without_a_row_waits_for_it_and_is_then_reported(
    room: Room, lost_row: Callable[[float], Outcome]
) -> None:
    assert lost_row(Patience().orphan_s - 1) is Outcome.NOT_YET
    assert lost_row(Patience().orphan_s + 1) is Outcome.ORPHAN
    assert room.files.exists("r1")


@pytest.mark.req("R83")
def test_a_file_without_a_row_is_adopted_when_a_call_lists_it(room: Room, lost_row: Callable[[float], Outcome]) -> None:
    room.rows.calls["r1"] = "c1"
    assert lost_row(Patience().orphan_s + 1) is Outcome.STORED
    assert room.row().key == "2026/11/22/c1/r1.flac"


def test_the_day_of_the_key_is_the_one_on_which_it_began() -> None:
    late = replace(ROW, started_ms=START + 12 * 3_600_000 - 1, ended_ms=START + 13 * 3_600_000)
    assert key_of(late) == KEY
    assert key_of(replace(ROW, started_ms=None, ended_ms=None), START) == KEY
