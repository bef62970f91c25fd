"""The process `callwright recordings`: brings recordings from the switch's disk to object storage.

It is led by the files on the disk, not by the rows: what lies there is never forgotten, whatever the database says.
Rows are looked at for the other half: what should have come and did not. While storage or database is away it waits,
longer from time to time, and goes on by itself.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from engine.clock import SystemClock
from engine.domain.recording import RecordingRow
from engine.store.database import Database, Limits
from engine.store.errors import StoreUnavailable
from engine.store.recordings import RecordingStore
from recordings.care import Caretaker, Outcome, Rows, Storage
from recordings.files import RecordingFiles
from recordings.storage import ObjectStorage, StorageUnavailable

if TYPE_CHECKING:
    from engine.config import Config

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
"""Between two tries with a file that fails for reasons of its own."""
LONGEST_AWAY_S = 5.0
"""Between two questions to a database or a storage that is away."""
REMIND_S = 3600.0
"""How often the log says again what still needs a person."""
ROWS_AT_ONCE = 500


class Postponed:
    """Recordings that failed for reasons of their own: each is tried again later, ever later, and holds up no other."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._until: dict[str, tuple[int, float]] = {}

    def is_due(self, recording_id: str) -> bool:
        """Whether the recording may be tried."""
        return self._monotonic() >= self._until.get(recording_id, (0, 0.0))[1]

    def add(self, recording_id: str) -> float:
        """Postpones it; for how many seconds."""
        times = self._until.get(recording_id, (0, 0.0))[0]
        pause = min(FIRST_PAUSE_S * (1 << min(times, 10)), LONGEST_PAUSE_S)
        self.add_for(recording_id, pause, times + 1)
        return pause

    def add_for(self, recording_id: str, pause_s: float, times: int = 1) -> None:
        """Postpones it by so many seconds."""
        self._until[recording_id] = (times, self._monotonic() + pause_s)

    def forget_all_but(self, present: set[str]) -> None:
        """Forgets what is not on the disk any more."""
        self._until = {name: value for name, value in self._until.items() if name in present}


class Worker:
    """Looks the directory over again and again until `stop`."""

    def __init__(
        self,
        files: RecordingFiles,
        rows: Rows,
        storage: Storage,
        caretaker: Caretaker,
        *,
        poll_s: float = 5,
        threads: int = 1,
        is_ours: Callable[[RecordingRow], bool] = lambda row: True,
    ) -> None:
        self._files = files
        self._rows = rows
        self._storage = storage
        self._caretaker = caretaker
        self._poll_s = poll_s
        self._threads = threads
        self._is_ours = is_ours
        self._stopping = threading.Event()
        self._postponed = Postponed()
        self._prepared = False
        self.available = True
        """Whether the last pass found database and storage working."""

    def stop(self) -> None:
        """Lets `run` return after the recordings that it is at. May be called from a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Works until `stop`."""
        pause = FIRST_PAUSE_S
        while not self._stopping.is_set():
            try:
                self.run_pass()
            except (StorageUnavailable, StoreUnavailable, OSError) as fault:
                level = logging.ERROR if self.available else logging.INFO
                log.log(level, "recordings wait on the disk, next try in %g s: %s", pause, fault)
                self.available = False
                self._stopping.wait(pause)
                pause = min(pause * 2, LONGEST_AWAY_S)
            else:
                if not self.available:
                    log.info("recordings are being stored again")
                self.available, pause = True, FIRST_PAUSE_S
                self._stopping.wait(self._poll_s)

    def run_pass(self) -> dict[Outcome, int]:
        """Take care of everything once; how many of each outcome.

        Raises StorageUnavailable, StoreUnavailable, OSError.
        """
        if not self._prepared:
            self._files.prepare()
            self._storage.ensure_bucket()
            self._prepared = True
        waiting = self._files.waiting()
        self._postponed.forget_all_but(set(waiting))
        counts = self._care_for([name for name in waiting if self._postponed.is_due(name)])
        for row in self._rows.due(ROWS_AT_ONCE):
            if self._stopping.is_set():
                break
            if self._is_ours(row):
                self._caretaker.without_file(row)
        return counts

    def _care_for(self, names: list[str]) -> dict[Outcome, int]:
        counts = dict.fromkeys(Outcome, 0)
        with ThreadPoolExecutor(self._threads, "recordings") as pool:
            futures: list[Future[Outcome | None]] = [pool.submit(self._one, name) for name in names]
            done, left = wait(futures, return_when=FIRST_EXCEPTION)
            for future in left:
                future.cancel()
        # a service that is away concerns all of them: raised here, once for the pass
        for future in done:
            outcome = future.result()
            if outcome is not None:
                counts[outcome] += 1
        return counts

    def _one(self, name: str) -> Outcome | None:
        if self._stopping.is_set():
            return None
        try:
            outcome = self._caretaker.care(name)
        except (StorageUnavailable, StoreUnavailable):
            raise
        except Exception:
            log.exception("recording %s: failed, next try in %g s", name, self._postponed.add(name))
            return None
        if outcome is Outcome.ORPHAN:
            self._postponed.add_for(name, REMIND_S)
            log.error("%s.flac has no row and no call's record lists it; it stays where it is", name)
        return outcome


def run(config: Config) -> int:
    """Runs the worker until SIGTERM or SIGINT; the exit code. Raises ConfigError."""
    config.require("database.url", "s3.endpoint_url")
    database = Database(
        config.database.dsn,
        name="callwright-recordings",
        limits=Limits(pool_size=config.recordings.workers + 1, pool_overflow=0),
    )
    storage = ObjectStorage.from_config(config.s3)
    rows = RecordingStore(database)
    files = RecordingFiles(config.engine.recordings_dir)
    worker = Worker(
        files,
        rows,
        storage,
        Caretaker(files, rows, storage, SystemClock()),
        poll_s=config.recordings.poll_s,
        threads=config.recordings.workers,
        is_ours=_of_switches({switch.name for switch in config.switches}),
    )
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: worker.stop())
    log.info("recordings: from %s to bucket %s", config.engine.recordings_dir, config.s3.bucket)
    try:
        worker.run()
    finally:
        storage.close()
        database.close()
    return 0


def _of_switches(names: set[str]) -> Callable[[RecordingRow], bool]:
    """Which rows to miss a file for: those of the configured switches, whose disk this is. Without any: all."""
    return lambda row: not names or not row.switch or row.switch in names
