"""The directory into which the switch writes recordings: `<recording id>.flac`, and below it what was put aside.

Several workers may share the directory. Each locks the file that it takes care of (flock: the lock ends with its
process, however that ends). A lock on the row in PostgreSQL would keep a transaction open during an upload, and would
make the engine wait that wants to write the end of the call into the same row.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".flac"
QUARANTINE = "quarantine"
REPAIR = ".repair"


@dataclass(frozen=True, slots=True)
class SpoolFile:
    """A file that this worker has locked.

    `has_writer`: somebody has it open for writing; None: the file system can't tell.
    """

    id: str
    path: Path
    bytes: int
    modified_ns: int
    has_writer: bool | None

    @property
    def modified_ms(self) -> int:
        """When it was last written to, UTC epoch milliseconds."""
        return self.modified_ns // 1_000_000


class RecordingFiles:
    """The files of one switch's disk. Methods raise OSError."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.set_aside = directory / QUARANTINE
        self._repairs = directory / REPAIR

    def prepare(self) -> None:
        """Makes the directories. What an earlier run left half repaired is deleted: it can be made again."""
        for each in (self.directory, self.set_aside, self._repairs):
            each.mkdir(parents=True, exist_ok=True)
        for left in self._repairs.iterdir():
            pid = left.name.partition(".")[0]
            if not (pid.isdigit() and Path("/proc", pid).exists()):
                left.unlink(missing_ok=True)

    def waiting(self) -> list[str]:
        """The ids of all recordings on the disk, finished or not, those first that were written to longest ago."""
        found: list[tuple[int, str]] = []
        with os.scandir(self.directory) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False):
                    with contextlib.suppress(FileNotFoundError):
                        found.append((entry.stat().st_mtime_ns, entry.name.removesuffix(SUFFIX)))
        return [name for _, name in sorted(found)]

    def exists(self, recording_id: str) -> bool:
        """Whether the recording lies on the disk."""
        return self._path(recording_id).exists()

    def is_set_aside(self, recording_id: str) -> bool:
        """Whether the recording was put aside."""
        return (self.set_aside / (recording_id + SUFFIX)).exists()

    @contextmanager
    def claim(self, recording_id: str) -> Iterator[SpoolFile | None]:
        """Locks the file until the end of the block; None when another worker holds it or it is gone."""
        path = self._path(recording_id)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            yield None
            return
        try:
            yield self._locked(recording_id, path, descriptor)
        finally:
            os.close(descriptor)

    def unchanged(self, file: SpoolFile) -> bool:
        """Whether nobody wrote to the file since it was claimed."""
        now = file.path.stat()
        return (now.st_size, now.st_mtime_ns) == (file.bytes, file.modified_ns)

    def delete(self, file: SpoolFile) -> None:
        """Deletes the file. One that is gone is no error."""
        file.path.unlink(missing_ok=True)

    def put_aside(self, file: SpoolFile) -> Path:
        """Moves the file to `quarantine/`, under a name that nothing there has; where it is now."""
        self.set_aside.mkdir(exist_ok=True)
        target, n = self.set_aside / file.path.name, 1
        while target.exists():
            n += 1
            target = self.set_aside / f"{file.id}.{n}{SUFFIX}"
        file.path.rename(target)
        return target

    @contextmanager
    def workplace(self, file: SpoolFile) -> Iterator[Path]:
        """Where a repaired copy may be written; it is deleted at the end of the block."""
        self._repairs.mkdir(exist_ok=True)
        copy = self._repairs / f"{os.getpid()}.{file.id}{SUFFIX}"
        try:
            yield copy
        finally:
            copy.unlink(missing_ok=True)

    def _path(self, recording_id: str) -> Path:
        path = self.directory / (recording_id + SUFFIX)
        if path.parent != self.directory:
            raise ValueError(f"{recording_id!r} is no name of a file")
        return path

    def _locked(self, recording_id: str, path: Path, descriptor: int) -> SpoolFile | None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            now, ours = path.stat(), os.fstat(descriptor)
        except (BlockingIOError, FileNotFoundError):
            return None
        if (now.st_ino, now.st_dev) != (ours.st_ino, ours.st_dev):
            return None  # deleted by the worker that held it, and another came under its name
        return SpoolFile(recording_id, path, ours.st_size, ours.st_mtime_ns, _has_writer(descriptor))


def _has_writer(descriptor: int) -> bool | None:
    """Whether anyone has the file open for writing: the kernel gives a read lease only when nobody has (fcntl(2)).

    None where it can't be asked: a file of another user without CAP_LEASE, a network file system.
    """
    try:
        # Should somebody open the file in this very moment: SIGURG is ignored by default, the usual SIGIO would end us.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:
        return None
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False
