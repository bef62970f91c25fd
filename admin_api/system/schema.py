"""The process's state on the wire."""

from __future__ import annotations

import marshmallow as ma


class LivenessSchema(ma.Schema):
    """The process answers."""

    status = ma.fields.String(required=True)


class DependencySchema(ma.Schema):
    """Something that the process depends on."""

    name = ma.fields.String(required=True)
    ok = ma.fields.Boolean(required=True)
    took_ms = ma.fields.Integer(required=True)
    detail = ma.fields.String(required=True, metadata={"description": "what is wrong; empty when nothing is"})


class ReadinessSchema(ma.Schema):
    """Whether the process can do its work."""

    ready = ma.fields.Boolean(required=True)
    dependencies = ma.fields.List(ma.fields.Nested(DependencySchema), required=True)
