"""The worker dies at every step, before and after the step has had its effect; the next one comes to the same end."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from engine.domain.recording import RecordingRow, RecordingState
from recordings.care import Caretaker
from recordings.files import RecordingFiles
from tests.unit.recordings.audio import conversation, flac, unfinished
from tests.unit.recordings.fakes import Deadly, FakeClock, FakeRows, FakeStorage, Killed

START = 1_795_348_800_000
GOOD = flac(conversation(2))
KINDS = {
    "whole": GOOD,
    "cut off": unfinished(GOOD, 0.8),
    "with a hole": GOOD[:9000] + bytes(500) + GOOD[9500:],
    "no sound file": b"noise" * 999,
}


def row() -> RecordingRow:
    return RecordingRow("r1", "c1", "/srv/r1.flac", RecordingState.ENDED, started_ms=START, ended_ms=START + 2000)


class World:
    """A disk, a database and a storage that outlive the worker."""

    def __init__(self, directory: Path, data: bytes) -> None:
        self.files = RecordingFiles(directory)
        self.files.prepare()
        path = directory / "r1.flac"
        path.write_bytes(data)
        os.utime(path, (START / 1000, START / 1000))
        self.rows = FakeRows(row())
        self.storage = FakeStorage()

    def worker(self, die_at: int, steps: list[str]) -> Caretaker:
        countdown = [die_at]
        parts: list[Any] = [Deadly(each, countdown, steps) for each in (self.files, self.rows, self.storage)]
        files, rows, storage = parts
        return Caretaker(files, rows, storage, FakeClock(START + 3_600_000))

    def one_life(self, die_at: int, steps: list[str]) -> bool:
        """A worker's run over everything; False when it died."""
        self.files.prepare()
        caretaker = self.worker(die_at, steps)
        try:
            for name in self.files.waiting():
                caretaker.care(name)
            for each in self.rows.due():
                caretaker.without_file(each)
        except Killed:
            return False
        return True

    def end(self) -> object:
        aside = {path.name: path.read_bytes() for path in self.files.set_aside.iterdir()}
        left = sorted(str(path.relative_to(self.files.directory)) for path in self.files.directory.rglob("*.flac"))
        return (self.rows.rows, {key: each[0] for key, each in self.storage.objects.items()}, aside, left)


@pytest.mark.req("R83")
@pytest.mark.parametrize("kind", KINDS)
def test_wherever_the_worker_dies_the_end_is_the_same(tmp_path: Path, kind: str) -> None:
    undisturbed = World(tmp_path / "0", KINDS[kind])
    assert undisturbed.one_life(0, [])
    deaths: list[str] = []
    while True:
        die_at = len(deaths) + 1
        world = World(tmp_path / str(die_at), KINDS[kind])
        if world.one_life(die_at, deaths):
            break
        # It dies once more in the same way before one worker lives: nothing may depend on dying only once.
        world.one_life(die_at, [])
        assert world.one_life(0, [])
        assert world.end() == undisturbed.end(), f"after a death {deaths[-1]}"
    assert len(deaths) >= 6


@pytest.mark.req("R83")
def test_several_workers_at_once_store_each_recording_once(tmp_path: Path) -> None:
    world = World(tmp_path, GOOD)
    names = [f"r{n}" for n in range(1, 13)]
    for name in names[1:]:
        (tmp_path / f"{name}.flac").write_bytes(GOOD)
        world.rows.rows[name] = RecordingRow(name, "c1", "", RecordingState.ENDED, started_ms=START)
    begin = threading.Barrier(4)

    def work() -> None:
        begin.wait()
        caretaker = Caretaker(RecordingFiles(tmp_path), world.rows, world.storage, FakeClock(START + 3_600_000_000))
        for name in names:
            caretaker.care(name)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.storage.puts == len(names)
    assert {each.state for each in world.rows.rows.values()} == {RecordingState.STORED}
    assert world.files.waiting() == []
