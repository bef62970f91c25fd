"""The way of a finished call out of the engine: journal → record → spool on disk → PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from pydantic import TypeAdapter

from engine.cdr.record import build
from engine.domain.call import CallRecord
from engine.domain.journal import Entry, encode, read
from engine.domain.recording import RecordingRow

CALL = "call"
RECORDING = "recording"


class SpoolPort(Protocol):
    """Where payloads are safe once `put` has returned."""

    def put(self, kind: str, id: str, payload: bytes) -> object: ...


class CallStorePort(Protocol):
    """Where records end up. Writing one twice changes nothing."""

    def write(self, record: CallRecord, journal: Sequence[bytes] = ()) -> object: ...
    def write_all(self, calls: Sequence[tuple[CallRecord, Sequence[Entry]]]) -> object:
        """All of them, or none."""


class RecordingStorePort(Protocol):
    """Where recordings' rows end up. Announcing one twice changes nothing."""

    def announce(self, row: RecordingRow) -> object: ...


_ROW: TypeAdapter[RecordingRow] = TypeAdapter(RecordingRow)


class CallOutbox:
    """Puts finished calls and announced recordings into the spool."""

    def __init__(self, spool: SpoolPort, close: Callable[[str], None]) -> None:
        self._spool = spool
        self._close = close

    def put(self, call_id: str, entries: Sequence[Entry]) -> CallRecord:
        """Make the call safe, then close its journal. Raises JournalBroken, or OSError when the disk refuses."""
        record = build(entries)
        self._spool.put(CALL, call_id, b"\n".join(encode(entry) for entry in entries))
        self._close(call_id)
        return record

    def announce(self, row: RecordingRow) -> None:
        """Make a recording's row safe, before the recording starts."""
        self._spool.put(RECORDING, row.id, _ROW.dump_json(row))


class Applier:
    """Takes what lies in the spool to the database. The record is built from the journal here again: one source."""

    def __init__(self, calls: CallStorePort, recordings: RecordingStorePort) -> None:
        self._calls = calls
        self._recordings = recordings

    def __call__(self, kind: str, item_id: str, payload: bytes) -> None:
        """Raises what the stores raise, ValueError for a payload that is none."""
        if kind == CALL:
            lines = payload.splitlines()
            self._calls.write(build(read(lines)), lines)
        elif kind == RECORDING:
            self._recordings.announce(_ROW.validate_json(payload))
        else:
            raise ValueError(f"spool item {item_id}: unknown kind {kind!r}")

    def together(self, items: Sequence[tuple[str, str, bytes]]) -> None:
        """The same for several items. Raises the same; some of them may have been applied then."""
        calls = []
        for kind, item_id, payload in items:
            if kind == CALL:
                entries = read(payload.splitlines())
                calls.append((build(entries), entries))
            else:
                self(kind, item_id, payload)
        if calls:
            self._calls.write_all(calls)
