"""All golden cases, and the player's own strictness: a case that proves nothing must fail."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from ivr_flows import golden

GOLDEN = Path(__file__).parents[2] / "golden"


def cases(folder: str) -> list[Any]:
    return [
        pytest.param(file, id=str(file.relative_to(GOLDEN / folder).with_suffix("")))
        for file in sorted((GOLDEN / folder).rglob("*.json"))
    ]


def holds(file: Path) -> None:
    case = json.loads(file.read_text(encoding="utf-8"))
    assert golden.rehearse(case) == case


@pytest.mark.req("R20")
@pytest.mark.parametrize("file", cases("nodes"))
def test_node(file: Path) -> None:
    case = json.loads(file.read_text(encoding="utf-8"))
    assert case["node"]["type"] == file.parent.name
    holds(file)


@pytest.mark.req("R20", "R21")
@pytest.mark.parametrize("file", cases("flows"))
def test_flow(file: Path) -> None:
    holds(file)


@pytest.mark.req("R21")
@pytest.mark.parametrize("file", cases("broken"))
def test_broken_flow_is_reported_in_these_words(file: Path) -> None:
    case = json.loads(file.read_text(encoding="utf-8"))
    assert case["findings"]
    holds(file)


def test_nothing_else_is_here() -> None:
    """`python -m ivr_flows.golden tests/golden` plays everything in it."""
    assert {place.name for place in GOLDEN.iterdir()} == {"nodes", "flows", "broken"}


def test_every_finding_has_a_fixture() -> None:
    """The codes that uploads are told are listed here; each has at least one broken flow."""
    seen = {
        finding["code"]
        for case in cases("broken")
        for finding in json.loads(case.values[0].read_text(encoding="utf-8"))["findings"]
    }
    assert seen == {
        *("bad_json", "bad_value", "bad_path", "bad_expression", "bad_node"),
        *("missing_field", "unknown_field", "wrong_type", "unknown_type", "wrong_kind"),
        *("newer_format", "missing_feature", "endless_flows", "missing_sound", "not_checked"),
        *("step_limit", "time_limit"),
        *("unknown_entry", "unknown_exit", "missing_exit", "unknown_target", "unreachable", "no_end", "endless_cycle"),
        *("undefined_prompt", "missing_prompt", "no_speech", "unused_prompt", "unused_language"),
        *("undeclared_variable", "unset_variable", "unused_variable", "missing_reference", "menu_depth"),
    }


CASE: dict[str, Any] = {
    "about": "A prompt.",
    "node": {"type": "play", "prompts": ["a"]},
    "flow": {"prompts": {"a": {"cs": "main/a.wav"}}},
    "exchange": [
        {
            "expect": {"op": "play", "media": [{"path": "main/a.wav", "kind": "file"}]},
            "reply": {"kind": "played", "key": None},
        }
    ],
    "exit": "done",
}


def changed(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(CASE), **changes}


def test_the_case_itself_holds() -> None:
    assert golden.rehearse(CASE) == CASE


@pytest.mark.parametrize(
    ("case", "message"),
    [
        pytest.param(changed(exits="done"), "unknown fields", id="unknown field"),
        pytest.param({**CASE, "about": ""}, "'about' is missing", id="no word on what it shows"),
        pytest.param(changed(exchange=[]), "there is no reply", id="reply missing"),
        pytest.param(changed(exchange=CASE["exchange"] * 2), "it ended after 1 turns of 2", id="reply left over"),
        pytest.param(changed(exchange=[{"expects": {}, "reply": {}}]), "unknown fields", id="unknown field in a turn"),
        pytest.param(changed(node={"type": "play"}), "1 validation error", id="node that can't be"),
        pytest.param(
            changed(flow={"prompts": {"a": {"cs": "a.wav"}, "b": {"cs": "b.wav"}}}), "unused_prompt", id="unused prompt"
        ),
    ],
)
def test_a_case_that_proves_nothing_is_refused(case: dict[str, Any], message: str) -> None:
    with pytest.raises(golden.GoldenError, match=message):
        golden.rehearse(case)


@pytest.mark.parametrize("change", [{"exit": "error"}, {"variables": {"x": "1"}}, {"exchange": [{"expect": {}}]}])
def test_a_case_that_does_not_hold_differs(change: dict[str, Any]) -> None:
    if "exchange" in change:
        change = {"exchange": [{**CASE["exchange"][0], **change["exchange"][0]}]}
    case = changed(**change)
    assert golden.rehearse(case) != case


def test_update_writes_what_happens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "case.json"
    file.write_text(json.dumps(changed(exit="error")))
    assert golden.main([str(tmp_path)]) == 1
    assert "something else happens" in capsys.readouterr().out
    assert golden.main(["--update", str(file)]) == 0
    assert json.loads(file.read_text()) == CASE
    file.write_text(json.dumps(changed(exchange=[])))
    assert golden.main([str(file)]) == 1
