"""Calls on the wire."""

from __future__ import annotations

import marshmallow as ma

from admin_api.fields import StrictSchema, Time
from engine.domain.call import CallResult, HungUpBy, QueueOutcome
from engine.domain.recording import RecordingState

LONGEST_PAGE = 200


class CallQuerySchema(StrictSchema):
    """Which calls to list."""

    from_ms = Time(data_key="from", metadata={"description": "started at or after"})
    to_ms = Time(data_key="to", metadata={"description": "started before"})
    did = ma.fields.String(metadata={"description": "called number, in any form"})
    caller = ma.fields.String(metadata={"description": "caller's number, in any form"})
    result = ma.fields.Enum(CallResult, by_value=True)
    flow = ma.fields.String()
    queue = ma.fields.String(metadata={"description": "the queue's id: calls that came to it, kept or not"})
    agent = ma.fields.String(metadata={"description": "the agent's id: calls in which that agent talked"})
    limit = ma.fields.Integer(load_default=50, validate=ma.validate.Range(1, LONGEST_PAGE))
    cursor = ma.fields.String(metadata={"description": "`next` of the page before"})


class RecordingQuerySchema(StrictSchema):
    """Which recording of the call."""

    recording = ma.fields.String(metadata={"description": "its id; left out: the first that is in storage"})


class VisitSchema(ma.Schema):
    """One node of the path."""

    flow = ma.fields.String(required=True)
    version = ma.fields.String(required=True)
    node = ma.fields.String(required=True)
    entered_at = Time(attribute="entered_ms", required=True)
    left_at = Time(attribute="left_ms", required=True)
    exit = ma.fields.String(allow_none=True, metadata={"description": "null: the call ended here"})


class LegSchema(ma.Schema):
    """One leg."""

    leg_id = ma.fields.String(required=True)
    kind = ma.fields.String(required=True)
    party = ma.fields.String(required=True, metadata={"description": "an agent's id or a number"})
    started_at = Time(attribute="started_ms", required=True)
    answered_at = Time(attribute="answered_ms", allow_none=True)
    ended_at = Time(attribute="ended_ms", required=True)
    talk_ms = ma.fields.Integer(required=True)
    hangup_cause = ma.fields.String(required=True)
    result = ma.fields.String(required=True)


class QueueVisitSchema(ma.Schema):
    """One visit of a queue."""

    queue = ma.fields.String(required=True)
    joined_at = Time(attribute="joined_ms", required=True)
    left_at = Time(
        attribute="left_ms", required=True, metadata={"description": "when the conversation began, or the caller left"}
    )
    outcome = ma.fields.Enum(QueueOutcome, by_value=True, required=True)
    key = ma.fields.String(allow_none=True, metadata={"description": "the key that ended the waiting"})
    agent = ma.fields.String(allow_none=True, metadata={"description": "who answered"})
    wait_ms = ma.fields.Integer(required=True)
    ring_ms = ma.fields.Integer(
        required=True, metadata={"description": "how long that agent's phone rang until he accepted"}
    )
    offers = ma.fields.Integer(required=True, metadata={"description": "how often an agent's phone was rung"})
    talk_ms = ma.fields.Integer(required=True)


class RecordingSchema(ma.Schema):
    """One recording with its metadata (R81)."""

    id = ma.fields.String(required=True)
    state = ma.fields.Enum(RecordingState, by_value=True, required=True)
    reason = ma.fields.String()
    kind = ma.fields.String()
    started_at = Time(attribute="started_ms", allow_none=True)
    ended_at = Time(attribute="ended_ms", allow_none=True)
    duration_ms = ma.fields.Integer(allow_none=True)
    channels = ma.fields.Integer(allow_none=True)
    sample_rate = ma.fields.Integer(allow_none=True)
    bytes = ma.fields.Integer(allow_none=True)
    sha256 = ma.fields.String()
    bucket = ma.fields.String()
    key = ma.fields.String()
    agent = ma.fields.String()
    agent_name = ma.fields.String()
    agent_number = ma.fields.String()
    caller = ma.fields.String()
    did = ma.fields.String()
    queue = ma.fields.String()
    queue_name = ma.fields.String()
    queue_ms = ma.fields.Integer(allow_none=True)
    category = ma.fields.String()
    metadata = ma.fields.Dict()


class CallSchema(ma.Schema):
    """A call as the list has it."""

    call_id = ma.fields.String(required=True)
    direction = ma.fields.String(required=True)
    did = ma.fields.String(required=True)
    caller = ma.fields.String(required=True)
    caller_name = ma.fields.String(required=True)
    anonymous = ma.fields.Boolean(required=True)
    route = ma.fields.String(required=True)
    flow = ma.fields.String(required=True)
    flow_version = ma.fields.String(required=True)
    switch = ma.fields.String(required=True)
    sip_call_id = ma.fields.String(required=True)
    started_at = Time(attribute="started_ms", required=True)
    answered_at = Time(attribute="answered_ms", allow_none=True)
    ended_at = Time(attribute="ended_ms", required=True)
    result = ma.fields.Enum(CallResult, by_value=True, required=True)
    hung_up_by = ma.fields.Enum(HungUpBy, by_value=True, required=True)
    hangup_cause = ma.fields.String(required=True)
    reason = ma.fields.String(required=True)
    wait_ms = ma.fields.Integer(required=True)
    talk_ms = ma.fields.Integer(required=True)
    resumed = ma.fields.Integer(required=True, metadata={"description": "how often another engine took it over"})
    path = ma.fields.List(ma.fields.Nested(VisitSchema), required=True)
    queues = ma.fields.List(ma.fields.Nested(QueueVisitSchema), required=True)
    attributes = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)


class CallsSchema(ma.Schema):
    """A page of calls, newest first."""

    calls = ma.fields.List(ma.fields.Nested(CallSchema), required=True)
    next = ma.fields.String(allow_none=True, required=True, metadata={"description": "cursor; null on the last page"})


class CallDetailSchema(CallSchema):
    """A call with all that is kept of it but its journal."""

    legs = ma.fields.List(ma.fields.Nested(LegSchema), required=True)
    recordings = ma.fields.List(ma.fields.Nested(RecordingSchema), required=True)


class JournalSchema(ma.Schema):
    """The journal of a call, entry by entry."""

    call_id = ma.fields.String(required=True)
    entries = ma.fields.List(ma.fields.Dict(), required=True)


class LinkSchema(ma.Schema):
    """A link to a recording."""

    recording = ma.fields.String(required=True)
    url = ma.fields.String(required=True, metadata={"description": "works without a key: treat it as a secret"})
    expires_at = Time(required=True)
    duration_ms = ma.fields.Integer(allow_none=True)
    bytes = ma.fields.Integer(allow_none=True)
    sha256 = ma.fields.String(required=True)
