"""Queues on the wire."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from admin_api.fields import StrictSchema, Time
from engine.domain.acd import Accept, Strategy
from engine.domain.routing import Announcements, Overflow, OverflowKind, QueueEntry

_USUAL = QueueEntry(id="", name="")


def _whole(name: str, description: str) -> ma.fields.Integer:
    usual = getattr(_USUAL, name)
    return ma.fields.Integer(
        load_default=usual, allow_none=usual is None, strict=True, metadata={"description": description}
    )


def _number(name: str, description: str) -> ma.fields.Float:
    return ma.fields.Float(load_default=getattr(_USUAL, name), metadata={"description": description})


def _text(description: str) -> ma.fields.String:
    return ma.fields.String(load_default="", metadata={"description": description})


def _every(description: str) -> ma.fields.Integer:
    return ma.fields.Integer(load_default=None, allow_none=True, strict=True, metadata={"description": description})


class OverflowSchema(StrictSchema):
    """Where a call goes on."""

    kind = ma.fields.Enum(OverflowKind, by_value=True, required=True)
    target = ma.fields.String(
        required=True, metadata={"description": "id of the flow, queue or agent; a public number as +420777123456"}
    )

    @ma.post_load
    def _made(self, data: dict[str, Any], **_: Any) -> Overflow:
        return Overflow(**data)


class OverflowsSchema(StrictSchema):
    """Where calls go that it does not keep. Without an entry the flow goes on at the node's exit of that name."""

    closed = ma.fields.Nested(OverflowSchema, metadata={"description": "the calendar says closed"})
    full = ma.fields.Nested(OverflowSchema, metadata={"description": "`max_waiting` are waiting"})
    no_agents = ma.fields.Nested(OverflowSchema, metadata={"description": "nobody is logged in"})
    timeout = ma.fields.Nested(OverflowSchema, metadata={"description": "`max_wait_s` is over"})


class AnnouncementsSchema(StrictSchema):
    """What a waiting caller is told."""

    first_after_s = ma.fields.Integer(
        load_default=_USUAL.announcements.first_after_s, strict=True, metadata={"description": "s before the first one"}
    )
    position_every_s = _every("s between announcements of the position; null: none")
    expected_wait_every_s = _every("s between announcements of the expected wait; null: none")

    @ma.post_load
    def _made(self, data: dict[str, Any], **_: Any) -> Announcements:
        return Announcements(**data)


class QueueSchema(StrictSchema):
    """A queue: how it chooses agents, what callers hear, and where it sends whom it can't keep."""

    id = ma.fields.String()
    name = ma.fields.String(required=True, metadata={"description": "for people"})
    strategy = ma.fields.Enum(Strategy, by_value=True, load_default=_USUAL.strategy)
    priority = _whole("priority", "0 to 100, of calls whose flow gives none")
    weight = _number("weight", "what waiting here is worth to an agent of several queues, 0.01 to 100")
    ageing_per_min = _number("ageing_per_min", "points of priority for a minute of waiting, 0 to 100")
    tier_wait_s = _whole("tier_wait_s", "s of waiting until the next tier level is asked too")
    ring_s = _whole("ring_s", "s that an agent's phone rings, 5 to 120")
    wrap_up_s = _whole("wrap_up_s", "s of wrap-up after a call, up to 3600")
    sticky_wait_s = _whole("sticky_wait_s", "s that a caller waits for the agent who spoke with him last")
    accept = ma.fields.Enum(Accept, by_value=True, load_default=_USUAL.accept)
    whisper = _text("sound file that the agent hears before he talks; empty for none")
    wait_flow = _text("flow of kind queue_wait that callers hear; empty for the music alone")
    music = _text("sound file; empty for callwright's own music")
    calendar = _text("opening hours; empty: always open")
    overflow = ma.fields.Nested(OverflowsSchema, load_default=dict)
    max_waiting = _whole("max_waiting", "callers who may wait; null for no limit")
    max_wait_s = _whole("max_wait_s", "longest wait, 5 to 7200 s; null for no limit")
    service_level_s = _whole(
        "service_level_s", "answered within so many s counts as in time; used by `callwright simulate --from-calls`"
    )
    announcements = ma.fields.Nested(AnnouncementsSchema, load_default=Announcements)


class QueuesSchema(ma.Schema):
    """All queues."""

    queues = ma.fields.List(ma.fields.Nested(QueueSchema), required=True)


class FiguresSchema(ma.Schema):
    """A queue at a moment (R6, R30)."""

    queue = ma.fields.String(required=True)
    at = Time(attribute="at_ms", required=True, metadata={"description": "of these figures"})
    is_led = ma.fields.Boolean(
        required=True,
        metadata={"description": "an engine decides for the queue; where none does, waits are not known"},
    )
    waiting = ma.fields.Integer(
        required=True, metadata={"description": "callers, those too whom an agent is being rung for"}
    )
    longest_wait_ms = ma.fields.Integer(required=True, allow_none=True, metadata={"description": "so far; 0: nobody"})
    logged_in = ma.fields.Integer(required=True, metadata={"description": "agents, those on a break too"})
    ready = ma.fields.Integer(required=True, metadata={"description": "agents who could be offered a caller"})
    expected_wait_ms = ma.fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "of a caller who joins now, on average; null where nothing can be told honestly"},
    )
    expected_low_ms = ma.fields.Integer(
        required=True, allow_none=True, metadata={"description": "his wait is shorter one time in ten"}
    )
    expected_high_ms = ma.fields.Integer(
        required=True, allow_none=True, metadata={"description": "his wait is longer one time in ten"}
    )


class AllFiguresSchema(ma.Schema):
    """All queues at a moment."""

    queues = ma.fields.List(ma.fields.Nested(FiguresSchema), required=True)


class WaitingSchema(ma.Schema):
    """A call in line."""

    call_id = ma.fields.String(attribute="member.id", required=True)
    position = ma.fields.Integer(required=True, metadata={"description": "from 1"})
    joined_at = Time(attribute="member.joined_ms", required=True)
    waited_ms = ma.fields.Integer(required=True)
    priority = ma.fields.Float(attribute="member.priority", required=True)
    offered = ma.fields.List(
        ma.fields.String(), required=True, metadata={"description": "agents who are being rung for the call"}
    )


class LineSchema(ma.Schema):
    """Who waits in a queue, the first one first."""

    queue = ma.fields.String(required=True)
    at = Time(attribute="at_ms", required=True, metadata={"description": "of this answer"})
    members = ma.fields.List(ma.fields.Nested(WaitingSchema), required=True)
