"""Notices on the wire."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from admin_api.fields import StrictSchema, Time

_READ_ONLY = ("changed_at", "changed_by")


class NoticeSchema(StrictSchema):
    """A notice on a general problem: what callers hear in each language, and whether they do."""

    id = ma.fields.String()
    name = ma.fields.String(required=True, metadata={"description": "for people"})
    sounds = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.String(),
        required=True,
        metadata={
            "example": {"cs": "outage/cs.wav", "en": "outage/en.wav"},
            "description": "sound file by language; the first stands in for languages that are missing",
        },
    )
    active = ma.fields.Boolean(metadata={"description": "whether it is on; left out: as it was"})
    until = Time(
        attribute="until_ms", allow_none=True, metadata={"description": "when it switches itself off; null: never"}
    )
    changed_at = Time(attribute="changed_ms", dump_only=True)
    changed_by = ma.fields.String(dump_only=True)

    @ma.pre_load
    def _without_read_only(self, data: Any, **_: Any) -> Any:
        """What was got can be put back."""
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if name not in _READ_ONLY}


class NoticesSchema(ma.Schema):
    """All notices."""

    notices = ma.fields.List(ma.fields.Nested(NoticeSchema), required=True)


class NoticeOnSchema(StrictSchema):
    """How long a notice is to be on."""

    until = Time(
        attribute="until_ms",
        load_default=None,
        allow_none=True,
        metadata={"description": "when it switches itself off; left out: not before somebody does"},
    )


class NoticeChangeSchema(ma.Schema):
    """What somebody did to a notice, and how it stood then."""

    at = Time(attribute="at_ms", required=True)
    by = ma.fields.String(required=True)
    action = ma.fields.String(required=True, metadata={"description": "notice.put, notice.on, notice.off"})
    active = ma.fields.Boolean(required=True)
    until = Time(attribute="until_ms", required=True, allow_none=True)


class NoticeHistorySchema(ma.Schema):
    """The last hundred changes of a notice."""

    history = ma.fields.List(
        ma.fields.Nested(NoticeChangeSchema), required=True, metadata={"description": "newest first"}
    )
