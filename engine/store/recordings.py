"""The rows of recordings: announced before the recording starts, followed until the file lies in storage (R83)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from engine.domain.recording import RecordingRow, RecordingState, states_before
from engine.store.database import Database
from engine.store.errors import NoSuchRow
from engine.store.models import Call, Recording

_TIMES = {"started_ms": "started_at", "ended_ms": "ended_at", "metadata": "details"}
_COLUMNS = {name: _TIMES.get(name, name) for name in RecordingRow.__dataclass_fields__}


class RecordingStore:
    """The rows of recordings. Every method may be called again with the same arguments and then changes nothing.

    All raise `StoreUnavailable`; those that change a row raise `NoSuchRow` when it was never announced.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def announce(self, row: RecordingRow) -> bool:
        """Writes the row before the recording starts. False when it was there already; it is then left as it is."""
        with self._database.transaction() as session:
            return _insert(session, row)

    def finish(self, row: RecordingRow) -> None:
        """The recording is over on the switch: takes over the row's times and metadata, announcing it if need be."""
        with self._database.transaction() as session:
            merge(session, row)

    def stored(self, row: RecordingRow) -> bool:
        """The file lies in storage under `bucket` and `key`, with this checksum and length (R83).

        `reason` may hold a remark on it. False when it had been stored before.
        """
        found = ("bucket", "key", "sha256", "bytes", "duration_ms", "channels", "sample_rate", "reason")
        return self._become(row.id, RecordingState.STORED, {name: getattr(row, name) for name in found})

    def quarantine(self, recording_id: str, reason: str) -> bool:
        """The file is there and is not what it should be; it stays where it is for a person to look at."""
        return self._become(recording_id, RecordingState.QUARANTINED, {"reason": reason})

    def missing(self, recording_id: str, reason: str) -> bool:
        """The file never came and can't be found."""
        return self._become(recording_id, RecordingState.MISSING, {"reason": reason})

    def due(self, limit: int = 100, *, unchanged_s: int = 3600) -> list[RecordingRow]:
        """What is to be taken care of, oldest first.

        That is all that has ended. Also what stands at expected or recording although the record of its call is
        written, or without a change for `unchanged_s`: its engine may have died before it could say more.
        """
        open_states = (RecordingState.EXPECTED.value, RecordingState.RECORDING.value)
        stale = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, unchanged_s)
        over = select(Call.call_id).where(Call.call_id == Recording.call_id).exists()
        is_due = (Recording.state == RecordingState.ENDED.value) | (
            Recording.state.in_(open_states) & (over | (Recording.changed_at < stale))
        )
        return self._list(select(Recording).where(is_due).order_by(Recording.changed_at, Recording.id).limit(limit))

    def get(self, recording_id: str) -> RecordingRow | None:
        """The row, or None."""
        found = self._list(select(Recording).where(Recording.id == recording_id))
        return found[0] if found else None

    def of_call(self, call_id: str) -> list[RecordingRow]:
        """The recordings of a call in the order in which they began."""
        order = (Recording.started_at.asc().nulls_last(), Recording.id)
        return self._list(select(Recording).where(Recording.call_id == call_id).order_by(*order))

    def call_of(self, recording_id: str) -> str | None:
        """The call whose record lists the recording, for one whose own row was lost; None when there is none."""
        with self._database.transaction() as session:
            return session.scalar(select(Call.call_id).where(Call.recordings.contains([recording_id])))

    def of_calls(self, call_ids: Sequence[str]) -> dict[str, list[RecordingRow]]:
        """The recordings of several calls, by call."""
        found: dict[str, list[RecordingRow]] = {call_id: [] for call_id in call_ids}
        query = select(Recording).where(Recording.call_id.in_(call_ids))
        for row in self._list(query.order_by(Recording.started_at.asc().nulls_last(), Recording.id)):
            found[row.call_id].append(row)
        return found

    def _list(self, query: Select[Recording]) -> list[RecordingRow]:
        with self._database.snapshot() as session:
            return [_row(each) for each in session.scalars(query)]

    def _become(self, recording_id: str, state: RecordingState, values: dict[str, Any]) -> bool:
        before = [each.value for each in states_before(state)]
        change = update(Recording).where(Recording.id == recording_id, Recording.state.in_(before))
        change = change.values(state=state.value, changed_at=func.now(), **values).returning(Recording.id)
        with self._database.transaction() as session:
            if session.execute(change).first() is not None:
                return True
            if session.get(Recording, recording_id) is None:
                raise NoSuchRow(f"recording {recording_id}")
            return False


def merge(session: Session, row: RecordingRow) -> None:
    """Adds what `row` knows to the stored row and carries its state forward, never back."""
    if _insert(session, row):
        return
    stored = session.scalars(select(Recording).where(Recording.id == row.id).with_for_update()).one()
    known = {name: value for name, value in _values(row).items() if value not in (None, "", {})}
    if RecordingState(stored.state) not in states_before(row.state):
        del known["state"]
        # it has gone further meanwhile: what was measured on the file stands
        known = {name: value for name, value in known.items() if getattr(stored, name) in (None, "", {})}
    changes = {name: value for name, value in known.items() if getattr(stored, name) != value}
    if changes:
        session.execute(update(Recording).where(Recording.id == row.id).values(changed_at=func.now(), **changes))


def _insert(session: Session, row: RecordingRow) -> bool:
    statement = upsert(Recording).values(_values(row)).on_conflict_do_nothing().returning(Recording.id)
    return session.execute(statement).first() is not None


def _values(row: RecordingRow) -> dict[str, Any]:
    values = asdict(row) | {"state": row.state.value}
    return {_COLUMNS[name]: value for name, value in values.items()}


def _row(stored: Recording) -> RecordingRow:
    values: dict[str, Any] = {name: getattr(stored, column) for name, column in _COLUMNS.items()}
    return RecordingRow(**values | {"state": RecordingState(stored.state), "metadata": dict(stored.details)})
