from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.domain.recording import RecordingRow, RecordingState
from engine.store.errors import StoreUnavailable
from recordings import worker as module
from recordings.care import Caretaker, Outcome
from recordings.files import RecordingFiles
from recordings.storage import StorageUnavailable
from recordings.worker import Postponed, Worker
from tests.unit.recordings.audio import conversation, flac
from tests.unit.recordings.fakes import FakeRows, FakeStorage

GOOD = flac(conversation(1))


class Room:
    def __init__(self, directory: Path) -> None:
        self.files = RecordingFiles(directory)
        self.files.prepare()
        self.rows = FakeRows()
        self.storage = FakeStorage()
        self.caretaker = Caretaker(self.files, self.rows, self.storage, SystemClock())

    def put(self, name: str, age_s: float = 0) -> Path:
        path = self.files.directory / f"{name}.flac"
        path.write_bytes(GOOD)
        at = SystemClock().now_ms() / 1000 - age_s
        os.utime(path, (at, at))
        self.rows.rows[name] = RecordingRow(name, "c1", str(path), RecordingState.ENDED, started_ms=int(at * 1000))
        return path

    def worker(self, *, threads: int = 1, is_ours: Callable[[RecordingRow], bool] = lambda row: True) -> Worker:
        return Worker(
            self.files, self.rows, self.storage, self.caretaker, poll_s=0.01, threads=threads, is_ours=is_ours
        )


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.mark.req("R83")
@pytest.mark.parametrize("threads", [1, 3])
def test_a_pass_stores_all_that_waits(room: Room, threads: int) -> None:
    for n in range(5):
        room.put(f"r{n}")
    assert room.worker(threads=threads).run_pass()[Outcome.STORED] == 5
    assert room.files.waiting() == []
    assert len(room.storage.objects) == 5


@pytest.mark.req("R83")
def test_one_bad_disk_block_does_not_hold_up_the_others(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.put("bad", age_s=100)
    room.put("good")
    care = room.caretaker.care

    def fail(name: str) -> Outcome:
        if name == "bad":
            raise OSError(5, "Input/output error")
        return care(name)

    monkeypatch.setattr(room.caretaker, "care", fail)
    worker = room.worker()
    assert worker.run_pass()[Outcome.STORED] == 1
    assert room.files.waiting() == ["bad"]
    monkeypatch.setattr(room.caretaker, "care", care)
    assert worker.run_pass()[Outcome.STORED] == 0  # it waits for its turn


def test_what_fails_again_and_again_is_tried_less_and_less_often() -> None:
    now = [0.0]
    postponed = Postponed(lambda: now[0])
    pauses = [postponed.add("r1") for _ in range(8)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert not postponed.is_due("r1")
    assert postponed.is_due("r2")
    now[0] = 60
    assert postponed.is_due("r1")
    postponed.forget_all_but(set())
    assert postponed.add("r1") == 1


@pytest.mark.req("R83", "R124")
@pytest.mark.parametrize("fault", [StorageUnavailable("no route"), StoreUnavailable("no route"), OSError(5, "disk")])
def test_it_waits_while_a_service_is_away_and_goes_on_by_itself(
    room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    caplog.set_level(logging.INFO, "recordings.worker")
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.001)
    room.put("r1")
    tries, stored = threading.Event(), threading.Event()
    count = [0]
    worker = room.worker()
    run_pass = worker.run_pass

    def watched() -> dict[Outcome, int]:
        count[0] += 1
        if count[0] == 4:
            room.storage.away = None
            tries.set()
        elif count[0] < 4:
            raise fault
        found = run_pass()
        if found[Outcome.STORED]:
            stored.set()
        return found

    monkeypatch.setattr(worker, "run_pass", watched)
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert stored.wait(10)
    assert tries.is_set()
    worker.stop()
    thread.join(10)
    assert not thread.is_alive()
    said = [record.message for record in caplog.records if "wait on the disk" in record.message]
    assert len(said) == 3
    assert "recordings are being stored again" in caplog.messages
    assert room.rows.rows["r1"].state is RecordingState.STORED


@pytest.mark.req("R83")
def test_a_service_that_goes_away_in_the_middle_ends_the_pass(room: Room) -> None:
    for n in range(3):
        room.put(f"r{n}")
    room.storage.away = StorageUnavailable("no route")
    worker = room.worker()
    with pytest.raises(StorageUnavailable):
        worker.run_pass()
    assert len(room.files.waiting()) == 3
    room.storage.away = None
    assert worker.run_pass()[Outcome.STORED] == 3


@pytest.mark.req("R83")
def test_rows_of_other_switches_are_not_missed_here(room: Room) -> None:
    for name, switch in (("ours", "fs1"), ("theirs", "fs2"), ("any", "")):
        room.rows.rows[name] = RecordingRow(
            name, "c1", "", RecordingState.ENDED, switch=switch, started_ms=0, ended_ms=1000
        )
    room.worker(is_ours=module._of_switches({"fs1"})).run_pass()
    states = {name: row.state for name, row in room.rows.rows.items()}
    assert states == {
        "ours": RecordingState.MISSING,
        "theirs": RecordingState.ENDED,
        "any": RecordingState.MISSING,
    }
    assert module._of_switches(set())(room.rows.rows["theirs"])


@pytest.mark.req("R83")
def test_a_file_that_nobody_knows_is_reported_once_an_hour(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    room.put("r1", age_s=2000)
    room.rows.rows.clear()
    worker = room.worker()
    worker.run_pass()
    worker.run_pass()
    assert [record.message for record in caplog.records] == [
        "r1.flac has no row and no call's record lists it; it stays where it is"
    ]
