"""The spool's files: what they are called, what is in them, and the few system calls that make them safe.

Content, format 2, of several items or of one:

    callwright-spool 2 <sha256 of the next line> LF
    [[number, kind, id, bytes, sha256 of the payload], …] LF        JSON, in the order of the payloads
    payload payload …

The index comes first and holds each item's length, so that a damaged payload costs that one item. Format 1, of one item
whose kind and id stand in the file's name, is still read: `callwright-spool 1 <sha256 of the payload> LF payload`.

    SpoolError (an OSError)
    ├── SpoolFull      no room on the disk; nothing was kept, the same put may be made again
    ├── SpoolBusy      another process uses the directory
    └── SpoolDamaged   an item's content is not what was put
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

log = logging.getLogger(__name__)

BATCH = ".items"
SINGLE = ".item"
_FORMAT_1 = b"callwright-spool 1 "
_FORMAT_2 = b"callwright-spool 2 "
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


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """Something that waits. `name` is the file that holds it, and maybe others."""

    number: int
    kind: str
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An item's payload as it is and the checksum that it ought to have; None: nobody can tell what it was."""

    item: Item
    payload: bytes
    sha256: str | None

    @property
    def sound(self) -> bool:
        return hashlib.sha256(self.payload).hexdigest() == self.sha256


def batch_name(number: int) -> str:
    """The name of a file that begins with the item of this number."""
    return f"{number:016d}{BATCH}"


def single_name(number: int, kind: str, item_id: str) -> str:
    """The name of a file of one item. Raises SpoolError when the id is too long for one."""
    name = f"{number:016d}.{_quoted(kind)}.{_quoted(item_id)}{SINGLE}"
    if len(name) > _NAME_MAX:
        raise SpoolError(f"id of {len(item_id)} characters is too long for a file name")
    return name


def named(name: str) -> Item | None:
    """What the file's name alone says: its first item's number, and kind and id where it holds only that one. None for
    a file that is not the spool's.
    """
    parts = name.split(".")
    if not parts[0].isdigit():
        return None
    if len(parts) == 4 and parts[3] == "item":
        return Item(int(parts[0]), unquote(parts[1]), unquote(parts[2]), name)
    return Item(int(parts[0]), "", "", name) if len(parts) == 2 and parts[1] == "items" else None


def pack(entries: Sequence[Entry]) -> bytes:
    """The content of a file that holds these."""
    index = json.dumps(
        [[each.item.number, each.item.kind, each.item.id, len(each.payload), each.sha256] for each in entries]
    ).encode()
    header = _FORMAT_2 + hashlib.sha256(index).hexdigest().encode()
    return b"\n".join((header, index, b"".join([each.payload for each in entries])))


def unpack(file: Item, content: bytes) -> list[Entry]:
    """The entries of a file that is named so; a single unsound one with all that there is when the index is damaged."""
    header, _, rest = content.partition(b"\n")
    if header.startswith(_FORMAT_1):
        return [Entry(file, rest, header[len(_FORMAT_1) :].decode("ascii", "replace"))]
    index, _, payloads = rest.partition(b"\n")
    if header != _FORMAT_2 + hashlib.sha256(index).hexdigest().encode():
        return [Entry(file, content, None)]
    entries, begin = [], 0
    for number, kind, item_id, length, sha256 in json.loads(index):
        entries.append(Entry(Item(number, kind, item_id, file.name), payloads[begin : begin + length], sha256))
        begin += length
    return entries


def write(directory: Path, name: str, content: bytes) -> None:
    """Makes the file, complete and safe, or leaves nothing. Raises SpoolFull, SpoolError."""
    path, temporary = directory / name, directory / f".{name}.tmp"
    try:
        _write_synced(temporary, content)
        os.rename(temporary, path)
        sync(directory)
    except OSError as error:
        # Whoever put this is told that it failed and puts it again: what was written so far must not count too.
        remove(temporary)
        remove(path)
        kind = SpoolFull if error.errno in _FULL else SpoolError
        raise kind(f"{directory}: {error.strerror or error}") from error


def sync(directory: Path) -> None:
    """Makes the directory's names safe."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Removes the file; the log tells where that fails."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("spool: can't remove %s: %s", path.name, error)


def _quoted(text: str) -> str:
    # the dot separates the parts of the name, and quote() leaves it alone
    return quote(text, safe="").replace(".", "%2E")


def _write_synced(path: Path, content: bytes) -> None:
    # O_DSYNC in place of an fsync: each system call costs the other threads of the process a turn.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_DSYNC | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)
