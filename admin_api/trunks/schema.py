"""Trunks on the wire."""

from __future__ import annotations

import marshmallow as ma

from admin_api.fields import StrictSchema


class TrunkSchema(StrictSchema):
    """A line to an operator."""

    id = ma.fields.String()
    name = ma.fields.String(load_default="", metadata={"description": "for people"})
    proxy = ma.fields.String(required=True, metadata={"description": "host or host:port of the operator"})
    username = ma.fields.String(load_default="")
    password = ma.fields.String(load_only=True, metadata={"description": "left out, it stays as it is"})
    register = ma.fields.Boolean(load_default=False, metadata={"description": "sign in at the operator"})
    prefix = ma.fields.String(load_default="", metadata={"description": "put before every number that goes out"})
    networks = ma.fields.List(
        ma.fields.String(), load_default=list, metadata={"description": "where its calls come from, CIDR"}
    )
    ping_s = ma.fields.Integer(
        load_default=None, allow_none=True, strict=True, metadata={"description": "seconds between OPTIONS; null: none"}
    )
    caller_id = ma.fields.String(load_default="", metadata={"description": "number shown where the flow shows none"})
    max_channels = ma.fields.Integer(
        load_default=None,
        allow_none=True,
        strict=True,
        metadata={"description": "calls at once, in and out; null for no limit"},
    )


class TrunksSchema(ma.Schema):
    """All trunks."""

    trunks = ma.fields.List(ma.fields.Nested(TrunkSchema), required=True)
