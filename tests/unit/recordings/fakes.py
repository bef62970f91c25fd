"""Stand-ins with the behaviour of the store and of object storage, and a way to let the process die at any step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.domain.recording import RecordingRow, RecordingState, may_become
from recordings.storage import Content, ContentRefused, StoredObject, ascii_safe


@dataclass
class FakeClock:
    """A clock that is moved by hand."""

    ms: int = 0

    def now_ms(self) -> int:
        return self.ms


class FakeRows:
    """Rows in memory."""

    def __init__(self, *rows: RecordingRow) -> None:
        self.rows = {row.id: row for row in rows}
        self.calls: dict[str, str] = {}

    def get(self, recording_id: str) -> RecordingRow | None:
        return self.rows.get(recording_id)

    def due(self, limit: int = 100, *, unchanged_s: int = 3600) -> list[RecordingRow]:
        left = (RecordingState.EXPECTED, RecordingState.RECORDING, RecordingState.ENDED)
        return [row for row in self.rows.values() if row.state in left][:limit]

    def finish(self, row: RecordingRow) -> None:
        self.rows.setdefault(row.id, row)

    def stored(self, row: RecordingRow) -> bool:
        return self._become(row.id, RecordingState.STORED, replace(row, state=RecordingState.STORED))

    def quarantine(self, recording_id: str, reason: str) -> bool:
        return self._become(
            recording_id,
            RecordingState.QUARANTINED,
            replace(self.rows[recording_id], state=RecordingState.QUARANTINED, reason=reason),
        )

    def missing(self, recording_id: str, reason: str) -> bool:
        row = replace(self.rows[recording_id], state=RecordingState.MISSING, reason=reason)
        return self._become(recording_id, RecordingState.MISSING, row)

    def call_of(self, recording_id: str) -> str | None:
        return self.calls.get(recording_id)

    def _become(self, recording_id: str, state: RecordingState, row: RecordingRow) -> bool:
        if not may_become(self.rows[recording_id].state, state):
            return False
        self.rows[recording_id] = row
        return True


@dataclass
class FakeStorage:
    """Object storage in memory. `away`: what it raises instead of working. `garbles`: so many uploads arrive broken."""

    bucket: str = "calls"
    objects: dict[str, tuple[bytes, Content, Mapping[str, str]]] = field(default_factory=dict)
    away: Exception | None = None
    garbles: int = 0
    puts: int = 0

    def ensure_bucket(self) -> None:
        self._check()

    def head(self, key: str) -> StoredObject | None:
        self._check()
        if key not in self.objects:
            return None
        data, content, metadata = self.objects[key]
        return StoredObject(key, len(data), content.sha256, content.md5, metadata)

    def put(self, key: str, path: Path, content: Content, metadata: Mapping[str, str]) -> None:
        self._check()
        self.puts += 1
        if self.garbles:
            self.garbles -= 1
            raise ContentRefused("PutObject: BadDigest")
        assert Content.of(path) == content
        safe = {name: ascii_safe(value) for name, value in metadata.items() if value}
        self.objects[key] = (path.read_bytes(), content, safe)

    def _check(self) -> None:
        if self.away is not None:
            raise self.away


class Killed(BaseException):
    """The process died."""


class Deadly:
    """Wraps an object so that the process dies at one of the calls to it, before or after the call has had its effect.

    `countdown` is shared by all wrapped objects of a run; its first value is the step at which to die.
    """

    def __init__(self, inner: Any, countdown: list[int], steps: list[str]) -> None:
        self._inner = inner
        self._countdown = countdown
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found) or name in ("claim", "workplace"):
            return found
        return self._mortal(name, found)

    def _mortal(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def mortal(*args: Any, **kwargs: Any) -> Any:
            self._tick(f"before {name}")
            result = call(*args, **kwargs)
            self._tick(f"after {name}")
            return result

        return mortal

    def _tick(self, step: str) -> None:
        self._countdown[0] -= 1
        if self._countdown[0] == 0:
            self._steps.append(step)
            raise Killed(step)
