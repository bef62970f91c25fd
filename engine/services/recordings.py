"""Access to recordings: links that expire, each access in the audit trail (R82, R122)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from engine.domain.recording import RecordingRow, RecordingState
from engine.services.changes import Actor, Changes
from engine.services.errors import CallNotFound, RecordingNotFound, RecordingNotStored
from engine.store.calls import CallStore
from engine.store.recordings import RecordingStore


class RecordingLinks(Protocol):
    """Makes links to stored recordings."""

    def link(self, row: RecordingRow, expires_s: int) -> str:
        """A URL under which the recording can be fetched for `expires_s` without any key. Raises StorageAway."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a recording. Whoever has the URL can listen until it expires: it is a secret."""

    row: RecordingRow
    url: str = field(repr=False)
    expires_ms: int


class Recordings:
    """The use cases around recordings."""

    def __init__(
        self, calls: CallStore, recordings: RecordingStore, links: RecordingLinks, changes: Changes, expires_s: int
    ) -> None:
        self._calls = calls
        self._recordings = recordings
        self._links = links
        self._changes = changes
        self._expires_s = expires_s

    def link(self, call_id: str, by: Actor, recording: str | None = None) -> Link:
        """A link to a call's recording: the one named, or the first that is stored.

        Raises CallNotFound, RecordingNotFound, RecordingNotStored, StorageAway.
        """
        with self._changes.of_other(by, "recording.link", f"call:{call_id}") as change:
            row = self._find(call_id, recording)
            change.detail |= {"recording": row.id, "expires_s": self._expires_s}
            url = self._links.link(row, self._expires_s)
            return Link(row, url, change.now_ms + self._expires_s * 1000)

    def _find(self, call_id: str, recording: str | None) -> RecordingRow:
        rows = self._recordings.of_call(call_id)
        if not rows and self._calls.get(call_id) is None:
            raise CallNotFound(call_id)
        candidates = [row for row in rows if recording in (None, row.id)]
        if not candidates:
            raise RecordingNotFound(call_id, recording)
        for row in candidates:
            if row.state is RecordingState.STORED:
                return row
        raise RecordingNotStored(candidates[0].id, candidates[0].state.value, candidates[0].reason)
