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


_STATE = {"enum": ["draft", "checked", "active"], "description": "draft: it has not yet passed the checks"}


class ToPersonSchema(ma.Schema):
    """The longest way on which a caller comes to a person."""

    ms = ma.fields.Integer(allow_none=True, metadata={"description": "at most; null: it may take for ever"})
    path = ma.fields.List(ma.fields.String(), metadata={"description": "its nodes"})


class CheckedSchema(ma.Schema):
    """A version that was checked."""

    flow = ma.fields.String(required=True)
    version = ma.fields.String(required=True, metadata={"description": "hash of the content without `layout`"})
    state = ma.fields.String(required=True, metadata=_STATE)
    findings = ma.fields.List(ma.fields.Nested(FindingSchema), required=True)
    longest_to_person = ma.fields.Nested(ToPersonSchema, attribute="to_person", allow_none=True)


class UploadedSchema(CheckedSchema):
    """A version that was taken."""

    created = ma.fields.Boolean(required=True, metadata={"description": "false: this version was there already"})


class UploadQuerySchema(StrictSchema):
    """How to take it."""

    draft = ma.fields.Boolean(load_default=False, metadata={"description": "keep it even with errors"})


class DifferenceQuerySchema(StrictSchema):
    """Which two versions, by name or `active`."""

    before = ma.fields.String(required=True, data_key="from")
    after = ma.fields.String(required=True, data_key="to")


class FieldChangeSchema(ma.Schema):
    """A field that is different."""

    field = ma.fields.String(required=True, metadata={"description": "like `exits.done` or `cases[1].when`"})
    before = ma.fields.Raw(allow_none=True, metadata={"description": "null: there was none"})
    after = ma.fields.Raw(allow_none=True, metadata={"description": "null: there is none"})


class ChangeSchema(ma.Schema):
    """A node, prompt or variable that is different, or fields of the flow itself."""

    what = ma.fields.String(required=True, metadata={"enum": ["added", "removed", "changed"]})
    part = ma.fields.String(required=True, metadata={"enum": ["flow", "variable", "prompt", "node"]})
    name = ma.fields.String(required=True)
    fields_ = ma.fields.List(ma.fields.Nested(FieldChangeSchema), attribute="fields", data_key="fields", required=True)


class DifferenceSchema(ma.Schema):
    """What is different between two versions, node by node."""

    flow = ma.fields.String(required=True)
    before = ma.fields.String(required=True, data_key="from")
    after = ma.fields.String(required=True, data_key="to")
    changes = ma.fields.List(ma.fields.Nested(ChangeSchema), required=True)


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
    state = ma.fields.String(required=True, metadata=_STATE)
    checked_at = Time(attribute="checked_ms", allow_none=True)
    checked_by = ma.fields.String(allow_none=True)
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


class RollbackSchema(StrictSchema):
    """Which version is to be left: whoever comes second, or asks twice, doesn't go back twice."""

    left = ma.fields.String(required=True, data_key="from", metadata={"description": "the active version"})


class ActivatedSchema(FlowDetailSchema):
    """A flow after an activation."""

    findings = ma.fields.List(
        ma.fields.Nested(FindingSchema), required=True, metadata={"description": "warnings on the version, if any"}
    )
