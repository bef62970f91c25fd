"""The journal of live calls: written in batches to a Redis stream per call, and to a local file while Redis is away.

While Redis is away, hung or refuses, nobody waits for it: one greenlet asks it now and then, all others go straight to
the file. When it answers again, that greenlet joins up what the file has, call by call, while the file is still
written; the last step is the writer's, and Redis has everything.

Keys in Redis:
    cw:journal:<call_id>   stream; the id of entry n is `n-0`, its field `e` the entry as JSON
    cw:open                hash call_id → name of the engine that holds the call
    cw:engine:<name>       process and version; exists while that engine lives (expires)
    cw:closing:<call_id>   held by the engine that closes a call found orphaned (expires)
    cw:fetching:<call_id>  held by the engine that has sent such a call through the entry again (expires)

An entry's number is its id in the stream, so writing it twice is harmless, and two engines that both believe to hold
a call find out: the slower one is told (`on_conflict`) and lets go.
"""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from typing import Any, Protocol, TypeVar, cast

import gevent
import redis
from gevent.event import AsyncResult, Event

from engine.domain.journal import Entry, FormatUnknown, encode, read
from engine.session import journal_scripts as scripts
from engine.session.fallback import Command, FallbackFile, Kept

log = logging.getLogger(__name__)

_VERSION = metadata.version("callwright")

T = TypeVar("T")
Step = tuple[str, str, list[tuple[str, str]]]
"""Kind, call, and entries by number: see `journal_scripts.STEPS`."""

BATCH_MS = 20
"""An entry waits at most this long for others to share a round trip with: all that the design allows."""
PROBE_FIRST_S = 0.1
PROBE_MOST_S = 2.0
"""Pauses between two questions to a Redis that is away: each twice as long as the one before."""
JOIN_AT_ONCE = 200
"""Calls that are joined up in one round trip."""
_SILENT = (redis.ConnectionError, redis.TimeoutError)
"""Redis did not answer; everything else is an answer, if not the one that we want."""
KEEP_CLOSED_S = 24 * 3600
"""How long the journal of a call that has ended stays in Redis; its copy for good is in PostgreSQL."""


class JournalUnavailable(Exception):
    """The journal can't be read or written here and now; `str` says why."""


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
    def claim(self, what: str, call_id: str, for_s: int) -> bool:
        """True for exactly one engine among those that ask within that time to do this with an orphan."""


