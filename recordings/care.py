"""What is done with one recording: checked, repaired if need be, stored, confirmed, marked, and only then deleted.

Every step can be done again: a worker that dies anywhere is followed by one that comes to the same end (R83).
The row says `stored` before the file is deleted, so that a row without a file never means a loss that goes unnoticed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from engine.domain.ports import Clock
from engine.domain.recording import RecordingRow, RecordingState
from recordings import flac
from recordings.files import RecordingFiles, SpoolFile
from recordings.storage import Content, ContentRefused, StoredObject

log = logging.getLogger(__name__)

_OPEN = (RecordingState.EXPECTED, RecordingState.RECORDING)
SAMPLE_RATES = (8000, 16000, 32000, 48000)
"""What a switch may record with: the rate of the caller's codec, or 8000 where it is set."""
SILENT_PEAK = 8
"""The loudest sample of a channel without sound. Comfort noise and rounding give 1 or 2."""


class Rows(Protocol):
    """What is needed of the store: `engine.store.recordings.RecordingStore`. Raises its errors."""

    def get(self, recording_id: str) -> RecordingRow | None: ...
    def due(self, limit: int = 100, *, unchanged_s: int = 3600) -> list[RecordingRow]: ...
    def finish(self, row: RecordingRow) -> None: ...
    def stored(self, row: RecordingRow) -> bool: ...
    def quarantine(self, recording_id: str, reason: str) -> bool: ...
    def missing(self, recording_id: str, reason: str) -> bool: ...
    def call_of(self, recording_id: str) -> str | None:
        """The call whose record lists the recording, for one whose own row was lost."""


class Storage(Protocol):
    """What is needed of the storage: `recordings.storage.ObjectStorage`. Raises its errors."""

    bucket: str

    def ensure_bucket(self) -> None: ...
    def head(self, key: str) -> StoredObject | None: ...
    def put(self, key: str, path: Path, content: Content, metadata: Mapping[str, str]) -> None: ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what, in seconds."""

    settle_s: float = 30
    """A recording that has ended, where it can't be seen whether the switch still writes."""
    unannounced_end_s: float = 300
    """A file that nobody writes any more, whose end the engine did not announce: it may have died."""
    unseen_writer_s: float = 3600
    """The same, where it can't be seen whether the switch still writes."""
    missing_s: float = 600
    """The end of a recording without a file."""
    orphan_s: float = 900
    """A file without a row: the row may still wait in an engine's spool."""


class Outcome(StrEnum):
    """What came of it."""

    STORED = "stored"
    QUARANTINED = "quarantined"
    CLEARED = "cleared"
    """It was stored before; the file that was left is gone."""
    NOT_YET = "not_yet"
    """It is being written, or held by another worker, or it is too early to tell."""
    ORPHAN = "orphan"
    """Nothing tells which call it belongs to."""


class WrongShape(Exception):
    """A file that can be read and is not what the switch should have written."""


@dataclass(frozen=True, slots=True)
class _Sound:
    """What goes to storage. `keep_original`: the repair could not save everything."""

    path: Path
    measured: flac.Measured
    remarks: tuple[str, ...]
    keep_original: bool = False


