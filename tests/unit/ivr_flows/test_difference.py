"""What is different between two versions, down to single fields."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr_flows.difference import Change, FieldChange, difference

BRANCH = {"type": "branch", "cases": [{"when": "a", "exit": "x"}, {"when": "b", "exit": "y"}], "exits": {"x": "n"}}


def flow(**parts: Any) -> dict[str, Any]:
    return {"schema": "callwright/flow/1", "id": "main", "name": "Main", **parts}


def test_the_same() -> None:
    assert difference(flow(nodes={"n": BRANCH}), flow(nodes={"n": BRANCH}, layout={"n": {"x": 1}})) == ()


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (flow(name="A"), flow(name="B"), Change("changed", "flow", "main", (FieldChange("name", "A", "B"),))),
        (
            flow(limits={"max_steps": 5}),
            flow(),
            Change("changed", "flow", "main", (FieldChange("limits", {"max_steps": 5}, None),)),
        ),
        (
            flow(nodes={"n": BRANCH}),
            flow(nodes={"n": {**BRANCH, "cases": [BRANCH["cases"][0], {"when": "c", "exit": "y"}]}}),
            Change("changed", "node", "n", (FieldChange("cases[1].when", "b", "c"),)),
        ),
        (
            flow(nodes={"n": BRANCH}),
            flow(nodes={"n": {**BRANCH, "cases": [BRANCH["cases"][0]]}}),
            Change("changed", "node", "n", (FieldChange("cases[1]", {"when": "b", "exit": "y"}, None),)),
        ),
        (
            flow(nodes={"n": {"prompts": ["a", "b"]}}),
            flow(nodes={"n": {"prompts": ["b"]}}),
            Change("changed", "node", "n", (FieldChange("prompts", ["a", "b"], ["b"]),)),
        ),
        (
            flow(nodes={"n": {"confirm": True}}),
            flow(nodes={"n": {"confirm": 1}}),
            Change("changed", "node", "n", (FieldChange("confirm", True, 1),)),
        ),
        (
            flow(prompts={"p": {"cs": "a.wav"}}),
            flow(prompts={"p": {"cs": {"tts": "A"}}}),
            Change("changed", "prompt", "p", (FieldChange("cs", "a.wav", {"tts": "A"}),)),
        ),
        (
            flow(variables={"v": {"type": "string"}}),
            flow(variables={}),
            Change("removed", "variable", "v", (FieldChange("type", "string", None),)),
        ),
        (flow(), flow(nodes={"n": {}}), Change("added", "node", "n")),
    ],
    ids=["flow", "limits", "case", "case gone", "list", "type", "prompt", "variable", "empty node"],
)
def test_one_change(before: dict[str, Any], after: dict[str, Any], change: Change) -> None:
    assert difference(before, after) == (change,)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
_DOCUMENTS = st.dictionaries(st.sampled_from(["name", "limits"]), _JSON) | st.fixed_dictionaries(
    {"nodes": st.dictionaries(st.sampled_from("ab"), st.dictionaries(st.sampled_from("xy"), _JSON))}
)


@given(_DOCUMENTS, _DOCUMENTS)
def test_any_two_documents(before: dict[str, Any], after: dict[str, Any]) -> None:
    there, back = difference(before, after), difference(after, before)
    assert difference(before, before) == ()
    assert {(each.part, each.name) for each in there if each.part != "flow"} == {
        (each.part, each.name) for each in back if each.part != "flow"
    }
    assert bool(there) == bool(back)
