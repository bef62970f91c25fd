"""The journal of live calls: written in batches to a Redis stream per call, and to a local file while Redis is away.

Keys in Redis:
    cw:journal:<call_id>   stream; the id of entry n is `n-0`, its field `e` the entry as JSON
    cw:open                hash call_id → name of the engine that holds the call
    cw:engine:<name>       exists while that engine lives (expires)
    cw:closing:<call_id>   held by the engine that closes a call found orphaned (expires)

An entry's number is its id in the stream, so writing it twice is harmless, and two engines that both believe to hold
a call find out: the slower one is told (`on_conflict`) and lets go.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import gevent
import redis
from gevent.event import AsyncResult, Event

from engine.domain.journal import Entry, decode, encode

log = logging.getLogger(__name__)

BATCH_MS = 10
"""An entry waits at most this long for others to share a round trip with (the design allows 20)."""
KEEP_CLOSED_S = 24 * 3600
"""How long the journal of a call that has ended stays in Redis; its copy for good is in PostgreSQL."""


class JournalUnavailable(Exception):
    """Neither Redis nor the local file can be read or written; `str` says which and why."""


class Journal(Protocol):
    """What a session needs of the journal."""

    def load(self, call_id: str) -> list[Entry]:
        """The call's entries, in order; empty when the call is new. Raises JournalUnavailable."""

    def append(self, call_id: str, entry: Entry) -> None:
        """Take the entry; it is written within BATCH_MS."""

    def flush(self, timeout_s: float = 5.0) -> None:
        """Wait until everything taken is on disk or in Redis. Raises JournalUnavailable."""

    def hold(self, call_id: str) -> None:
        """This engine holds the call now."""

    def close(self, call_id: str) -> None:
        """The call has ended and its record is safe: forget it as an open one."""

    def open_calls(self) -> Mapping[str, str]:
        """call_id → engine, for every call not closed. Raises JournalUnavailable."""

    def engine_lives(self, engine: str) -> bool: ...
    def may_close(self, call_id: str) -> bool:
        """True for exactly one engine among those that ask within a minute."""


