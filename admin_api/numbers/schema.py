"""Numbers on the wire."""

from __future__ import annotations

import marshmallow as ma

from admin_api.fields import StrictSchema


class NumberSchema(StrictSchema):
    """A number and the flow that its calls go to."""

    pattern = ma.fields.String(
        metadata={"description": "E.164, internal extension, prefix ending in `*`, or `*` for all others"}
    )
    flow = ma.fields.String(required=True, metadata={"description": "id of a flow"})
    language = ma.fields.String(metadata={"description": "ISO 639-1, of callers until the flow sets another"})
    country = ma.fields.String(metadata={"description": "ISO 3166, of numbers that callers give"})
    record = ma.fields.Boolean(load_default=False, metadata={"description": "record conversations"})
    trunk = ma.fields.String(
        load_default="", metadata={"description": "only calls that come over this trunk, or from inside; empty for any"}
    )
    max_channels = ma.fields.Integer(
        load_default=None,
        allow_none=True,
        strict=True,
        metadata={"description": "calls at once, over all engines; null for no limit"},
    )
    fallback = ma.fields.String(
        load_default="",
        metadata={
            "description": "takes the calls while no engine can, or there are `max_channels` already; empty for none"
        },
    )


class NumbersSchema(ma.Schema):
    """All numbers."""

    numbers = ma.fields.List(ma.fields.Nested(NumberSchema), required=True)
