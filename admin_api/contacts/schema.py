"""Contacts on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from admin_api.fields import StrictSchema
from engine.services.contacts import MAX_BATCH


class ContactSchema(StrictSchema):
    """A contact of whoever runs the installation. `PUT` and batches write it whole."""

    key = ma.fields.String(metadata={"description": "the customer's own key"})
    name = ma.fields.String(load_default="")
    status = ma.fields.String(load_default="")
    numbers = ma.fields.List(
        ma.fields.String(), load_default=list, metadata={"description": "in any form, the main one first"}
    )
    fields_ = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.String(),
        load_default=dict,
        data_key="fields",
        attribute="fields",
        metadata={"description": "further fields, text by name", "example": {"city": "Brno", "tariff": "gold"}},
    )


class BatchRowSchema(ContactSchema):
    """A contact of a batch."""

    key = ma.fields.String(required=True)


class ContactsSchema(ma.Schema):
    """Contacts who share a number."""

    contacts = ma.fields.List(
        ma.fields.Nested(ContactSchema), required=True, metadata={"description": "first the one that flows are given"}
    )


class NumberQuerySchema(StrictSchema):
    """Which contacts are asked for."""

    number = ma.fields.String(required=True, metadata={"description": "a telephone number in any form"})


class RowFaultSchema(ma.Schema):
    """One fault of a row."""

    place = ma.fields.String(required=True)
    message = ma.fields.String(required=True)


class RefusedRowSchema(ma.Schema):
    """A row that was not kept."""

    line = ma.fields.Integer(metadata={"description": "its line, from 1; of lines"})
    index = ma.fields.Integer(metadata={"description": "its place, from 0; of a list"})
    key = ma.fields.String(required=True, metadata={"description": "as far as it could be read"})
    errors = ma.fields.List(ma.fields.Nested(RowFaultSchema), required=True)


class BatchSchema(ma.Schema):
    """What became of a batch."""

    created = ma.fields.Integer(required=True, metadata={"description": "contacts that are new"})
    changed = ma.fields.Integer(required=True, metadata={"description": "contacts that were there"})
    refused = ma.fields.List(ma.fields.Nested(RefusedRowSchema), required=True)


BATCH_BODY: Mapping[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"up to {MAX_BATCH} contacts, as a JSON list or one on each line",
        "content": {
            "application/json": {"schema": {"type": "array", "maxItems": MAX_BATCH, "items": BatchRowSchema}},
            "application/x-ndjson": {"schema": BatchRowSchema},
        },
    }
}
