"""The way of a finished call out of the engine: journal → record → spool on disk → PostgreSQL."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

from pydantic import TypeAdapter

from engine.cdr.record import build
from engine.domain.call import CallRecord
from engine.domain.finished import FinishedCall
from engine.domain.journal import Entry, encode, read
from engine.domain.recording import RecordingRow, rows_of

CALL = "call"
RECORDING = "recording"
KEPT_CALLS = 512
"""How many finished calls are kept in memory until they are written; what goes beyond is read from the spool again."""


class SpoolPort(Protocol):
    """Where payloads are safe once `put` has returned. `urgent`: somebody on the phone waits for it."""

    def put(self, kind: str, id: str, payload: bytes, *, urgent: bool = False) -> object: ...


class CallStorePort(Protocol):
    """Where records end up. Writing one twice changes nothing."""

    def write_all(self, calls: Sequence[FinishedCall]) -> object:
        """All of them, or none."""


class RecordingStorePort(Protocol):
    """Where recordings' rows end up. Announcing one twice changes nothing."""

    def announce(self, row: RecordingRow) -> object: ...


_ROW: TypeAdapter[RecordingRow] = TypeAdapter(RecordingRow)


class FinishedCalls:
    """The calls that this process has finished, until they are written: to build each from its payload once more would
    cost as much as the writing.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, FinishedCall] = OrderedDict()

    def keep(self, call: FinishedCall) -> None:
        """Keep the call, and let go of the oldest when there are many."""
        self._kept[call.record.call_id] = call
        if len(self._kept) > KEPT_CALLS:
            self._kept.popitem(last=False)

    def of(self, call_id: str, payload: bytes) -> FinishedCall:
        """The call of a payload from the spool. Raises ValueError for a payload that is none."""
        kept = self._kept.get(call_id)
        return kept if kept is not None and kept.journal == payload else finished(read(payload.split(b"\n")))

    def drop(self, call_id: str) -> None:
        """The call was written."""
        self._kept.pop(call_id, None)


def finished(entries: Sequence[Entry]) -> FinishedCall:
    """The call of a journal. Raises JournalBroken."""
    return FinishedCall(build(entries), b"\n".join(map(encode, entries)), rows_of(entries))


class CallOutbox:
    """Puts finished calls and announced recordings into the spool."""

    def __init__(self, spool: SpoolPort, close: Callable[[str], None]) -> None:
        self._spool = spool
        self._close = close
        self.finished = FinishedCalls()

    def put(self, call_id: str, entries: Sequence[Entry]) -> CallRecord:
        """Make the call safe, then close its journal. Raises JournalBroken, or OSError when the disk refuses."""
        call = finished(entries)
        self.finished.keep(call)
        self._spool.put(CALL, call_id, call.journal)
        self._close(call_id)
        return call.record

    def announce(self, row: RecordingRow) -> None:
        """Make a recording's row safe, before the recording starts."""
        self._spool.put(RECORDING, row.id, _ROW.dump_json(row), urgent=True)


class Applier:
    """Takes what lies in the spool to the database: (kind, id, payload) each."""

    def __init__(self, calls: CallStorePort, recordings: RecordingStorePort, finished: FinishedCalls) -> None:
        self._calls = calls
        self._recordings = recordings
        self._finished = finished

    def __call__(self, items: Sequence[tuple[str, str, bytes]]) -> None:
        """Raises what the stores raise, ValueError for a payload that is none. Recordings may have been applied then,
        of the calls none.
        """
        calls = []
        for kind, item_id, payload in items:
            if kind == CALL:
                calls.append(self._finished.of(item_id, payload))
            elif kind == RECORDING:
                self._recordings.announce(_ROW.validate_json(payload))
            else:
                raise ValueError(f"spool item {item_id}: unknown kind {kind!r}")
        if calls:
            self._calls.write_all(calls)
        for _, item_id, _ in items:
            self._finished.drop(item_id)
