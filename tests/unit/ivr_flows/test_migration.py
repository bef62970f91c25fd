"""Documents of earlier formats: each step on its own, and every format that there was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import ivr_flows
from ivr_flows import document, library
from ivr_flows.migration import CURRENT, PREFIX, STEPS, NewerFormat, Step, migrate

FORMATS = Path(__file__).parent / "formats"
OLD = sorted(FORMATS.glob("*/*.json"))

VERSIONS = {
    "1/collect-and-confirm": "c8706c74cdc31b19",
    "1/main": "434a38095c7c5efb",
    "1/opening-hours": "9b9e384920742dd4",
}
"""The names that versions of the old documents have, for ever."""


@pytest.mark.req("R21")
@pytest.mark.parametrize("file", OLD, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_an_old_flow_runs_and_keeps_its_name(file: Path) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    assert content["schema"] == PREFIX + file.parent.name
    flow = ivr_flows.load_stored(content)
    assert flow.version == VERSIONS[f"{file.parent.name}/{file.stem}"]
    assert migrate(content)["schema"] == CURRENT


def test_there_are_documents_of_every_format() -> None:
    formats = {PREFIX + directory.name for directory in FORMATS.iterdir()}
    assert formats == {*STEPS, CURRENT}
    assert [file for file in OLD if f"{file.parent.name}/{file.stem}" not in VERSIONS] == []


def _renamed(content: dict[str, Any]) -> dict[str, Any]:
    """`start` became `entry`."""
    changed = {key: value for key, value in content.items() if key != "start"}
    return {**changed, "entry": content["start"]}


def _listed(content: dict[str, Any]) -> dict[str, Any]:
    """One `language` became several."""
    changed = {key: value for key, value in content.items() if key != "language"}
    return {**changed, "languages": [content["language"]]}


STEPS_OF_THE_TEST = {
    "callwright/flow/1": Step("callwright/flow/2", _renamed),
    "callwright/flow/2": Step("callwright/flow/3", _listed),
}


@pytest.mark.parametrize(
    "content",
    [
        {"schema": "callwright/flow/1", "start": "a", "language": "cs", "nodes": {}},
        {"schema": "callwright/flow/2", "entry": "a", "language": "cs", "nodes": {}},
        {"schema": "callwright/flow/3", "entry": "a", "languages": ["cs"], "nodes": {}},
    ],
)
def test_step_after_step(content: dict[str, Any]) -> None:
    before = json.dumps(content)
    moved = migrate(content, STEPS_OF_THE_TEST, "callwright/flow/3")
    assert moved == {"schema": "callwright/flow/3", "entry": "a", "languages": ["cs"], "nodes": {}}
    assert json.dumps(content) == before, "the document that was uploaded stays as it is"


@pytest.mark.parametrize("schema", [None, 1, "", "flow", "callwright/flow/", "callwright/flow/x", "callwright/flow/١"])
def test_what_is_no_format_is_left_to_the_checks(schema: Any) -> None:
    content = {**library.template("main"), "schema": schema}
    assert migrate(content) == content
    assert [(each.code, each.field) for each in ivr_flows.check(content)] == [("bad_value", "schema")]


def test_a_newer_format_is_told_alone() -> None:
    content = {**library.template("main"), "schema": "callwright/flow/2", "colour": "red"}
    with pytest.raises(NewerFormat, match="upgrade callwright"):
        migrate(content)
    with pytest.raises(ivr_flows.FlowInvalid) as caught:
        ivr_flows.load_stored(content)
    assert [each.code for each in caught.value.findings] == ["newer_format"]


def test_the_version_is_that_of_the_document_as_it_was_uploaded() -> None:
    content = library.template("main")
    assert ivr_flows.outline(content).version == ivr_flows.load(content).version == document.version(content)
