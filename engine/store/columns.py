"""Column types: how times, text and JSON of the domain stand in PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_REPLACEMENT = "\ufffd"
EARLIEST_MS, LATEST_MS = -62_135_596_800_000, 253_402_300_799_999
"""The times that Python's calendar holds: the years 1 to 9999."""


class EpochMs(TypeDecorator[int]):
    """UTC epoch milliseconds in the program, `timestamptz` in the database, where reports want to read them."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> datetime | None:
        # timedelta and not fromtimestamp: whole milliseconds don't survive a float
        return None if value is None else _EPOCH + value * _MS

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - _EPOCH) // _MS


class CleanText(TypeDecorator[str]):
    """Text from outside. What PostgreSQL's text can't hold is replaced: a caller's name must not cost the record."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else clean(value)


def clean(text: str) -> str:
    """The text with U+FFFD in place of NUL and of lone surrogates."""
    text = text.replace("\0", _REPLACEMENT)
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def dump_json(value: Any) -> str:
    """JSON that PostgreSQL's jsonb accepts. Raises ValueError for NaN and infinities."""
    text = _dumps(value)
    if "\\u0000" in text or not _encodes(text):
        text = _dumps(_clean_all(value))
    return text


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _clean_all(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(key)): _clean_all(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean_all(item) for item in value]
    return value
