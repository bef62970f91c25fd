"""Call records in PostgreSQL: written once, together with their path, legs, journal and recordings (R90)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session

from engine.domain.call import (
    CallRecord,
    CallResult,
    HungUpBy,
    JsonObject,
    LegRecord,
    QueueOutcome,
    QueueVisit,
    Visit,
)
from engine.domain.finished import FinishedCall
from engine.domain.journal import Entry, decode, encode
from engine.domain.recording import RecordingRow, rows_of
from engine.store import call_rows
from engine.store.call_rows import Written
from engine.store.database import Database
from engine.store.errors import BadData
from engine.store.models import Call, CallJournal, CallLeg, CallQueueVisit, CallVisit

__all__ = ["CallFilter", "CallPosition", "CallStore", "Written"]


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls to list. None: any. `from_ms` is included, `to_ms` is not.

    `queue`: calls that came to it, whether it kept them or not. `agent`: calls in which that agent talked.
    """

    from_ms: int | None = None
    to_ms: int | None = None
    did: str | None = None
    caller: str | None = None
    result: CallResult | None = None
    flow: str | None = None
    queue: str | None = None
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class CallPosition:
    """The place of a call in the list, which runs from the newest to the oldest."""

    started_ms: int
    call_id: str


class CallStore:
    """The calls that are over."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(
        self, record: CallRecord, journal: Sequence[Entry | bytes] = (), recordings: Sequence[RecordingRow] = ()
    ) -> Written:
        """Writes a call with its journal (entries, or lines of `engine.domain.journal.encode`), all or nothing.

        The rows of its recordings are brought up to what the journal says, and to `recordings`. Writing the same call
        again changes nothing. Raises `StoreUnavailable`, `BadData`.
        """
        entries = _decoded(journal)
        lines = b"\n".join(map(encode, entries))
        return self.write_all([FinishedCall(record, lines, (*rows_of(entries), *recordings))])[0]

    def write_all(self, calls: Sequence[FinishedCall]) -> Sequence[Written]:
        """The same for several calls, in one transaction: all of them or none."""
        with self._database.transaction() as session:
            return call_rows.write(session, calls)

    def get(self, call_id: str) -> CallRecord | None:
        """The record of a call with its path, legs and visits of queues, or None."""
        with self._database.snapshot() as session:
            found = _load(session, select(Call).where(Call.call_id == call_id))
        return found[0] if found else None

    def list(self, wanted: CallFilter, limit: int, after: CallPosition | None = None) -> Sequence[CallRecord]:
        """At most `limit` calls, newest first, that come after `after` in the list."""
        query = _filtered(select(Call), wanted)
        if after is not None:
            query = query.where(tuple_(Call.started_at, Call.call_id) < _as_tuple(after))
        query = query.order_by(Call.started_at.desc(), Call.call_id.desc()).limit(limit)
        with self._database.snapshot() as session:
            return _load(session, query)

    def journal(self, call_id: str) -> Sequence[JsonObject] | None:
        """The entries of a call's journal as JSON, or None when the call or its journal is not (any more) kept."""
        with self._database.snapshot() as session:
            return session.scalar(select(CallJournal.entries).where(CallJournal.call_id == call_id))

    def last_agent(self, caller: str, since_ms: int) -> str | None:
        """The agent who talked with this number last, if that was over at `since_ms` or later (R8). "" has talked with
        nobody: it stands for all who hide their numbers. Raises `StoreUnavailable`.
        """
        if not caller:
            return None
        with self._database.transaction() as session:
            return session.scalar(_last_agent(caller, since_ms))


def _last_agent(caller: str, since_ms: int) -> Select[str]:
    return (
        select(CallLeg.party)
        .join(Call, Call.call_id == CallLeg.call_id)
        # talk_ms > 0 is for the index: calls in which nobody talked are passed over, however many there are
        .where(Call.caller == caller, Call.ended_at >= since_ms, Call.talk_ms > 0)
        .where(CallLeg.kind == "agent", CallLeg.talk_ms > 0, CallLeg.ended_at >= since_ms)
        .order_by(Call.ended_at.desc(), CallLeg.position.desc())
        .limit(1)
    )


def _as_tuple(position: CallPosition) -> Any:
    # tuple_ takes the columns' types from here, so that milliseconds become a timestamp
    return tuple_(position.started_ms, position.call_id, types=[Call.started_at.type, Call.call_id.type])


