"""Agents' states on the wire."""

from __future__ import annotations

import marshmallow as ma

from admin_api.fields import StrictSchema, Time
from engine.acd.agent import Agent, BreakKind
from engine.domain.acd import AgentState

LONGEST_PAGE = 200
LONGEST_WRAP_UP_S = 3600


class BreakSchema(StrictSchema):
    """A break."""

    reason = ma.fields.String(
        required=True, validate=ma.validate.Length(1, 100), metadata={"description": "in the agent's words, as lunch"}
    )
    kind = ma.fields.Enum(
        BreakKind, by_value=True, load_default=BreakKind.WORK, metadata={"description": "whose time it is"}
    )


class AgentStateSchema(ma.Schema):
    """What an agent does now."""

    id = ma.fields.String(required=True)
    state = ma.fields.Enum(AgentState, by_value=True, required=True)
    since = Time(attribute="since_ms", required=True)
    reachable = ma.fields.Boolean(
        required=True, metadata={"description": "his phone is registered, or his mobile rings when he is ready"}
    )
    on_break = ma.fields.Nested(BreakSchema, allow_none=True, required=True)
    break_next = ma.fields.Nested(
        BreakSchema, allow_none=True, required=True, metadata={"description": "begins when what he does now is over"}
    )
    call = ma.fields.String(required=True, metadata={"description": "the call that rings, or in which he speaks"})
    queue = ma.fields.String(required=True, metadata={"description": "out of which it comes; empty for one of his own"})
    wrap_up_until = ma.fields.Method("_wrap_up", metadata={"type": "string", "format": "date-time", "nullable": True})
    queues = ma.fields.Function(
        lambda agent: sorted(agent.tiers),
        metadata={"type": "array", "items": {"type": "string"}, "description": "those that he is logged in to"},
    )
    assigned = ma.fields.Function(
        lambda agent: sorted(agent.assigned),
        metadata={"type": "array", "items": {"type": "string"}, "description": "those that he may log in to"},
    )
    calls = ma.fields.Integer(required=True, metadata={"description": "out of queues, since he logged in"})
    talk_ms = ma.fields.Integer(required=True, metadata={"description": "since he logged in, up to `since`"})
    busy_ms = ma.fields.Integer(required=True, metadata={"description": "ringing, on calls and in wrap-up; likewise"})
    present_ms = ma.fields.Integer(required=True, metadata={"description": "`busy_ms` and ready; likewise"})
    version = ma.fields.Integer(required=True, metadata={"description": "grows by one with each change"})

    def _wrap_up(self, agent: Agent) -> str | None:
        until_ms = agent.wrap_up_until_ms if agent.state is AgentState.WRAP_UP else None
        return Time()._serialize(until_ms, "", agent)


class AgentStatesSchema(ma.Schema):
    """All agents."""

    agents = ma.fields.List(ma.fields.Nested(AgentStateSchema), required=True)


class QueueChoiceSchema(StrictSchema):
    """Which queue to log in to or out of."""

    queue = ma.fields.String(
        load_default=None, allow_none=True, metadata={"description": "left out: all of his queues"}
    )
    forced = ma.fields.Boolean(
        load_default=False, metadata={"description": "also where he may not choose single queues himself"}
    )


class NothingSchema(StrictSchema):
    """An empty object, or no body."""


class WrapUpSchema(StrictSchema):
    """How long his wrap-up still lasts."""

    left_s = ma.fields.Integer(
        required=True,
        strict=True,
        validate=ma.validate.Range(0, LONGEST_WRAP_UP_S),
        metadata={"description": "s from now on; 0 ends it"},
    )


class EventQuerySchema(StrictSchema):
    """Which events to list."""

    to_ms = Time(data_key="to", metadata={"description": "that happened before"})
    limit = ma.fields.Integer(load_default=50, validate=ma.validate.Range(1, LONGEST_PAGE))
    cursor = ma.fields.String(metadata={"description": "`next` of the page before"})


class EventSchema(ma.Schema):
    """Something that happened to an agent."""

    at = Time(attribute="at_ms", required=True)
    version = ma.fields.Integer(required=True)
    what = ma.fields.String(required=True)
    from_state = ma.fields.Enum(AgentState, by_value=True, required=True)
    to_state = ma.fields.Enum(AgentState, by_value=True, required=True)
    reason = ma.fields.String(
        required=True, metadata={"description": "of the break that began, ended or was asked for"}
    )
    kind = ma.fields.Enum(BreakKind, by_value=True, allow_none=True, required=True)
    call = ma.fields.String(required=True)
    queue = ma.fields.String(required=True)


class EventsSchema(ma.Schema):
    """A page of an agent's events, newest first."""

    events = ma.fields.List(ma.fields.Nested(EventSchema), required=True)
    next = ma.fields.String(allow_none=True, required=True, metadata={"description": "cursor; null on the last page"})
