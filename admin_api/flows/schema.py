"""Flows on the wire."""

from __future__ import annotations

import marshmallow as ma

from admin_api.fields import StrictSchema, Time


class FindingSchema(ma.Schema):
    """What an upload was found to be wrong with, or worth a warning."""

    severity = ma.fields.String(required=True, metadata={"enum": ["error", "warning"]})
    code = ma.fields.String(required=True)
    node = ma.fields.String(allow_none=True)
    field = ma.fields.String(allow_none=True)
    message = ma.fields.String(required=True)
    path = ma.fields.List(ma.fields.String(), metadata={"description": "nodes from the entry to the place"})


class UploadedSchema(ma.Schema):
    """A version that was taken."""

    flow = ma.fields.String(required=True)
    version = ma.fields.String(required=True, metadata={"description": "hash of the content without `layout`"})
    created = ma.fields.Boolean(required=True, metadata={"description": "false: this version was there already"})
    findings = ma.fields.List(ma.fields.Nested(FindingSchema), required=True, metadata={"description": "warnings"})


class FlowSchema(ma.Schema):
    """A flow."""

    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    kind = ma.fields.String(required=True)
    active_version = ma.fields.String(allow_none=True, metadata={"description": "null: none was activated yet"})
    activated_at = Time(attribute="activated_ms", allow_none=True)


class FlowsSchema(ma.Schema):
    """All flows."""

    flows = ma.fields.List(ma.fields.Nested(FlowSchema), required=True)


class VersionSchema(ma.Schema):
    """A version of a flow."""

    version = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    uploaded_at = Time(attribute="uploaded_ms", required=True)
    uploaded_by = ma.fields.String(required=True)
    findings = ma.fields.List(ma.fields.Nested(FindingSchema), required=True)


class ActivationSchema(ma.Schema):
    """A version became the active one."""

    version = ma.fields.String(required=True)
    activated_at = Time(attribute="activated_ms", required=True)
    activated_by = ma.fields.String(required=True)


class FlowDetailSchema(FlowSchema):
    """A flow with its versions and activations, newest first."""

    id = ma.fields.String(required=True, attribute="summary.id")
    name = ma.fields.String(required=True, attribute="summary.name")
    kind = ma.fields.String(required=True, attribute="summary.kind")
    active_version = ma.fields.String(allow_none=True, attribute="summary.active_version")
    activated_at = Time(allow_none=True, attribute="summary.activated_ms")
    versions = ma.fields.List(ma.fields.Nested(VersionSchema), required=True)
    activations = ma.fields.List(ma.fields.Nested(ActivationSchema), required=True)


class ActiveSchema(StrictSchema):
    """Which version is to be the active one."""

    version = ma.fields.String(required=True)
