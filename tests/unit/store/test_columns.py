from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql.base import PGDialect

from engine.store.columns import EpochMs, clean, dump_json

DIALECT: Dialect = PGDialect()  # type: ignore[no-untyped-call]
ANY_TEXT = st.text(st.characters(), max_size=30)


@given(st.integers(min_value=-62_135_596_800_000, max_value=253_402_300_799_999))
def test_milliseconds_survive_the_database(ms: int) -> None:
    column = EpochMs()
    assert column.process_result_value(column.process_bind_param(ms, DIALECT), DIALECT) == ms


@given(ANY_TEXT)
def test_clean_text_can_be_stored_and_harmless_text_is_left_alone(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert "\0" not in cleaned
    if "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text):
        assert cleaned == text


def json_of(text: st.SearchStrategy[str]) -> st.SearchStrategy[object]:
    leaves = st.none() | st.booleans() | st.integers() | text
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=8)


@given(json_of(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10)))
def test_harmless_json_is_left_alone(value: object) -> None:
    assert json.loads(dump_json(value)) == value


@given(json_of(st.text(st.sampled_from('a\\"u0\0\ud800\udfff😀'), max_size=10)))
def test_any_json_can_be_stored(value: object) -> None:
    text = dump_json(value)
    text.encode()
    assert not any("\0" in each for each in texts(json.loads(text)))


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_json_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        dump_json({"a": number})
