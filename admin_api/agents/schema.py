"""Agents on the wire."""

from __future__ import annotations

import marshmallow as ma

from admin_api.fields import StrictSchema


class AgentSchema(StrictSchema):
    """An agent. Its id is also the SIP user of its phone."""

    id = ma.fields.String()
    name = ma.fields.String(required=True)
    number = ma.fields.String(load_default="", metadata={"description": "internal number; empty for none"})
    sip_password = ma.fields.String(
        load_only=True, metadata={"description": "needed for a new agent; left out, it stays as it is"}
    )


class AgentsSchema(ma.Schema):
    """All agents."""

    agents = ma.fields.List(ma.fields.Nested(AgentSchema), required=True)
