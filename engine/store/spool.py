"""A spool on disk for what must reach PostgreSQL: what `put` took survives the process, the machine and the database.

Files of the directory:
    <number>.<kind>.<id>.item    waits to be applied, in the order of the numbers; kind and id percent-encoded
    .<number>.<pid>.tmp          being written; left over after a crash, when nobody was told that it is safe
    rejected/<same name>         can never be applied; `<same name>.reason` beside it says why
    .lock                        held by the one process that uses the directory

    SpoolError (an OSError)
    ├── SpoolFull      no room on the disk; nothing was kept, the same put may be made again
    ├── SpoolBusy      another process uses the directory
    └── SpoolDamaged   an item's content is not what was put
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import itertools
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote

from engine.domain.ports import Offload, at_once

log = logging.getLogger(__name__)

_HEADER = b"callwright-spool 1 "
_NAME_MAX = 200
"""Longest name of an item's file, of the 255 bytes that file systems allow."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


class SpoolError(OSError):
    """Base of all that the spool raises; the disk's own failures come as this."""


class SpoolFull(SpoolError):
    """No room on the disk. Nothing was kept."""


class SpoolBusy(SpoolError):
    """Another process uses this directory."""


class SpoolDamaged(SpoolError):
    """An item's content is not what was put: the disk lost or changed it."""


class WakeEvent(Protocol):
    """As much of an event as the spool needs: `threading.Event` and `gevent.event.Event` both fit."""

    def set(self) -> object: ...
    def clear(self) -> object: ...
    def wait(self, timeout: float | None = None) -> object: ...


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """Something that waits. `name` is its file."""

    number: int
    kind: str
    id: str
    name: str


class Spool:
    """One process's spool.

    `wake_event` is set after each put. `offload` runs the disk's work and returns its result: an engine passes
    gevent's thread pool, so that a slow disk delays the one call and not all of them.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        wake_event: WakeEvent | None = None,
        offload: Offload = at_once,
    ) -> None:
        self.directory = Path(directory)
        self.rejected_directory = self.directory / "rejected"
        self._wake_event = wake_event
        self._offload = offload
        self.rejected_directory.mkdir(parents=True, exist_ok=True)
        self._lock = self._take_lock()
        self._remove_temporary_files()
        self._numbers = itertools.count(self._last_number() + 1)

    def put(self, kind: str, item_id: str, payload: bytes) -> Item:
        """Keeps the payload. Returns when it is safe on disk. Raises `SpoolFull`, `SpoolError`."""
        number = next(self._numbers)
        item = Item(number, kind, item_id, _file_name(number, kind, item_id))
        self._offload(lambda: self._write(item, payload))
        if self._wake_event is not None:
            self._wake_event.set()
        return item

    def pending(self) -> list[Item]:
        """What waits, in the order in which it was put."""
        found = (_item(name) for name in self._offload(lambda: os.listdir(self.directory)))
        return sorted(item for item in found if item is not None)

    def read(self, item: Item) -> bytes:
        """The payload as it was put. Raises `SpoolDamaged`, `SpoolError`."""
        try:
            content = self._offload((self.directory / item.name).read_bytes)
        except OSError as error:
            raise SpoolError(f"{item.name}: {error.strerror}") from error
        header, _, payload = content.partition(b"\n")
        if header != _header(payload):
            raise SpoolDamaged(f"{item.name}: checksum does not fit")
        return payload

    def done(self, item: Item) -> None:
        """The item was applied and goes."""
        # No fsync of the directory: should the item come back after a power cut, applying it again changes nothing.
        self._offload(lambda: (self.directory / item.name).unlink(missing_ok=True))

    def reject(self, item: Item, reason: str) -> Path:
        """Puts aside what can never be applied, with the reason beside it. Returns where it lies now."""
        return self._offload(lambda: self._put_aside(item, reason))

    def requeue(self) -> int:
        """Puts all that was rejected back in line, after somebody removed the cause. Returns how many."""
        items = sorted(filter(None, (_item(name) for name in os.listdir(self.rejected_directory))))
        for item in items:
            os.replace(self.rejected_directory / item.name, self.directory / item.name)
            (self.rejected_directory / f"{item.name}.reason").unlink(missing_ok=True)
        if items:
            _sync_directory(self.directory)
            if self._wake_event is not None:
                self._wake_event.set()
        return len(items)

    def close(self) -> None:
        """Lets go of the directory."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _write(self, item: Item, payload: bytes) -> None:
        temporary = self.directory / f".{item.number:016d}.{os.getpid()}.tmp"
        try:
            _write_synced(temporary, _header(payload) + b"\n" + payload)
            os.rename(temporary, self.directory / item.name)
            _sync_directory(self.directory)
        except OSError as error:
            # Whoever put this is told that it failed and puts it again: what was written so far must not count too.
            _remove(temporary)
            _remove(self.directory / item.name)
            kind = SpoolFull if error.errno in _FULL else SpoolError
            raise kind(f"{self.directory}: {error.strerror or error}") from error

    def _put_aside(self, item: Item, reason: str) -> Path:
        target = self.rejected_directory / item.name
        os.replace(self.directory / item.name, target)
        _sync_directory(self.rejected_directory)
        try:
            target.with_name(target.name + ".reason").write_text(reason + "\n", encoding="utf-8")
        except OSError as error:
            # the item itself is what counts; on a full disk the log alone says why
            log.warning("spool: no reason written beside %s: %s", target.name, error)
        return target

    def _take_lock(self) -> int:
        lock = os.open(self.directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise SpoolBusy(f"{self.directory} is in use by another process") from error
        return lock

    def _remove_temporary_files(self) -> None:
        for name in os.listdir(self.directory):
            if name.startswith(".") and name.endswith(".tmp"):
                _remove(self.directory / name)

    def _last_number(self) -> int:
        names = os.listdir(self.directory) + os.listdir(self.rejected_directory)
        return max((item.number for item in map(_item, names) if item is not None), default=0)


def _header(payload: bytes) -> bytes:
    return _HEADER + hashlib.sha256(payload).hexdigest().encode()


def _file_name(number: int, kind: str, item_id: str) -> str:
    name = f"{number:016d}.{_quoted(kind)}.{_quoted(item_id)}.item"
    if len(name) > _NAME_MAX:
        raise SpoolError(f"id of {len(item_id)} characters is too long for a file name")
    return name


def _quoted(text: str) -> str:
    # the dot separates the parts of the name, and quote() leaves it alone
    return quote(text, safe="").replace(".", "%2E")


def _item(name: str) -> Item | None:
    parts = name.split(".")
    if len(parts) != 4 or parts[3] != "item" or not parts[0].isdigit():
        return None
    return Item(int(parts[0]), unquote(parts[1]), unquote(parts[2]), name)


def _write_synced(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("spool: can't remove %s: %s", path.name, error)
