"""Instructions and results of any content, made from their types: what a journal may hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from hypothesis import strategies as st


def any_of(types: Iterable[type]) -> st.SearchStrategy[Any]:
    """Any value of one of these dataclasses."""
    return st.one_of(*(st.from_type(each) for each in types))


def _mapping(hint: Any) -> st.SearchStrategy[dict[Any, Any]]:
    of_key, of_value = (st.from_type(each) for each in get_args(hint))
    return st.dictionaries(of_key, of_value, max_size=3)


# JSON knows one kind of object; Python reads a number too large, like 1e999, as infinity.
st.register_type_strategy(Mapping, _mapping)
st.register_type_strategy(float, st.floats(allow_nan=False))
