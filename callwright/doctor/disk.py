"""Room for what is written, and how fast the disk keeps its word."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from callwright.doctor.finding import Finding, Subject, fail, ok, warn

LITTLE_MIB, TOO_LITTLE_MIB = 2048, 256
LITTLE_INODES_PERCENT, TOO_LITTLE_INODES_PERCENT = 10, 2
SLOW_SYNC_MS = 100
"""The end of a call waits for one sync of the spool; while Redis is away every batch of the journal does."""
SYNCS = 5
_KEPT = ("spool", "journal", "flows")
"""What an engine makes in its state directory."""
_MEBIBYTE = 1024 * 1024


def examine(subject: Subject) -> Iterator[Finding]:
    """The state directory with its spools, and the recordings. A file system is told once."""
    engine = subject.config.engine
    seen: set[int] = set()
    for name, directory in (("engine.state_dir", engine.state_dir), ("engine.recordings_dir", engine.recordings_dir)):
        place = next(each for each in (directory, *directory.parents) if each.exists())
        if place.stat().st_dev not in seen:
            seen.add(place.stat().st_dev)
            yield from room(name, directory, place)
    yield from writable("engine.state_dir", engine.state_dir)


def room(
    name: str, directory: Path, place: Path, ask: Callable[[Path], os.statvfs_result] = os.statvfs
) -> Iterator[Finding]:
    """Free bytes and free inodes for `directory`, which lies or will lie below `place`."""
    told = ask(place)
    free = told.f_bavail * told.f_frsize // _MEBIBYTE
    words = f"{free} MiB free for {directory}"
    if free < TOO_LITTLE_MIB:
        yield fail(words, f"make room, or name another {name}: {TOO_LITTLE_MIB} MiB are the least")
    elif free < LITTLE_MIB:
        yield warn(words, "recordings take 60 MiB for an hour of talk")
    else:
        yield ok(words)
    if not told.f_files:
        return  # a file system without a fixed number of them
    percent = 100 * told.f_favail // told.f_files
    advice = "many small files lie there; find them: du --inodes -x / | sort -n | tail"
    if percent < TOO_LITTLE_INODES_PERCENT:
        yield fail(f"{percent} % of the inodes are free for {directory}", advice)
    elif percent < LITTLE_INODES_PERCENT:
        yield warn(f"{percent} % of the inodes are free for {directory}", advice)


def writable(name: str, directory: Path) -> Iterator[Finding]:
    """The right to write there, and how long a sync takes."""
    place = next(each for each in (directory, *directory.parents) if each.exists())
    advice = f"name another {name}, or give it to user {os.geteuid()}: chown {os.geteuid()} {place}"
    if place != directory:
        if not os.access(place, os.W_OK | os.X_OK):
            yield fail(f"{directory} is not there and cannot be made in {place}", advice)
        return
    try:
        took_ms = sync_ms(directory)
    except OSError as error:
        yield fail(f"{directory} cannot be written: {error.strerror}", advice)
        return
    closed = [
        name for name in _KEPT if (directory / name).is_dir() and not os.access(directory / name, os.W_OK | os.X_OK)
    ]
    if closed:
        advice = f"an engine has run as another user: chown -R {os.geteuid()} {directory}"
        yield fail(f"{', '.join(closed)} in {directory} cannot be written", advice)
    if took_ms > SLOW_SYNC_MS:
        words = "call records and, while Redis is away, journals wait for it: a local SSD is what they need"
        yield warn(f"a sync takes {took_ms:.0f} ms in {directory}", words)
    else:
        yield ok(f"{directory} can be written, a sync takes {took_ms:.1f} ms")


def sync_ms(directory: Path) -> float:
    """How long a small write and its fsync take, the median of a few. Raises OSError."""
    took = []
    with tempfile.TemporaryFile(dir=directory, prefix=".callwright-doctor-") as file:
        for _ in range(SYNCS):
            began = time.monotonic()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            took.append(time.monotonic() - began)
    return sorted(took)[SYNCS // 2] * 1000
