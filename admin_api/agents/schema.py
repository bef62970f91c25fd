"""Agents on the wire."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from admin_api.fields import StrictSchema
from engine.domain.acd import AgentState, Tier


class TierSchema(StrictSchema):
    """An agent's place in a queue."""

    level = ma.fields.Integer(
        load_default=1, strict=True, metadata={"description": "lower levels are asked first, 1 to 100"}
    )
    position = ma.fields.Integer(
        load_default=1, strict=True, metadata={"description": "within a level lower positions go first"}
    )

    @ma.post_load
    def _made(self, data: dict[str, Any], **_: Any) -> Tier:
        return Tier(**data)


class AgentSchema(StrictSchema):
    """An agent. Its id is also the SIP user of its phone."""

    id = ma.fields.String()
    name = ma.fields.String(required=True)
    number = ma.fields.String(load_default="", metadata={"description": "internal number; empty for none"})
    sip_password = ma.fields.String(
        load_only=True, metadata={"description": "needed for a new agent; left out, it stays as it is"}
    )
    skills = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.Integer(strict=True),
        load_default=dict,
        metadata={"description": "levels, 1 to 10, by the skill's name", "example": {"czech": 10, "billing": 5}},
    )
    queues = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.Nested(TierSchema),
        load_default=dict,
        metadata={"description": "where the agent works", "example": {"sales": {"level": 1, "position": 1}}},
    )
    may_choose_queues = ma.fields.Boolean(
        load_default=True, metadata={"description": "may log in to and out of single queues without a supervisor"}
    )
    mobile = ma.fields.String(
        load_default="", metadata={"description": "public number as +420777123456; empty for none"}
    )
    mobile_in = ma.fields.List(
        ma.fields.Enum(AgentState, by_value=True),
        load_default=list,
        metadata={"description": "states in which calls ring the mobile and not the desk phone"},
    )


class AgentsSchema(ma.Schema):
    """All agents."""

    agents = ma.fields.List(ma.fields.Nested(AgentSchema), required=True)
