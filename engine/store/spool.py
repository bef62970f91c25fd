"""A spool on disk for what must reach PostgreSQL: what `put` took survives the process, the machine and the database.

Files of the directory (`engine.store.spool_files` says what is in them):
    <number>.items               items that were put together, the first of which has this number
    <number>.<kind>.<id>.item    one item, put back in line or written by an older version; percent-encoded
    .<name>.tmp                  being written; left over after a crash, when nobody was told that it is safe
    rejected/<name>.item         can never be applied; `<name>.item.reason` beside it says why
    .lock                        held by the one process that uses the directory

Puts that come at about the same time share one file and one sync. A file goes when all its items are done; after a
crash those of its items come back that were done already, and applying them again changes nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import logging
import os
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from engine.domain.ports import Offload, at_once
from engine.store import spool_files
from engine.store.spool_files import Entry, Item, SpoolBusy, SpoolDamaged, SpoolError, SpoolFull

__all__ = ["Item", "Spool", "SpoolBusy", "SpoolDamaged", "SpoolError", "SpoolFull", "WakeEvent"]

log = logging.getLogger(__name__)

GATHER_S = 0.08
"""How long the engine's spool lets puts gather: nobody waits on the phone for the end of a call to be written."""
KEPT_BYTES = 16 * 1024 * 1024
"""How much of what was put stays in memory to be applied; what goes beyond is read from the disk again."""


class WakeEvent(Protocol):
    """As much of an event as the spool needs: `threading.Event` and `gevent.event.Event` both fit."""

    def set(self) -> object: ...
    def clear(self) -> object: ...
    def wait(self, timeout: float | None = None) -> object: ...


@dataclass(slots=True)
class _Batch:
    """Puts that are written together."""

    entries: list[Entry] = field(default_factory=list)
    written: threading.Event = field(default_factory=threading.Event)
    error: SpoolError | None = None


@dataclass(slots=True)
class _File:
    """A file of the directory. `waiting`: what is not done of it, by number; None when it has to be read for that."""

    named: Item
    waiting: dict[int, Entry] | None = None
    only: bool = False
    """It holds a single item."""


