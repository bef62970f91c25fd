"""The file of journal entries for the time that Redis is away: synced to disk at every batch, its content in memory.

One line of JSON for each command: `["add", call_id, n, entry]`, `["hold", call_id]`, `["close", call_id]`. The file is
read once, when the process starts; of calls that are over only that is kept in memory, for their records are in the
spool.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.domain.ports import Offload, at_once

log = logging.getLogger(__name__)

Command = tuple[str, ...]
"""`("add", call_id, n, entry)`, `("hold", call_id)`, `("close", call_id)`: plain text, fit for the file."""


@dataclass(slots=True)
class Kept:
    """What the file has of one call and Redis has not: entries by number, whether we hold the call, and its end."""

    entries: dict[int, str] = field(default_factory=dict)
    held: bool = False
    closed: bool = False

    def take(self, command: Command) -> None:
        """Note one more command of the call."""
        if command[0] == "add":
            self.entries[int(command[2])] = command[3]
        elif command[0] == "hold":
            self.held, self.closed = True, False
        else:
            self.held, self.closed = False, True
            self.entries.clear()


class FallbackFile:
    """The file and what it holds. `write` and `clear` raise OSError; one greenlet at a time may call them."""

    def __init__(self, path: Path, offload: Offload = at_once) -> None:
        self.path = path
        self.calls: dict[str, Kept] = {}
        """By call, in the order in which the calls came into the file."""
        self._offload = offload
        self._torn = False
        """The file ends within a line: what comes next begins with a line break."""
        path.parent.mkdir(parents=True, exist_ok=True)
        for command in self._read():
            self._note(command)

    def __bool__(self) -> bool:
        """Whether anything is kept that Redis has not."""
        return bool(self.calls)

    def write(self, commands: Sequence[Command]) -> None:
        """Keep the commands; they are safe on disk when this returns."""
        content = b"".join(json.dumps(command).encode() + b"\n" for command in commands)
        self._offload(lambda: self._append(content))
        for command in commands:
            self._note(command)

    def joined(self, call_id: str, sent: Kept) -> None:
        """Redis has what `sent` says; what came since stays."""
        kept = self.calls.get(call_id)
        if kept is None:
            return
        for n in sent.entries:
            kept.entries.pop(n, None)
        if not kept.entries and (kept.held, kept.closed) == (sent.held, sent.closed):
            del self.calls[call_id]

    def clear(self) -> None:
        """Redis has everything."""
        self.calls.clear()
        self._offload(lambda: self.path.unlink(missing_ok=True))

    def _note(self, command: Command) -> None:
        self.calls.setdefault(command[1], Kept()).take(command)

    def _append(self, content: bytes) -> None:
        fresh = not self.path.exists()
        torn, self._torn = self._torn, True
        with self.path.open("ab") as file:
            file.write(b"\n" + content if torn else content)
            file.flush()
            os.fsync(file.fileno())
        self._torn = False
        if fresh:
            directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def _read(self) -> list[Command]:
        """All commands of an earlier run, oldest first. A last line that was cut off by a crash is left out."""
        if not self.path.exists():
            return []
        commands = []
        content = self.path.read_bytes()
        self._torn = not content.endswith(b"\n")
        for line in content.split(b"\n"):
            try:
                commands.append(tuple(json.loads(line)))
            except ValueError:
                if line.strip():
                    log.warning("journal file %s: a line that is cut off was left out", self.path)
        return commands
