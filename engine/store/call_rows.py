"""The rows of finished calls: one JSON document and one statement for all of them, however many they are.

Rows made here column by column took a good part of the time that a call costs an engine. orjson makes the document from
the records as they are, with the journals' own lines in it; PostgreSQL takes it apart.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum

import orjson
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.domain.call import CallRecord
from engine.domain.finished import FinishedCall
from engine.store import recordings as recording_rows
from engine.store.columns import EARLIEST_MS, LATEST_MS, dump_json
from engine.store.errors import BadData
from engine.store.models import Call

log = logging.getLogger(__name__)


class Written(StrEnum):
    """What a writing of a call did."""

    NEW = "new"
    SAME = "same"
    KEPT_FIRST = "kept_first"
    """There already was a record that says something else; it was kept, and the log says so."""


def write(session: Session, calls: Sequence[FinishedCall]) -> list[Written]:
    """Inserts the calls that are not there yet; brings the rows of their recordings up to date. Raises `BadData`."""
    records = [_record_json(call.record) for call in calls]
    digests = [hashlib.sha256(record).hexdigest() for record in records]
    given: dict[str, dict[str, object]] = {}
    for call, record, digest in zip(calls, records, digests, strict=True):
        row: dict[str, object] = {
            "digest": digest,
            "record": orjson.Fragment(record),
            "journal": _journal_json(call.journal),
        }
        given.setdefault(call.record.call_id, row)
    document = orjson.dumps(list(given.values())).decode()
    fresh = {call_id: given[call_id]["digest"] for call_id in session.scalars(_INSERT, {"calls": document})}
    for call in calls:
        for recording in call.recordings:
            recording_rows.merge(session, recording)
    written = []
    for call, digest in zip(calls, digests, strict=True):
        new = fresh.pop(call.record.call_id, None) == digest
        written.append(Written.NEW if new else _compare(session, call.record.call_id, digest))
    return written


_INSERT = text("""
WITH given AS MATERIALIZED (
    SELECT record.*, each.digest, each.journal
    FROM json_to_recordset(CAST(:calls AS json)) AS each (digest text, record json, journal jsonb),
        json_to_record(each.record) AS record (
            call_id text, direction text, did text, caller text, caller_name text, anonymous boolean, route text,
            flow text, flow_version text, switch text, sip_call_id text, started_ms bigint, answered_ms bigint,
            ended_ms bigint, result text, hung_up_by text, hangup_cause text, reason text, wait_ms bigint,
            talk_ms bigint, resumed bigint, recordings jsonb, attributes jsonb, path json, legs json,
            queues json
        )
), fresh AS (
    INSERT INTO call_records (
        call_id, direction, did, caller, caller_name, anonymous, route, flow, flow_version, switch, sip_call_id,
        started_at, answered_at, ended_at, result, hung_up_by, hangup_cause, reason, wait_ms, talk_ms, resumed,
        recordings, attributes, digest
    )
    SELECT
        call_id, direction, did, caller, caller_name, anonymous, route, flow, flow_version, switch, sip_call_id,
        'epoch'::timestamptz + started_ms * interval '1 ms', 'epoch'::timestamptz + answered_ms * interval '1 ms',
        'epoch'::timestamptz + ended_ms * interval '1 ms', result, hung_up_by, hangup_cause, reason, wait_ms, talk_ms,
        resumed, recordings, attributes, digest
    FROM given
    ON CONFLICT DO NOTHING
    RETURNING call_id
), visits AS (
    INSERT INTO call_visits (call_id, position, flow, version, node, entered_at, left_at, exit)
    SELECT
        call_id, visit.position - 1, visit.flow, visit.version, visit.node,
        'epoch'::timestamptz + visit.entered_ms * interval '1 ms',
        'epoch'::timestamptz + visit.left_ms * interval '1 ms', visit.exit
    FROM given JOIN fresh USING (call_id), ROWS FROM (json_to_recordset(given.path) AS (
        flow text, version text, node text, entered_ms bigint, left_ms bigint, exit text
    )) WITH ORDINALITY AS visit (flow, version, node, entered_ms, left_ms, exit, position)
), legs AS (
    INSERT INTO call_legs (
        call_id, position, leg_id, kind, party, started_at, answered_at, ended_at, talk_ms, hangup_cause, result
    )
    SELECT
        call_id, leg.position - 1, leg.leg_id, leg.kind, leg.party,
        'epoch'::timestamptz + leg.started_ms * interval '1 ms',
        'epoch'::timestamptz + leg.answered_ms * interval '1 ms',
        'epoch'::timestamptz + leg.ended_ms * interval '1 ms', leg.talk_ms, leg.hangup_cause, leg.result
    FROM given JOIN fresh USING (call_id), ROWS FROM (json_to_recordset(given.legs) AS (
        leg_id text, kind text, party text, started_ms bigint, answered_ms bigint, ended_ms bigint, talk_ms bigint,
        hangup_cause text, result text
    )) WITH ORDINALITY AS leg (
        leg_id, kind, party, started_ms, answered_ms, ended_ms, talk_ms, hangup_cause, result, position
    )
), queues AS (
    INSERT INTO queue_visits (
        call_id, position, queue, joined_at, left_at, outcome, key, agent, wait_ms, ring_ms, offers, talk_ms
    )
    SELECT
        call_id, visit.position - 1, visit.queue, 'epoch'::timestamptz + visit.joined_ms * interval '1 ms',
        'epoch'::timestamptz + visit.left_ms * interval '1 ms', visit.outcome, visit.key, visit.agent, visit.wait_ms,
        visit.ring_ms, visit.offers, visit.talk_ms
    FROM given JOIN fresh USING (call_id), ROWS FROM (json_to_recordset(given.queues) AS (
        queue text, joined_ms bigint, left_ms bigint, outcome text, key text, agent text, wait_ms bigint,
        ring_ms bigint, offers bigint, talk_ms bigint
    )) WITH ORDINALITY AS visit (
        queue, joined_ms, left_ms, outcome, key, agent, wait_ms, ring_ms, offers, talk_ms, position
    )
), journals AS (
    INSERT INTO call_journals (call_id, entries)
    SELECT call_id, given.journal FROM given JOIN fresh USING (call_id) WHERE given.journal IS NOT NULL
)
SELECT call_id FROM fresh
""")

_NOT_FOR_JSONB = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
"""NUL and surrogates, as JSON writes them; text that only looks so is found too and comes to no harm."""


def _record_json(record: CallRecord) -> bytes:
    times = [record.started_ms, record.answered_ms, record.ended_ms]
    for visit in record.path:
        times += (visit.entered_ms, visit.left_ms)
    for leg in record.legs:
        times += (leg.started_ms, leg.answered_ms, leg.ended_ms)
    for stay in record.queues:
        times += (stay.joined_ms, stay.left_ms)
    if any(ms is not None and not EARLIEST_MS <= ms <= LATEST_MS for ms in times):
        raise BadData("a time before the year 1 or after the year 9999")
    try:
        found = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a lone surrogate, a number that is too big
        return dump_json(asdict(record)).encode()
    return dump_json(asdict(record)).encode() if _NOT_FOR_JSONB.search(found) else found


def _journal_json(lines: bytes) -> orjson.Fragment | None:
    if not lines:
        return None
    entries = b"[" + lines.replace(b"\n", b",") + b"]"
    if _NOT_FOR_JSONB.search(entries):
        try:
            entries = dump_json(json.loads(entries)).encode()
        except ValueError as error:
            raise BadData(f"journal: {error}") from error
    return orjson.Fragment(entries)


def _compare(session: Session, call_id: str, digest: str) -> Written:
    stored = session.scalar(select(Call.digest).where(Call.call_id == call_id))
    if stored == digest:
        return Written.SAME
    log.error("call %s: a second, different record came; the first one was kept", call_id)
    return Written.KEPT_FIRST