class RedisJournal:
    """`Journal` on Redis with the local file behind it. One writer greenlet for all calls of the engine."""

    def __init__(
        self,
        client: redis.Redis,
        engine: str,
        fallback: FallbackFile,
        on_conflict: Callable[[str], None],
        on_gap: Callable[[str], None],
        served: Callable[[], Iterable[str]],
        alive_s: int = 6,
    ) -> None:
        """`on_conflict`: another engine wrote the call's journal. `on_gap`: Redis lost entries of the call.
        `served`: the calls of this engine that have a journal.
        """
        self._redis = client
        self._engine = engine
        self._file = fallback
        self._on_conflict = on_conflict
        self._on_gap = on_gap
        self._served = served
        self._line: redis.Connection | None = None
        self._lost: set[str] = set()
        """Calls that another engine took; nothing is written for them until this engine holds them again."""
        self._alive_s = alive_s
        self._queue: list[Command] = []
        self._barriers: list[AsyncResult] = []
        self._wake = Event()
        self._away = bool(fallback)
        self._emptied = False
        """Redis has lost our sign of life: it may have come back with nothing, and without our noticing."""
        self._answers = True
        """Redis can be read, though it may refuse to write (out of memory, a replica)."""
        self._returning = False
        """The greenlet that asks has joined up nearly all: the rest is the writer's."""
        self._went = Event()
        self._here = Event()
        if not self._away:
            self._here.set()
        self._others_count_from_s = 0.0
        self._greenlets = [gevent.spawn(self._write_for_ever), gevent.spawn(self._heartbeat)]

    def load(self, call_id: str) -> list[Entry]:
        kept = self._file.calls.get(call_id)
        lines: dict[int, bytes | str] = dict(kept.entries) if kept else {}
        # Also where Redis was silent last, unless the file knows the call: it may be back unnoticed, and to
        # begin a call anew that has come far is worse than to wait for it once.
        if self._answers or kept is None:
            try:
                for number, fields in cast("list[Any]", self._redis.xrange(f"cw:journal:{call_id}")):
                    lines.setdefault(int(number.partition(b"-")[0]), fields[b"e"])
            except redis.RedisError as error:
                self._gone(error)
        if sorted(lines) != list(range(1, len(lines) + 1)):
            raise JournalUnavailable(f"only entries {sorted(lines)} of the call can be read now")
        try:
            return read([lines[n] for n in sorted(lines)])
        except FormatUnknown as unknown:
            raise JournalUnavailable(f"{unknown}: the call is left to an engine of the newer version") from unknown

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
        held = self._asked(lambda: cast("dict[bytes, bytes]", self._redis.hgetall("cw:open")))
        return {call.decode(): engine.decode() for call, engine in held.items()}

    def engine_lives(self, engine: str) -> bool:
        # After an outage of Redis the signs of life of all engines are gone, until each has found out that it is over.
        if self._away or time.monotonic() < self._others_count_from_s:
            return True
        return self._asked(lambda: bool(self._redis.exists(f"cw:engine:{engine}")))

    def claim(self, what: str, call_id: str, for_s: int) -> bool:
        return self._asked(lambda: bool(self._redis.set(f"cw:{what}:{call_id}", self._engine, nx=True, ex=for_s)))

    def _asked(self, question: Callable[[], T]) -> T:
        if not self._answers:
            raise JournalUnavailable("redis is away")
        try:
            return question()
        except redis.RedisError as error:
            if isinstance(error, _SILENT):
                self._gone(error)
            raise JournalUnavailable(f"redis: {error}") from error

    @property
    def away(self) -> bool:
        """Redis can't be reached; entries go to the local file."""
        return self._away

    def wait_here(self, timeout_s: float) -> bool:
        """Wait until Redis has everything; False when the time is over."""
        return bool(self._here.wait(timeout_s))

    def stop(self) -> None:
        """Write what is left and stop. The engine's sign of life ends at once, so that others may take over."""
        self.flush()
        gevent.killall(self._greenlets)
        try:
            self._asked(lambda: self._redis.delete(f"cw:engine:{self._engine}"))
        except JournalUnavailable as error:
            log.info("journal: sign of life not taken back: %s", error)

    # Redis goes away and comes back

    def _gone(self, error: redis.RedisError) -> None:
        # Out of memory, a replica, loading: whatever Redis says instead of writing, it is away for us.
        if not self._away:
            log.warning("journal: redis is away (%s), writing to %s", error, self._file.path)
        self._away, self._returning = True, False
        self._answers = not isinstance(error, _SILENT)
        self._here.clear()
        self._went.set()

    def _heartbeat(self) -> None:
        """The sign of life; while Redis is away, also what asks after it and joins up the file."""
        pause_s = PROBE_FIRST_S
        while True:
            self._went.clear()
            try:
                sign = f"{os.getpid()} {_VERSION}"
                before = self._redis.set(f"cw:engine:{self._engine}", sign, ex=self._alive_s, get=True)
                self._emptied |= before is None
                self._answers = True
                if self._away and not self._returning:
                    self._join_up()
                if self._emptied and not self._away:
                    self._find_lost()
            except redis.RedisError as error:
                self._gone(error)
            except Exception:
                # Without signs of life other engines would take our calls for orphans.
                log.exception("journal: fault while asking redis; going on")
            if self._away:
                gevent.sleep(pause_s)
                pause_s = min(pause_s * 2, PROBE_MOST_S)
            else:
                pause_s = PROBE_FIRST_S
                self._went.wait(self._alive_s / 3)

    def _join_up(self) -> None:
        while len(self._file.calls) > JOIN_AT_ONCE:
            self._join(dict(itertools.islice(self._file.calls.items(), JOIN_AT_ONCE)))
        self._returning = True
        self._wake.set()

    def _join_rest(self) -> None:
        """The last step of the return: nothing else is written meanwhile. Raises RedisError."""
        self._join(dict(self._file.calls))
        self._file.clear()
        self._away = self._returning = False
        self._others_count_from_s = time.monotonic() + self._alive_s
        self._here.set()
        log.info("journal: redis is back and has what was in the local file")

    def _find_lost(self) -> None:
        """A call that waits, in a long prompt or a conversation, writes nothing by which it would find out that Redis
        lost it; no other engine could go on with it. Raises RedisError.
        """
        calls = list(self._served())
        with self._redis.pipeline(transaction=False) as questions:
            for call_id in calls:
                questions.exists(f"cw:journal:{call_id}")
            there = questions.execute()
        self._emptied = False
        for call_id in itertools.compress(calls, (not each for each in there)):
            self._on_gap(call_id)

    def _join(self, calls: Mapping[str, Kept]) -> None:
        """Bring what the file has of these calls to Redis. Raises RedisError; doing it again changes nothing."""
        sent = {call_id: Kept(dict(kept.entries), kept.held, kept.closed) for call_id, kept in calls.items()}
        steps: list[Step] = []
        for call_id, kept in sent.items():
            entries = [(str(n), kept.entries[n]) for n in sorted(kept.entries)]
            kind = "close_ours" if kept.closed else "join_held" if kept.held and entries else "add"
            steps.append((kind, call_id, entries))
        for (call_id, kept), answer in zip(sent.items(), self._done(steps), strict=True):
            self._file.joined(call_id, kept)
            if answer != b"ok":
                self._refused(call_id, answer)

    # Writing

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
            if self._returning:
                self._join_rest()
            if not self._away:
                self._send(batch)
                return
        except redis.RedisError as error:
            self._gone(error)
        if kept := [command for command in batch if self._is_ours(command)]:
            self._file.write(kept)

    def _is_ours(self, command: Command) -> bool:
        return command[0] == "hold" or command[1] not in self._lost

    def _send(self, batch: list[Command]) -> None:
        """Write the commands in their order, entries of one call in one step. Raises RedisError: nothing is lost then,
        for what was written already may be written again.
        """
        steps = list(_steps(command for command in batch if self._is_ours(command)))
        if not steps:
            return
        for (_, call_id, _), answer in zip(steps, self._done(steps), strict=True):
            if answer != b"ok":
                self._refused(call_id, answer)

    def _done(self, steps: Iterable[Step]) -> list[bytes]:
        """What Redis answers to each step, in one round trip on a connection of our own: the client's way through its
        pool, its retries and its counters costs more than the writing. Raises RedisError.
        """
        arguments: list[str | int] = [self._engine, KEEP_CLOSED_S]
        for kind, call_id, entries in steps:
            arguments += (kind, call_id, 2 * len(entries))
            for entry in entries:
                arguments += entry
        if self._line is None:
            self._line = self._redis.connection_pool.get_connection()
        line = self._line
        try:
            try:
                line.send_command("EVALSHA", scripts.STEPS_SHA, 0, *arguments)  # type: ignore[no-untyped-call]
                answers = line.read_response()
            except redis.exceptions.NoScriptError:
                line.send_command("EVAL", scripts.STEPS, 0, *arguments)  # type: ignore[no-untyped-call]
                answers = line.read_response()
        except BaseException as fault:
            if not isinstance(fault, redis.ResponseError):
                # Half a command may be on its way, or an answer: what came next would not be ours.
                line.disconnect()  # type: ignore[no-untyped-call]
            raise
        return cast("list[bytes]", answers)

    def _refused(self, call_id: str, answer: bytes) -> None:
        """The stream is not what this engine believes. What else it has for this call must not be written either."""
        if answer == b"gap":
            log.error("journal of call %s: redis has lost its beginning", call_id)
            self._on_gap(call_id)
            return
        log.error("journal of call %s: another engine wrote it; letting go of the call", call_id)
        self._lost.add(call_id)
        self._on_conflict(call_id)


def _steps(batch: Iterable[Command]) -> Iterator[Step]:
    """The batch as steps (kind, call, entries): what a call has in it between two other commands comes together."""
    open_adds: dict[str, list[tuple[str, str]]] = {}
    steps: list[Step] = []
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