class Caretaker:
    """Takes care of recordings, one at a time. Safe for several threads."""

    def __init__(
        self, files: RecordingFiles, rows: Rows, storage: Storage, clock: Clock, patience: Patience | None = None
    ) -> None:
        self._files = files
        self._rows = rows
        self._storage = storage
        self._clock = clock
        self._patience = patience or Patience()

    def care(self, recording_id: str) -> Outcome:
        """Do what can be done for the recording's file.

        Raises StorageUnavailable and StoreUnavailable (wait for the service), ContentRefused and OSError (try this
        file again later).
        """
        with self._files.claim(recording_id) as file:
            if file is None or file.has_writer:
                return Outcome.NOT_YET
            row = self._rows.get(recording_id) or self._adopt(file)
            if row is None:
                return Outcome.ORPHAN if self._age_s(file) >= self._patience.orphan_s else Outcome.NOT_YET
            if self._age_s(file) < self._wait_s(row, file):
                return Outcome.NOT_YET
            try:
                with self._sound(row, file) as sound:
                    return self._bring(row, file, sound)
            except (flac.FlacError, WrongShape) as fault:
                # The row first: a file that still lies in its place is taken care of again, one put aside is not.
                self._rows.quarantine(row.id, str(fault))
                where = self._files.put_aside(file)
                log.error("recording %s of call %s is quarantined in %s: %s", row.id, row.call_id, where, fault)
                return Outcome.QUARANTINED

    def without_file(self, row: RecordingRow) -> None:
        """Do what can be done for a row that is due and has no file. Raises as `care`."""
        now = self._rows.get(row.id)
        if self._files.exists(row.id) or now is None or now.state not in (*_OPEN, RecordingState.ENDED):
            return  # another worker was faster
        if self._files.is_set_aside(row.id):
            self._rows.quarantine(row.id, "was put aside earlier")
            return
        there = self._storage.head(key_of(row)) if row.started_ms is not None else None
        if there is not None and there.metadata.get("recording-id") == row.id:
            # its row was set back, by a restored backup for instance
            self._rows.stored(_from_object(row, there, self._storage.bucket))
            log.info("recording %s of call %s was found in storage", row.id, row.call_id)
            return
        since_ms = row.ended_ms or row.started_ms or 0
        waited_s = (self._clock.now_ms() - since_ms) / 1000
        if waited_s >= self._patience.missing_s:
            reason = f"no file {row.id}.flac on the switch's disk"
            if row.state in _OPEN:
                reason += ", and no word that the recording ended"
            self._rows.missing(row.id, reason)
            log.error("recording %s of call %s is missing: %s", row.id, row.call_id, reason)

    def _age_s(self, file: SpoolFile) -> float:
        return max(self._clock.now_ms() - file.modified_ms, 0) / 1000

    def _wait_s(self, row: RecordingRow, file: SpoolFile) -> float:
        sure = file.has_writer is False
        if row.state in _OPEN:
            return self._patience.unannounced_end_s if sure else self._patience.unseen_writer_s
        return 0 if sure else self._patience.settle_s

    def _adopt(self, file: SpoolFile) -> RecordingRow | None:
        """The row of a file that has none, made anew where a call's record lists the recording."""
        if self._age_s(file) < self._patience.orphan_s:
            return None
        call_id = self._rows.call_of(file.id)
        if call_id is None:
            return None
        log.warning("recording %s had no row; the record of call %s lists it", file.id, call_id)
        self._rows.finish(RecordingRow(file.id, call_id, str(file.path), RecordingState.ENDED))
        return self._rows.get(file.id)

    @contextmanager
    def _sound(self, row: RecordingRow, file: SpoolFile) -> Iterator[_Sound]:
        """The file itself, or a repaired copy of it. Raises FlacError, WrongShape."""
        try:
            measured = flac.measure(file.path)
        except flac.Damaged as damage:
            with self._files.workplace(file) as copy:
                repaired = flac.repair(file.path, copy)
                remark = f"repaired: {damage}"
                if repaired.lost_ms:
                    remark += f"; {repaired.lost_ms / 1000:.1f} s are lost and silent"
                remarks = (remark, *judge(row, repaired.measured))
                yield _Sound(copy, repaired.measured, remarks, keep_original=repaired.lost_ms > 0)
        else:
            yield _Sound(file.path, measured, judge(row, measured))

    def _bring(self, row: RecordingRow, file: SpoolFile, sound: _Sound) -> Outcome:
        content = Content.of(sound.path)
        stored_before = row.state is RecordingState.STORED
        if stored_before and content.sha256 != row.sha256:
            where = self._files.put_aside(file)
            log.error("recording %s is stored, and a file with other content came; it lies in %s", row.id, where)
            return Outcome.QUARANTINED
        key = row.key or key_of(row, file.modified_ms)
        there = self._storage.head(key)
        if there is None or not there.confirms(content):
            self._storage.put(key, sound.path, content, _describe(row, sound.measured))
            there = self._storage.head(key)
            if there is None or not there.confirms(content):
                raise ContentRefused(f"the storage does not confirm {key}: it holds {there}")
        if not self._files.unchanged(file):
            log.warning("recording %s was written to while it was stored; it is stored again", row.id)
            return Outcome.NOT_YET
        self._rows.stored(_stored(row, sound, content, self._storage.bucket, key))
        if sound.keep_original:
            self._files.put_aside(file)
        else:
            self._files.delete(file)
        if stored_before:
            return Outcome.CLEARED
        remarks = "; ".join(("", *sound.remarks))
        log.info("recording %s of call %s is stored: %d bytes%s", row.id, row.call_id, content.bytes, remarks)
        return Outcome.STORED