class FallbackFile:
    """One file of JSON lines, synced to disk at every batch, for the time that Redis is away."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, lines: list[bytes]) -> None:
        with self.path.open("ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> list[list[str]]:
        """All commands kept, oldest first. A last line that was cut off by a crash is left out."""
        if not self.path.exists():
            return []
        commands = []
        for line in self.path.read_bytes().split(b"\n"):
            try:
                commands.append(json.loads(line))
            except ValueError:
                if line.strip():
                    log.warning("journal file %s: a line that is cut off was left out", self.path)
        return commands

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)


Command = tuple[str, ...]
"""`("add", call_id, n, entry)`, `("hold", call_id)`, `("close", call_id)`: plain text, fit for the local file too."""


class RedisJournal:
    """`Journal` on Redis with the local file behind it. One writer greenlet for all calls of the engine."""

    def __init__(
        self,
        client: redis.Redis,
        engine: str,
        fallback: FallbackFile,
        on_conflict: Callable[[str], None],
        on_gap: Callable[[str], None],
        alive_s: int = 6,
    ) -> None:
        """`on_conflict`: another engine wrote the call's journal. `on_gap`: Redis lost the call's first entries."""
        self._redis = client
        self._engine = engine
        self._file = fallback
        self._on_conflict = on_conflict
        self._on_gap = on_gap
        self._lost: set[str] = set()
        """Calls that another engine took; nothing is written for them until this engine holds them again."""
        self._alive_s = alive_s
        self._queue: list[Command] = []
        self._barriers: list[AsyncResult] = []
        self._wake = Event()
        self._away = bool(fallback.read())
        self._greenlets = [gevent.spawn(self._write_for_ever), gevent.spawn(self._heartbeat)]

    def load(self, call_id: str) -> list[Entry]:
        entries: dict[int, Entry] = {}
        try:
            for _, fields in cast("list[Any]", self._redis.xrange(f"cw:journal:{call_id}")):
                entry = decode(fields[b"e"])
                entries[entry.n] = entry
        except redis.RedisError as error:
            if not self._away:
                raise JournalUnavailable(f"redis: {error}") from error
        for command in self._file.read() if self._away else ():
            if command[0] == "add" and command[1] == call_id:
                entry = decode(command[3])
                entries.setdefault(entry.n, entry)
        if sorted(entries) != list(range(1, len(entries) + 1)):
            raise JournalUnavailable(f"only entries {sorted(entries)} of the call can be read now")
        return [entries[n] for n in sorted(entries)]

    def append(self, call_id: str, entry: Entry) -> None:
        self._put(("add", call_id, str(entry.n), encode(entry).decode()))

    def hold(self, call_id: str) -> None:
        self._lost.discard(call_id)
        self._put(("hold", call_id))

    def close(self, call_id: str) -> None:
        self._put(("close", call_id))

    def _put(self, command: Command) -> None:
        self._queue.append(command)
        self._wake.set()

    def flush(self, timeout_s: float = 5.0) -> None:
        barrier = AsyncResult()
        self._barriers.append(barrier)
        self._wake.set()
        try:
            barrier.get(timeout=timeout_s)
        except gevent.Timeout:
            raise JournalUnavailable(f"not written within {timeout_s:g} s") from None

    def open_calls(self) -> Mapping[str, str]:
        try:
            held = cast("dict[bytes, bytes]", self._redis.hgetall("cw:open"))
            return {call.decode(): engine.decode() for call, engine in held.items()}
        except redis.RedisError as error:
            raise JournalUnavailable(f"redis: {error}") from error

    def engine_lives(self, engine: str) -> bool:
        try:
            return bool(self._redis.exists(f"cw:engine:{engine}"))
        except redis.RedisError as error:
            raise JournalUnavailable(f"redis: {error}") from error

    def may_close(self, call_id: str) -> bool:
        try:
            return bool(self._redis.set(f"cw:closing:{call_id}", self._engine, nx=True, ex=60))
        except redis.RedisError as error:
            raise JournalUnavailable(f"redis: {error}") from error

    @property
    def away(self) -> bool:
        """Redis can't be reached; entries go to the local file."""
        return self._away

    def stop(self) -> None:
        """Write what is left and stop. The engine's sign of life ends at once, so that others may take over."""
        self.flush()
        gevent.killall(self._greenlets)
        try:
            self._redis.delete(f"cw:engine:{self._engine}")
        except redis.RedisError as error:
            log.info("journal: sign of life not taken back: %s", error)

    def _heartbeat(self) -> None:
        while True:
            try:
                self._redis.set(f"cw:engine:{self._engine}", str(os.getpid()), ex=self._alive_s)
                if self._away:
                    self._wake.set()
            except redis.RedisError as error:
                log.warning("journal: no sign of life written: %s", error)
            gevent.sleep(self._alive_s / 3)

    def _write_for_ever(self) -> None:
        while True:
            self._wake.wait()
            if not self._barriers:
                gevent.sleep(BATCH_MS / 1000)
            self._wake.clear()
            batch, self._queue = self._queue, []
            barriers, self._barriers = self._barriers, []
            try:
                self._write(batch)
            except Exception as error:
                log.critical(
                    "journal: %d entries stay in memory, they can't be written anywhere", len(batch), exc_info=True
                )
                self._queue = batch + self._queue
                for barrier in barriers:
                    barrier.set_exception(JournalUnavailable(f"{self._file.path}: {error}"))
                gevent.sleep(1)
                self._wake.set()
                continue
            for barrier in barriers:
                barrier.set(None)

    def _write(self, batch: list[Command]) -> None:
        try:
            if self._away:
                kept = [tuple(command) for command in self._file.read()]
                self._send(kept)
                self._file.clear()
                self._away = False
                log.info("journal: redis is back, %d entries from the local file joined up", len(kept))
            self._send(batch)
        except redis.RedisError as error:
            # Out of memory, a replica, loading: whatever Redis says instead of writing, it is away for us.
            if not self._away:
                log.warning("journal: redis is away (%s), writing to %s", error, self._file.path)
            self._away = True
            self._file.write([json.dumps(command).encode() for command in batch])

    def _send(self, batch: list[Command]) -> None:
        """Write the commands in their order, entries of one call in one step. Raises RedisError: nothing is lost then,
        for what was written already may be written again.
        """
        if not batch:
            self._redis.ping()
            return
        steps = [step for step in _steps(batch) if step[0] == "hold" or step[1] not in self._lost]
        pipe = self._redis.pipeline(transaction=False)
        for kind, call_id, entries in steps:
            self._queue_step(pipe, kind, call_id, entries)
        answers = pipe.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        for (kind, call_id, _), answer in zip(steps, answers, strict=True):
            if kind == "add" and answer != b"ok":
                self._refused(call_id, str(answer))

    def _queue_step(self, pipe: redis.client.Pipeline, kind: str, call_id: str, entries: list[tuple[str, str]]) -> None:
        stream = f"cw:journal:{call_id}"
        if kind == "add":
            pipe.eval(_ADD, 1, stream, *(part for entry in entries for part in entry))
        elif kind == "hold":
            pipe.hset("cw:open", call_id, self._engine)
        else:
            pipe.eval(_CLOSE, 2, stream, "cw:open", call_id, KEEP_CLOSED_S)

    def _refused(self, call_id: str, answer: str) -> None:
        """The stream is not what this engine believes. What else it has for this call must not be written either."""
        if "gap" in answer:
            log.error("journal of call %s: redis has lost its beginning", call_id)
            self._on_gap(call_id)
            return
        log.error("journal of call %s: another engine wrote it; letting go of the call", call_id)
        self._lost.add(call_id)
        self._on_conflict(call_id)


def _steps(batch: list[Command]) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """The batch as steps (kind, call, entries): what a call has in it between two other commands comes together."""
    open_adds: dict[str, list[tuple[str, str]]] = {}
    steps: list[tuple[str, str, list[tuple[str, str]]]] = []
    for command in batch:
        kind, call_id = command[0], command[1]
        if kind != "add":
            open_adds.pop(call_id, None)
            steps.append((kind, call_id, []))
        elif call_id in open_adds:
            open_adds[call_id].append((command[2], command[3]))
        else:
            open_adds[call_id] = [(command[2], command[3])]
            steps.append((kind, call_id, open_adds[call_id]))
    yield from steps


_ADD = """
local length = redis.call('XLEN', KEYS[1])
local first = tonumber(ARGV[1])
if first > length + 1 then return 'gap' end
for i = 1, #ARGV, 2 do
  if tonumber(ARGV[i]) <= length then
    local there = redis.call('XRANGE', KEYS[1], ARGV[i] .. '-0', ARGV[i] .. '-0')[1]
    if not there or there[2][2] ~= ARGV[i + 1] then return 'conflict' end
  end
end
for i = 1, #ARGV, 2 do
  if tonumber(ARGV[i]) > length then
    redis.call('XADD', KEYS[1], ARGV[i] .. '-0', 'e', ARGV[i + 1])
  end
end
return 'ok'
"""
"""All of a call's entries or none: an entry that is there with another content was written by another engine."""

_CLOSE = """
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('HDEL', KEYS[2], ARGV[1])
"""