def _filtered(query: Select[Any], wanted: CallFilter) -> Select[Any]:
    if wanted.from_ms is not None:
        query = query.where(Call.started_at >= wanted.from_ms)
    if wanted.to_ms is not None:
        query = query.where(Call.started_at < wanted.to_ms)
    if wanted.did is not None:
        query = query.where(Call.did == wanted.did)
    if wanted.caller is not None:
        query = query.where(Call.caller == wanted.caller)
    if wanted.result is not None:
        query = query.where(Call.result == wanted.result.value)
    if wanted.flow is not None:
        query = query.where(Call.flow == wanted.flow)
    if wanted.queue is not None:
        query = query.where(
            Call.call_id.in_(select(CallQueueVisit.call_id).where(CallQueueVisit.queue == wanted.queue))
        )
    if wanted.agent is not None:
        theirs = select(CallLeg.call_id).where(CallLeg.party == wanted.agent, CallLeg.kind == "agent")
        query = query.where(Call.call_id.in_(theirs.where(CallLeg.talk_ms > 0)))
    return query


def _decoded(journal: Sequence[Entry | bytes]) -> list[Entry]:
    try:
        return [entry if isinstance(entry, Entry) else decode(entry) for entry in journal]
    except ValueError as error:
        raise BadData(f"journal: {error}") from error


def _load(session: Session, query: Select[Any]) -> list[CallRecord]:
    calls = session.scalars(query).all()
    ids = [call.call_id for call in calls]
    paths: dict[str, list[Visit]] = {call_id: [] for call_id in ids}
    legs: dict[str, list[LegRecord]] = {call_id: [] for call_id in ids}
    for visit in session.execute(_visits_of(ids)):
        paths[visit.call_id].append(Visit(*visit[1:]))
    for leg in session.scalars(select(CallLeg).where(CallLeg.call_id.in_(ids)).order_by(CallLeg.position)):
        legs[leg.call_id].append(_leg(leg))
    queues: dict[str, list[QueueVisit]] = {call_id: [] for call_id in ids}
    stays = select(CallQueueVisit).where(CallQueueVisit.call_id.in_(ids)).order_by(CallQueueVisit.position)
    for stay in session.scalars(stays):
        queues[stay.call_id].append(_queue_visit(stay))
    return [
        _record(call, tuple(paths[call.call_id]), tuple(legs[call.call_id]), tuple(queues[call.call_id]))
        for call in calls
    ]


def _visits_of(ids: Sequence[str]) -> Select[str, str, str, str, int, int, str | None]:
    columns = (CallVisit.flow, CallVisit.version, CallVisit.node, CallVisit.entered_at, CallVisit.left_at)
    return (
        select(CallVisit.call_id, *columns, CallVisit.exit)
        .where(CallVisit.call_id.in_(ids))
        .order_by(CallVisit.position)
    )


def _leg(row: CallLeg) -> LegRecord:
    return LegRecord(
        leg_id=row.leg_id,
        kind=row.kind,
        party=row.party,
        started_ms=row.started_at,
        answered_ms=row.answered_at,
        ended_ms=row.ended_at,
        talk_ms=row.talk_ms,
        hangup_cause=row.hangup_cause,
        result=row.result,
    )


def _queue_visit(row: CallQueueVisit) -> QueueVisit:
    return QueueVisit(
        queue=row.queue,
        joined_ms=row.joined_at,
        left_ms=row.left_at,
        outcome=QueueOutcome(row.outcome),
        key=row.key,
        agent=row.agent,
        wait_ms=row.wait_ms,
        ring_ms=row.ring_ms,
        offers=row.offers,
        talk_ms=row.talk_ms,
    )


_SAME_NAMES = (
    "call_id", "direction", "did", "caller", "caller_name", "anonymous", "route", "flow", "flow_version", "switch",
    "sip_call_id", "hangup_cause", "reason", "wait_ms", "talk_ms", "resumed",
)  # fmt: skip


def _record(
    call: Call, path: tuple[Visit, ...], legs: tuple[LegRecord, ...], queues: tuple[QueueVisit, ...]
) -> CallRecord:
    same: dict[str, Any] = {name: getattr(call, name) for name in _SAME_NAMES}
    return CallRecord(
        **same,
        started_ms=call.started_at,
        answered_ms=call.answered_at,
        ended_ms=call.ended_at,
        result=CallResult(call.result),
        hung_up_by=HungUpBy(call.hung_up_by),
        path=path,
        legs=legs,
        queues=queues,
        recordings=tuple(call.recordings),
        attributes=dict(call.attributes),
    )
