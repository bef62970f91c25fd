"""Why calls in queues went where they did, on the wire."""

from __future__ import annotations

import marshmallow as ma

from admin_api.fields import Time
from engine.domain.acd import Accept, Strategy, Why
from engine.domain.routing import OverflowReason

_MORE = "so many other agents of the queue are not listed"


class PassedSchema(ma.Schema):
    """An agent who was not chosen."""

    agent = ma.fields.String(required=True)
    why = ma.fields.Enum(Why, by_value=True, required=True)
    detail = ma.fields.String(required=True, metadata={"description": "for people: the skill, the value compared"})


class OfferSchema(ma.Schema):
    """The call was offered to these agents."""

    queue = ma.fields.String(required=True)
    agents = ma.fields.List(ma.fields.String(), required=True, metadata={"description": "several with `ring_all`"})
    strategy = ma.fields.Enum(Strategy, by_value=True, required=True)
    score = ma.fields.String(required=True, metadata={"description": "for people: by what the strategy chose"})
    ring = ma.fields.Integer(required=True, metadata={"description": "which demands they fit, from 0, the first ones"})
    waited_ms = ma.fields.Integer(required=True)
    ring_ms = ma.fields.Integer(required=True, metadata={"description": "how long the phones ring at the most"})
    accept = ma.fields.Enum(Accept, by_value=True, required=True)


class DecisionSchema(ma.Schema):
    """One decision: an offer, or that the queue does not keep the call."""

    at = Time(attribute="at_ms", required=True)
    offer = ma.fields.Nested(OfferSchema, required=True, allow_none=True)
    leave = ma.fields.Enum(OverflowReason, by_value=True, required=True, allow_none=True)
    passed = ma.fields.List(ma.fields.Nested(PassedSchema), required=True)
    more = ma.fields.Integer(required=True, metadata={"description": _MORE})


class RingSchema(ma.Schema):
    """Demands from a moment of waiting on."""

    after_ms = ma.fields.Integer(required=True)
    skills = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Integer(), required=True)


class WaitSchema(ma.Schema):
    """How the call stands in its queue."""

    queue = ma.fields.String(attribute="member.queue", required=True)
    joined_at = Time(attribute="member.joined_ms", required=True)
    waited_ms = ma.fields.Integer(required=True)
    position = ma.fields.Integer(
        required=True, allow_none=True, metadata={"description": "from 1; null where the queue is not set up any more"}
    )
    priority = ma.fields.Float(attribute="member.priority", required=True)
    rings = ma.fields.List(ma.fields.Nested(RingSchema), attribute="member.rings", required=True)
    sticky_agent = ma.fields.String(
        attribute="member.sticky_agent", required=True, allow_none=True,
        metadata={"description": "who spoke with the caller last"},
    )  # fmt: skip
    offered = ma.fields.List(
        ma.fields.String(), required=True, metadata={"description": "agents who are being rung for the call"}
    )
    next = ma.fields.List(
        ma.fields.String(),
        required=True,
        metadata={"description": "free agents against whom nothing speaks: the next decision chooses among them"},
    )
    passed = ma.fields.List(ma.fields.Nested(PassedSchema), required=True)
    more = ma.fields.Integer(required=True, metadata={"description": _MORE})


class CallWhySchema(ma.Schema):
    """What was decided for a call in queues, the oldest first, and how it stands now."""

    call_id = ma.fields.String(required=True)
    at = Time(attribute="at_ms", required=True, metadata={"description": "of this answer"})
    decisions = ma.fields.List(ma.fields.Nested(DecisionSchema), required=True)
    waits = ma.fields.Nested(
        WaitSchema, required=True, allow_none=True, metadata={"description": "null where it waits no more"}
    )
