"""Checks at upload: what is let pass, and that whatever is uploaded gives findings and never an exception.

What is refused, and in which words, is in tests/golden/broken.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ivr_flows
from ivr_flows import library
from ivr_flows.document import version
from ivr_flows.verify import WorldKind
from tests.unit.ivr_flows.documents import codes, flow

MAIN = library.template("main")


class TestTemplates:
    @pytest.mark.req("R21")
    @pytest.mark.parametrize("name", library.TEMPLATES)
    def test_they_are_flawless(self, name: str) -> None:
        assert ivr_flows.check(library.template(name)) == []
        assert ivr_flows.load(library.template(name)).id == name

    def test_a_world_in_which_all_exists(self) -> None:
        class World:
            def names(self, kind: WorldKind) -> Collection[str] | None:
                files = {path for sources in MAIN["prompts"].values() for path in sources.values()}
                return {"agent": {"alice"}, "prompt": files}.get(kind, ())

            def flow(self, flow: str, version: str | None) -> None:
                return None

        assert codes(MAIN, World()) == []

    def test_a_world_that_knows_nothing_finds_nothing(self) -> None:
        class World:
            def names(self, kind: WorldKind) -> Collection[str] | None:
                return None

            def flow(self, flow: str, version: str | None) -> None:
                return None

        assert codes(MAIN, World()) == []


class TestLoad:
    def test_all_findings_at_once(self) -> None:
        document = copy.deepcopy(MAIN)
        del document["nodes"]["menu"]["exits"]["invalid"]
        document["nodes"]["agent"]["agent"] = "Alice!"
        document["entry"] = "start"
        with pytest.raises(ivr_flows.FlowInvalid) as caught:
            ivr_flows.load(document)
        assert [finding.code for finding in caught.value.findings] == ["missing_exit", "bad_value", "unknown_entry"]
        assert "error missing_exit: node 'menu', field 'exits.invalid': the exit 'invalid' isn't wired" in str(
            caught.value
        )

    def test_warnings_do_not_hinder(self) -> None:
        document = {**MAIN, "variables": {"spare": {"type": "string"}}}
        assert codes(document) == ["unused_variable"]
        assert ivr_flows.load(document).variables["spare"].default is None

    def test_a_stored_version_is_held_only_to_what_it_needs_to_run(self) -> None:
        document = copy.deepcopy(MAIN)
        document["nodes"]["menu"]["exits"]["no_input"] = "menu"
        assert "endless_cycle" in codes(document)
        assert ivr_flows.load_stored(document).nodes["menu"].exits["no_input"] == "menu"
        assert ivr_flows.load_stored(MAIN) == ivr_flows.load(MAIN)

    @pytest.mark.parametrize(
        ("place", "value", "code"),
        [
            ("entry", "start", "unknown_entry"),
            ("nodes", {"answer": {"type": "beep"}}, "unknown_type"),
            ("id", 1, "bad_value"),
        ],
    )
    def test_a_stored_version_that_can_not_run(self, place: str, value: Any, code: str) -> None:
        with pytest.raises(ivr_flows.FlowInvalid) as caught:
            ivr_flows.load_stored({**MAIN, place: value})
        assert [finding.code for finding in caught.value.findings] == [code]
        with pytest.raises(ivr_flows.FlowInvalid):
            ivr_flows.load_stored("[]")

    def test_text_and_object_are_the_same(self) -> None:
        assert ivr_flows.load(json.dumps(MAIN, indent=3)) == ivr_flows.load(MAIN)

    def test_text_that_is_no_json(self) -> None:
        with pytest.raises(ivr_flows.FlowInvalid, match="bad_json"):
            ivr_flows.load("{")

    @pytest.mark.parametrize(
        "text",
        [
            "[" * 100_000,
            '{"a":' * 50_000,
            '{"a": 1e999}',
            '{"a": ' + "9" * 5000 + "}",
            '"' + "x" * 1_000_001 + '"',
            '{"name": "\\ud800"}',
            "\x00",
            "",
        ],
        ids=["deep list", "deep object", "infinite", "huge number", "huge text", "half a sign", "nul", "empty"],
    )
    def test_hostile_json(self, text: str) -> None:
        assert "bad_json" in codes(text) or "missing_field" in codes(text)

    @pytest.mark.parametrize("value", [{1, 2}, object(), float("nan"), b"x"], ids=["set", "object", "nan", "bytes"])
    def test_values_that_are_no_json(self, value: Any) -> None:
        assert codes({"name": value}) == ["bad_json"]


@pytest.mark.req("R21")
class TestVersion:
    def test_where_the_nodes_are_drawn_is_no_part_of_it(self) -> None:
        moved = {**MAIN, "layout": {"menu": {"x": 1, "y": 2}}}
        without = {key: value for key, value in MAIN.items() if key != "layout"}
        assert ivr_flows.load(moved).version == ivr_flows.load(without).version == ivr_flows.load(MAIN).version

    def test_the_order_of_keys_is_no_part_of_it(self) -> None:
        backwards = dict(reversed(MAIN.items()))
        backwards["nodes"] = dict(reversed(MAIN["nodes"].items()))
        assert ivr_flows.load(backwards).version == ivr_flows.load(MAIN).version

    def test_everything_else_is(self) -> None:
        versions = {ivr_flows.load(MAIN).version, ivr_flows.load({**MAIN, "name": "Other"}).version}
        slower = copy.deepcopy(MAIN)
        slower["nodes"]["menu"]["timeout_ms"] = 6000
        versions.add(ivr_flows.load(slower).version)
        assert len(versions) == 3

    def test_it_does_not_change_from_release_to_release(self) -> None:
        document = flow({"bye": {"type": "hangup"}}, prompts={}, name="Hlavní linka", layout={"bye": {"x": 1}})
        assert ivr_flows.load(document).version == version(document) == "9ddd82d761856127"


BYE = {"type": "hangup"}


@pytest.mark.req("R25")
def test_any_depth_of_menus_runs() -> None:
    nodes: dict[str, Any] = {}
    for number in range(60):
        exits = {"on": f"menu{number + 1}", "no_input": "bye", "invalid": "bye"}
        nodes[f"menu{number}"] = {"type": "menu", "prompts": ["p"], "keys": {"1": "on"}, "exits": exits}
    nodes["menu60"] = nodes["bye"] = {"type": "hangup"}
    assert codes(flow(nodes)) == ["menu_depth"]
    assert len(ivr_flows.load(flow(nodes)).nodes) == 62


def test_a_large_flow_is_checked_in_a_second_or_two() -> None:
    variables = {f"v{number}": {"type": "string"} for number in range(100)}
    nodes: dict[str, Any] = {}
    for number in range(900):
        exits = {"next": f"n{number + 1}"}
        value = {f"v{number % 100}": f"'{number}'"}
        nodes[f"n{number}"] = {"type": "set", "variables": value, "exits": exits}
    nodes["n900"] = {"type": "hangup"}
    assert codes(flow(nodes, variables=variables, prompts={})) == []


@pytest.mark.parametrize("part", ["nodes", "prompts", "variables"])
def test_far_too_many_entries_are_refused_at_once(part: str) -> None:
    name = {"nodes": "n", "prompts": "p", "variables": "v"}[part]
    entries: dict[str, Any] = {
        "nodes": {"type": "set", "exits": {"next": "n0"}},
        "prompts": {"cs": "a.wav"},
        "variables": {"type": "string"},
    }

    def many(times: int) -> dict[str, Any]:
        return {**MAIN, part: {**MAIN.get(part, {}), **{f"{name}{number}": entries[part] for number in range(times)}}}

    assert codes(many(15_000)) == ["bad_json"]
    assert codes(many(2_400)).count("bad_value") == 1


def test_thousands_of_mistakes_are_told_in_part() -> None:
    lost = {"type": "play", "prompts": ["q"], "exits": {"done": "gone", "error": "lost"}}
    found = ivr_flows.check(flow({f"node-number-{number}": lost for number in range(1990)}))
    assert len(found) == 301
    assert (found[-1].severity, found[-1].code) == ("error", "more_findings")
    # exits to nowhere and prompts that aren't defined; one prompt that nobody plays, and nodes that nobody reaches
    assert found[-1].message.startswith(f"{1990 * 3 + 2 - 300} more findings")


def test_warnings_give_way_to_errors() -> None:
    spare = {f"v{number}": {"type": "string"} for number in range(200)}
    prompts = {f"p{number}": {"cs": "a.wav"} for number in range(200)}
    wrong = flow({"bye": {"type": "hangup", "cause": "BORED"}, "other": BYE}, variables=spare, prompts=prompts)
    assert codes(wrong)[:2] == ["bad_value", "unreachable"]
    fine = ivr_flows.check(flow({"bye": BYE}, variables=spare, prompts=prompts))
    assert (len(fine), fine[-1].severity, fine[-1].code) == (301, "warning", "more_findings")
    assert ivr_flows.load(flow({"bye": BYE}, variables=spare, prompts=prompts)).entry == "bye"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 10**6) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(_JSON | st.text(max_size=40))
def test_anything_may_be_uploaded(document: Any) -> None:
    if isinstance(document, dict | str):
        assert ivr_flows.check(document)


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [place]
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            found += _places(item, (*place, key))
    return found


PLACES = {name: _places(library.template(name))[1:] for name in library.TEMPLATES}
_WORDS = st.sampled_from(
    ["menu", "menuu", "answer", "play", "1", "", "a b", "call.ani", "../x.wav", "cs", "1 +", "exits"]
)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(library.TEMPLATES), st.integers(1, 3))
def test_templates_with_mistakes_in_them(data: st.DataObject, name: str, mistakes: int) -> None:
    document: Any = library.template(name)
    for _ in range(mistakes):
        *parents, last = data.draw(st.sampled_from(PLACES[name]))
        try:
            owner = document
            for key in parents:
                owner = owner[key]
            if data.draw(st.booleans()) and isinstance(owner, dict):
                owner.pop(last)
            else:
                owner[last] = data.draw(_WORDS | _JSON)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier mistake has removed the place
    findings = ivr_flows.check(document)
    nodes = document.get("nodes") if isinstance(document.get("nodes"), dict) else {}
    for finding in findings:
        assert finding.message
        if finding.path:
            entry = document.get("entry")
            assert finding.path[0] == entry or not isinstance(nodes.get(str(entry)), dict)
            assert finding.node in finding.path
            for here, there in zip(finding.path, finding.path[1:], strict=False):
                assert there in nodes[here]["exits"].values()
    if not any(finding.severity == "error" for finding in findings):
        assert ivr_flows.load(document).entry in nodes
