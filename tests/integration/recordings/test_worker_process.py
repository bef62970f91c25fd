"""`callwright recordings` as a process, with a real PostgreSQL and a real S3 that go away and come back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from callwright.local import s3 as s3_service
from callwright.local import start
from callwright.local.s3 import ObjectStorage as S3Service
from engine.clock import SystemClock
from engine.domain.recording import RecordingRow, RecordingState
from engine.store.database import Database
from engine.store.recordings import RecordingStore
from recordings.care import Caretaker, Outcome
from recordings.files import RecordingFiles
from recordings.storage import Content, ObjectStorage
from recordings.worker import Worker
from tests.integration.recordings.conftest import Server
from tests.unit.recordings.audio import KILLED, conversation, flac, unfinished

PROGRAM = "import sys; from engine.config import load; from recordings.worker import run; sys.exit(run(load()))"
DEADLINE_S = 20


def eventually(true: Callable[[], bool], what: str) -> None:
    """Wait for something that announces itself to nobody."""
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


class Room:
    """A disk and a database; the worker is a process."""

    def __init__(self, files: RecordingFiles, database: Database, url: str) -> None:
        self.files = files
        self.rows = RecordingStore(database)
        self.url = url
        self.log = files.directory.parent / "worker.log"
        self.processes: list[subprocess.Popen[bytes]] = []

    def record(self, name: str, data: bytes = flac(conversation(1))) -> None:
        self.announce(name)
        self.put(name, data)

    def announce(self, name: str) -> None:
        row = RecordingRow(name, "c1", "/srv", RecordingState.ENDED, started_ms=1_795_348_800_000)
        self.rows.announce(row)

    def put(self, name: str, data: bytes) -> None:
        (self.files.directory / f"{name}.flac").write_bytes(data)

    def waits(self) -> bool:
        """Whether the worker has said that it waits."""
        return "recordings wait on the disk" in self.log.read_text(encoding="utf-8")

    def is_stored(self, *names: str) -> bool:
        rows = [self.rows.get(name) for name in names]
        return all(row is not None and row.state is RecordingState.STORED for row in rows)

    def start(self, s3: S3Service) -> subprocess.Popen[bytes]:
        settings = {
            "CALLWRIGHT_DATABASE__URL": self.url,
            "CALLWRIGHT_ENGINE__RECORDINGS_DIR": str(self.files.directory),
            "CALLWRIGHT_S3__ENDPOINT_URL": s3.url,
            "CALLWRIGHT_S3__ACCESS_KEY": s3.access_key,
            "CALLWRIGHT_S3__SECRET_KEY": s3.secret_key,
            "CALLWRIGHT_S3__BUCKET": s3.bucket,
            "CALLWRIGHT_RECORDINGS__POLL_S": "0.1",
            "CALLWRIGHT_RECORDINGS__WORKERS": "2",
        }
        with self.log.open("wb") as log:
            process = subprocess.Popen([sys.executable, "-c", PROGRAM], env={**os.environ, **settings}, stderr=log)
        self.processes.append(process)
        return process


@pytest.fixture
def room(files: RecordingFiles, database: Database, server: Server, database_name: str) -> Iterator[Room]:
    made = Room(files, database, server.url(database_name))
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


@pytest.mark.req("R83", "R124")
def test_nothing_is_lost_while_storage_is_away_and_the_worker_is_killed(room: Room, tmp_path: Path) -> None:
    away = start(s3_service, tmp_path / "s3", durable=False)
    room.record("r1")
    first = room.start(away)
    eventually(lambda: room.is_stored("r1"), "the first recording is stored")
    away.stop()
    room.record("r2")
    room.record("r3", unfinished(flac(conversation(1))))
    eventually(room.waits, "the outage is noticed")
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = room.start(away)
    eventually(room.waits, "the outage is noticed again")
    back = start(s3_service, tmp_path / "s3", durable=False)
    try:
        assert back.url == away.url
        eventually(lambda: room.is_stored("r2", "r3"), "what waited is stored")
        eventually(lambda: room.files.waiting() == [], "the disk is empty")
        second.send_signal(signal.SIGTERM)
        assert second.wait(DEADLINE_S) == 0
    finally:
        back.stop()


@pytest.mark.req("R83", "R124")
def test_nothing_is_lost_while_the_database_is_away(
    room: Room, s3: S3Service, server: Server, database_name: str
) -> None:
    process = room.start(s3)
    room.record("d1")
    eventually(lambda: room.is_stored("d1"), "the first recording is stored")
    room.announce("d2")
    server.run(f"ALTER DATABASE {database_name} WITH ALLOW_CONNECTIONS false")
    server.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database_name}'")
    room.put("d2", KILLED.read_bytes())
    eventually(room.waits, "the outage is noticed")
    assert room.files.waiting() == ["d2"]
    server.run(f"ALTER DATABASE {database_name} WITH ALLOW_CONNECTIONS true")
    room.record("d3")
    eventually(lambda: room.is_stored("d2", "d3"), "what waited is stored")
    assert process.poll() is None


@pytest.mark.req("R80", "R81", "R83")
def test_a_recording_on_its_way_from_disk_to_storage(
    files: RecordingFiles, database: Database, storage: ObjectStorage
) -> None:
    rows = RecordingStore(database)
    now = SystemClock().now_ms()
    rows.announce(RecordingRow("r1", "c1", "/srv/r1.flac", RecordingState.RECORDING, started_ms=now))
    path = files.directory / "r1.flac"
    path.write_bytes(KILLED.read_bytes())
    worker = Worker(files, rows, storage, Caretaker(files, rows, storage, SystemClock()))
    assert worker.run_pass()[Outcome.NOT_YET] == 1
    rows.finish(
        RecordingRow("r1", "c1", "/srv/r1.flac", RecordingState.ENDED, ended_ms=now, expected_ms=5700, agent="jana")
    )
    assert worker.run_pass()[Outcome.STORED] == 1
    row = rows.get("r1")
    assert row is not None
    assert (row.state, row.agent, row.channels, row.sample_rate) == (RecordingState.STORED, "jana", 2, 8000)
    assert row.duration_ms == 5632
    assert row.reason.startswith("repaired:")
    there = storage.head(row.key)
    assert there is not None
    assert (there.sha256, there.bytes) == (row.sha256, row.bytes)
    assert there.metadata["agent"] == "jana"
    assert not path.exists()
    assert rows.due() == []


@pytest.mark.req("R83")
def test_two_workers_over_one_disk(files: RecordingFiles, database: Database, storage: ObjectStorage) -> None:
    rows = RecordingStore(database)
    content = {}
    for n in range(8):
        path = files.directory / f"r{n}.flac"
        path.write_bytes(flac(conversation(0.5 + n / 10)))
        content[f"r{n}"] = Content.of(path)
        rows.announce(RecordingRow(f"r{n}", "c1", str(path), RecordingState.ENDED, started_ms=1_795_348_800_000))
    workers = [
        Worker(
            files, rows, storage, Caretaker(RecordingFiles(files.directory), rows, storage, SystemClock()), threads=2
        )
        for _ in range(2)
    ]
    with ThreadPoolExecutor() as pool:
        counts = list(pool.map(Worker.run_pass, workers))
    assert sum(each[Outcome.STORED] for each in counts) == 8
    for name, expected in content.items():
        there = storage.head(f"2026/11/22/c1/{name}.flac")
        assert there is not None
        assert there.confirms(expected)
