"""Fields of schemas that several resources share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import marshmallow as ma

from admin_api.smorest import Refusal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class Time(ma.fields.Field[int]):
    """A moment: UTC epoch milliseconds in the program, ISO 8601 on the wire, `2026-09-21T14:13:20.123Z`."""

    default_error_messages = {  # noqa: RUF012 (marshmallow's own attribute)
        "invalid": "Not a moment in ISO 8601 with its offset from UTC, as 2026-09-21T14:13:20Z."
    }

    def _serialize(self, value: int | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if value is None:
            return None
        return (_EPOCH + value * _MS).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError) as error:
            raise self.make_error("invalid") from error
        if moment.tzinfo is None:
            raise self.make_error("invalid")
        return (moment - _EPOCH) // _MS


class StrictSchema(ma.Schema):
    """A schema that Refusals what it does not know: a misspelt field must not be lost silently."""

    class Meta:
        unknown = ma.RAISE


def check_same(body: dict[str, Any], name: str, of_path: str) -> None:
    """Takes the key out of the body, where it may stand so that what was got can be put back."""
    given = body.pop(name, of_path)
    if given != of_path:
        raise Refusal(422, "json", name, f"is {given!r} here and {of_path!r} in the path")
