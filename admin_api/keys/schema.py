"""Keys on the wire. The key itself is shown once, in the answer to its making."""

from __future__ import annotations

import marshmallow as ma

from admin_api.fields import StrictSchema, Time


class NewKeySchema(StrictSchema):
    """What a key is made from, and the key."""

    id = ma.fields.String(dump_only=True)
    name = ma.fields.String(required=True, metadata={"description": "under which its holder stands in the audit trail"})
    key = ma.fields.String(dump_only=True, metadata={"description": "shown this once"})


class KeySchema(ma.Schema):
    """A key, as far as it is kept."""

    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    created_at = Time(attribute="created_ms", required=True)
    created_by = ma.fields.String(required=True)
    revoked_at = Time(attribute="revoked_ms", allow_none=True, metadata={"description": "null: in force"})


class KeysSchema(ma.Schema):
    """All keys, newest first."""

    keys = ma.fields.List(ma.fields.Nested(KeySchema), required=True)