class Spool:
    """One process's spool.

    `wake_event` is set after each put. `offload` runs the disk's work and returns its result: an engine passes
    gevent's thread pool, so that a slow disk delays the one call and not all of them. `gather_s`: how long the first of
    several puts may wait for others; 0 for no longer than the disk is at work on those before.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        wake_event: WakeEvent | None = None,
        offload: Offload = at_once,
        gather_s: float = 0.0,
    ) -> None:
        self.directory = Path(directory)
        self.rejected_directory = self.directory / "rejected"
        self._wake_event = wake_event
        self._offload = offload
        self._gather_s = gather_s
        self.rejected_directory.mkdir(parents=True, exist_ok=True)
        self._lock = self._take_lock()
        self._remove_temporary_files()
        self._files: dict[str, _File] = {}
        self._kept_bytes = 0
        self._guard = threading.Lock()
        """Over what those who put and the two who work for them share."""
        self._line_up(self._found(self.directory))
        self._numbers = itertools.count(self._last_number() + 1)
        self._batch: _Batch | None = None
        self._closing = False
        self._come = threading.Event()
        self._hurry = threading.Event()
        self._committer: threading.Thread | None = None

    def put(self, kind: str, item_id: str, payload: bytes, *, urgent: bool = False) -> Item:
        """Keeps the payload. Returns when it is safe on disk. Raises `SpoolFull`, `SpoolError`.

        `urgent`: somebody on the phone waits for it; it lets no others gather.
        """
        sha256 = hashlib.sha256(payload).hexdigest()
        with self._guard:
            if self._closing:
                raise SpoolError(f"{self.directory}: the spool is closed")
            number = next(self._numbers)
            spool_files.single_name(number, kind, item_id)  # it needs one should it ever be rejected
            batch = self._batch
            if batch is None:
                batch = self._batch = _Batch()
            first = batch.entries[0].item if batch.entries else None
            item = Item(number, kind, item_id, first.name if first else spool_files.batch_name(number))
            batch.entries.append(Entry(item, payload, sha256))
            if self._committer is None:
                self._committer = threading.Thread(target=self._commit, name="spool", daemon=True)
                self._committer.start()
            if urgent:
                self._hurry.set()
            self._come.set()
        batch.written.wait()
        if batch.error is not None:
            raise type(batch.error)(*batch.error.args) from batch.error
        return item

    def flush(self) -> None:
        """Returns when what was being gathered is safe, or was refused: whoever put it is told."""
        with self._guard:
            batch = self._batch
            if batch is not None:
                self._hurry.set()
        if batch is not None:
            batch.written.wait()

    def pending(self, limit: int | None = None, skip: Collection[Item] = ()) -> list[Item]:
        """What waits, in the order in which it was put: at most `limit` items, and none of `skip`."""
        found: list[Item] = []
        for file in list(self._files.values()):
            found += [item for item in self._items(file) if item not in skip]
            if limit is not None and len(found) >= limit:
                return found[:limit]
        return found

    def read(self, item: Item) -> bytes:
        """The payload as it was put. Raises `SpoolDamaged`, `SpoolError`."""
        entry = self._loaded(self._files[item.name])[item.number]
        if not entry.sound:
            raise SpoolDamaged(f"{item.name}: checksum does not fit")
        return entry.payload

    def done(self, items: Iterable[Item]) -> None:
        """The items were applied and go."""
        # No fsync of the directory: should one come back after a power cut, applying it again changes nothing.
        over = [name for item in items if (name := self._strike(item))]
        if over:
            self._offload(lambda: self._unlink(over))

    def reject(self, item: Item, reason: str) -> Path:
        """Puts aside what can never be applied, with the reason beside it. Returns where it lies now. Raises
        OSError; the item then still waits.
        """
        file = self._files[item.name]
        entry = (file.waiting or {}).get(item.number)
        target = self._offload(lambda: self._put_aside(file, item, entry, reason))
        if (over := self._strike(item)) and not file.only:
            self._offload(lambda: self._unlink([over]))
        return target

    def requeue(self) -> int:
        """Puts all that was rejected back in line, after somebody removed the cause. Returns how many."""
        items = self._found(self.rejected_directory)
        for item in items:
            os.replace(self.rejected_directory / item.name, self.directory / item.name)
            (self.rejected_directory / f"{item.name}.reason").unlink(missing_ok=True)
        if items:
            spool_files.sync(self.directory)
            self._line_up(items)
            if self._wake_event is not None:
                self._wake_event.set()
        return len(items)

    def close(self) -> None:
        """Writes what is being gathered, and lets go of the directory."""
        with self._guard:
            self._closing = True
            self._hurry.set()
            self._come.set()
        if self._committer is not None:
            self._committer.join()
            self._committer = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _commit(self) -> None:
        """Writes batch after batch until the spool is closed: the body of one thread, a greenlet in the engine. Not one
        of those who put does it: they may be killed, and the others would wait for ever.
        """
        while True:
            self._come.wait()
            if self._gather_s > 0:
                self._hurry.wait(self._gather_s)
            with self._guard:
                self._come.clear()
                self._hurry.clear()
                batch, self._batch = self._batch, None
                closing = self._closing
            if batch is not None:
                self._write(batch)
            if closing:
                return

    def _write(self, batch: _Batch) -> None:
        name = batch.entries[0].item.name
        try:
            content = spool_files.pack(batch.entries)
            self._offload(lambda: spool_files.write(self.directory, name, content))
        except SpoolError as error:
            batch.error = error
        except BaseException as error:
            # Whatever it was, those who put are told, and those who come after them are served.
            batch.error = SpoolError(f"{self.directory}: {error}")
            log.exception("spool: can't write to %s", self.directory)
        else:
            file = _File(batch.entries[0].item)
            if self._kept_bytes < KEPT_BYTES:
                self._keep(file, batch.entries)
            self._files[name] = file
        finally:
            batch.written.set()
        if batch.error is None and self._wake_event is not None:
            self._wake_event.set()

    def _items(self, file: _File) -> list[Item]:
        try:
            return [entry.item for entry in self._loaded(file).values()]
        except SpoolError:
            return [file.named]  # reading it tells the reason

    def _loaded(self, file: _File) -> dict[int, Entry]:
        if file.waiting is None:
            name = file.named.name
            try:
                content = self._offload((self.directory / name).read_bytes)
            except OSError as error:
                raise SpoolError(f"{name}: {error.strerror}") from error
            self._keep(file, spool_files.unpack(file.named, content))
        return file.waiting or {}

    def _keep(self, file: _File, entries: Collection[Entry]) -> None:
        file.waiting = {entry.item.number: entry for entry in entries}
        file.only = len(entries) == 1
        with self._guard:
            self._kept_bytes += sum(len(entry.payload) for entry in entries)

    def _strike(self, item: Item) -> str | None:
        """Takes the item off what waits. Returns its file's name when nothing of that waits any longer."""
        file = self._files.get(item.name)
        if file is None:
            return None
        entry = (file.waiting or {}).pop(item.number, None)
        if entry is not None:
            with self._guard:
                self._kept_bytes -= len(entry.payload)
        if file.waiting:
            return None
        del self._files[item.name]
        return item.name

    def _unlink(self, names: Iterable[str]) -> None:
        for name in names:
            spool_files.remove(self.directory / name)

    def _put_aside(self, file: _File, item: Item, entry: Entry | None, reason: str) -> Path:
        name = spool_files.single_name(item.number, item.kind, item.id)
        target = self.rejected_directory / name
        if entry is not None and not file.only:
            spool_files.write(self.rejected_directory, name, spool_files.pack([entry]))
        else:
            with contextlib.suppress(FileNotFoundError):  # somebody took it away; nobody is to wait for it
                os.replace(self.directory / item.name, target)
            spool_files.sync(self.rejected_directory)
        try:
            target.with_name(f"{name}.reason").write_text(reason + "\n", encoding="utf-8")
        except OSError as error:
            # the item itself is what counts; on a full disk the log alone says why
            log.warning("spool: no reason written beside %s: %s", name, error)
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
        for directory in (self.directory, self.rejected_directory):
            for name in os.listdir(directory):
                if name.startswith(".") and name.endswith(".tmp"):
                    spool_files.remove(directory / name)

    def _found(self, directory: Path) -> list[Item]:
        return sorted(filter(None, map(spool_files.named, os.listdir(directory))))

    def _line_up(self, items: Iterable[Item]) -> None:
        files = [*self._files.values(), *map(_File, items)]
        self._files = {file.named.name: file for file in sorted(files, key=lambda file: file.named)}

    def _last_number(self) -> int:
        """The highest number that is in use."""
        files = [file.named for file in self._files.values()] + self._found(self.rejected_directory)
        numbers = [item.number for item in files]
        if batches := [item for item in files if item.name in self._files and item.name.endswith(spool_files.BATCH)]:
            numbers += [item.number for item in self._items(self._files[batches[-1].name])]
        return max(numbers, default=0)
