"""Prompts on the wire."""

from __future__ import annotations

import marshmallow as ma

from admin_api.fields import StrictSchema, Time


class PromptVersionSchema(ma.Schema):
    """One recording of a prompt, and what was done to it."""

    version = ma.fields.String(required=True, metadata={"description": "hash of the sound"})
    uploaded_at = Time(attribute="uploaded_ms", required=True)
    uploaded_by = ma.fields.String(required=True)
    file_name = ma.fields.String(required=True)
    duration_ms = ma.fields.Integer(required=True)
    loudness_lufs = ma.fields.Float(required=True, metadata={"description": "as it is played, EBU R 128"})
    gain_db = ma.fields.Float(required=True, metadata={"description": "how much louder it was made"})
    trimmed_ms = ma.fields.Integer(required=True, metadata={"description": "silence cut off at both ends"})
    source_format = ma.fields.String(required=True)
    source_rate_hz = ma.fields.Integer(required=True)
    warnings = ma.fields.List(
        ma.fields.String(), required=True, metadata={"description": "clipping, long silence, too quiet"}
    )


class PromptSchema(ma.Schema):
    """A prompt in one language."""

    name = ma.fields.String(required=True, attribute="recordings.name")
    language = ma.fields.String(required=True, attribute="recordings.language")
    path = ma.fields.String(
        required=True, attribute="recordings.path", metadata={"description": "what a flow names to play it"}
    )
    active_version = ma.fields.String(required=True, attribute="recordings.active")
    versions = ma.fields.List(
        ma.fields.Nested(PromptVersionSchema),
        required=True,
        attribute="recordings.versions",
        metadata={"description": "newest first"},
    )
    used_by = ma.fields.List(
        ma.fields.String(), required=True, metadata={"description": "flows whose active version plays it"}
    )


class PromptsSchema(ma.Schema):
    """All prompts."""

    prompts = ma.fields.List(ma.fields.Nested(PromptSchema), required=True)


class UploadQuerySchema(StrictSchema):
    """What goes with an upload."""

    file_name = ma.fields.String(load_default="", metadata={"description": "the file's own name, for people"})


class PromptActiveSchema(StrictSchema):
    """Which version is to be played."""

    version = ma.fields.String(required=True)
