"""Calls that are over: the list, one call, its journal (R90)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.domain.call import CallRecord, JsonObject
from engine.domain.recording import RecordingRow
from engine.services.errors import CallNotFound, JournalNotFound
from engine.store.calls import CallFilter, CallPosition, CallStore
from engine.store.recordings import RecordingStore


@dataclass(frozen=True, slots=True)
class CallPage:
    """A part of the list, newest first. `next` is where the list goes on, None at its end."""

    calls: Sequence[CallRecord]
    next: CallPosition | None


@dataclass(frozen=True, slots=True)
class CallDetail:
    """A call with the rows of its recordings."""

    record: CallRecord
    recordings: Sequence[RecordingRow]


class Calls:
    """The use cases around calls."""

    def __init__(self, calls: CallStore, recordings: RecordingStore) -> None:
        self._calls = calls
        self._recordings = recordings

    def list(self, wanted: CallFilter, limit: int, after: CallPosition | None = None) -> CallPage:
        """The calls that fit, at most `limit`, from `after` on."""
        found = self._calls.list(wanted, limit + 1, after)
        page = found[:limit]
        following = CallPosition(page[-1].started_ms, page[-1].call_id) if len(found) > limit else None
        return CallPage(page, following)

    def get(self, call_id: str) -> CallDetail:
        """One call. Raises CallNotFound."""
        record = self._calls.get(call_id)
        if record is None:
            raise CallNotFound(call_id)
        return CallDetail(record, self._recordings.of_call(call_id))

    def journal(self, call_id: str) -> Sequence[JsonObject]:
        """The journal of a call, entry by entry. Raises CallNotFound, JournalNotFound."""
        found = self._calls.journal(call_id)
        if found is not None:
            return found
        if self._calls.get(call_id) is None:
            raise CallNotFound(call_id)
        raise JournalNotFound(call_id)