def key_of(row: RecordingRow, otherwise_ms: int = 0) -> str:
    """The name in storage: `2026/11/22/<call id>/<recording id>.flac`, by the day (UTC) on which it began.

    `otherwise_ms`: the time to go by when the row tells none.
    """
    day = datetime.fromtimestamp((row.started_ms or row.ended_ms or otherwise_ms) / 1000, UTC)
    return f"{day:%Y/%m/%d}/{row.call_id}/{row.id}.flac"


def judge(row: RecordingRow, measured: flac.Measured) -> tuple[str, ...]:
    """What is to be said of a recording that can be read. Raises WrongShape for what no switch should write."""
    wanted = (1, 2) if row.kind == "voicemail" else (2,)
    if measured.channels not in wanted:
        raise WrongShape(f"{measured.channels} channels in place of {wanted[-1]}")
    if measured.sample_rate not in SAMPLE_RATES:
        raise WrongShape(f"a sample rate of {measured.sample_rate} Hz")
    remarks = []
    if max(measured.peaks) < SILENT_PEAK:
        remarks.append("no sound on either side")
    if row.expected_ms is not None:
        # Less than it should be: what was on hold is not recorded. More: the switch stops at the end of the call.
        tolerance_ms = max(2000, row.expected_ms // 20)
        if abs(measured.duration_ms - row.expected_ms) > tolerance_ms:
            remarks.append(f"{measured.duration_ms / 1000:.1f} s long, expected {row.expected_ms / 1000:.1f} s")
    return tuple(remarks)


def _describe(row: RecordingRow, measured: flac.Measured) -> dict[str, str]:
    """What goes along with the object, so that the storage alone tells whose recording it is."""
    began = datetime.fromtimestamp(row.started_ms / 1000, UTC).isoformat() if row.started_ms is not None else ""
    return {
        "recording-id": row.id,
        "call-id": row.call_id,
        "kind": row.kind,
        "started": began,
        "agent": row.agent,
        "agent-name": row.agent_name,
        "caller": row.caller,
        "did": row.did,
        "queue": row.queue,
        "channels": str(measured.channels),
        "sample-rate": str(measured.sample_rate),
        "duration-ms": str(measured.duration_ms),
    }


def _stored(row: RecordingRow, sound: _Sound, content: Content, bucket: str, key: str) -> RecordingRow:
    return replace(
        row,
        state=RecordingState.STORED,
        channels=sound.measured.channels,
        sample_rate=sound.measured.sample_rate,
        duration_ms=sound.measured.duration_ms,
        bytes=content.bytes,
        sha256=content.sha256,
        bucket=bucket,
        key=key,
        reason="; ".join(sound.remarks),
    )


def _from_object(row: RecordingRow, there: StoredObject, bucket: str) -> RecordingRow:
    def number(name: str) -> int | None:
        text = there.metadata.get(name, "")
        return int(text) if text.isdecimal() else None

    return replace(
        row,
        state=RecordingState.STORED,
        channels=number("channels"),
        sample_rate=number("sample-rate"),
        duration_ms=number("duration-ms"),
        bytes=there.bytes,
        sha256=there.sha256,
        bucket=bucket,
        key=there.key,
        reason="found in storage",
    )
