"""The JSON Schema of flows: current, and of one mind with the checks about the form of documents."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import ivr_flows
from ivr_flows import library, schema


@pytest.mark.req("R21")
def test_the_committed_copy_is_current() -> None:
    written = schema.FILE.read_text(encoding="utf-8")
    assert written == schema.as_text(), "run python -m ivr_flows.schema"


def validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(schema.flow_schema())
    return jsonschema.Draft202012Validator(schema.flow_schema())


@pytest.mark.req("R21")
@pytest.mark.parametrize("name", library.TEMPLATES)
def test_templates_are_valid(name: str) -> None:
    assert list(validator().iter_errors(library.template(name))) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("schema",), "callwright/flow/2"),
        (("id",), "Main Line"),
        (("kind",), "incoming"),
        (("languages",), []),
        (("author",), "me"),
        (("prompts", "welcome", "cs"), "../x.wav"),
        (("prompts", "Welcome"), {"cs": "x.wav"}),
        (("nodes", "menu", "type"), "menuu"),
        (("nodes", "menu", "keys", "12"), "agent"),
        (("nodes", "menu", "timeout_ms"), "5 s"),
        (("nodes", "menu", "timeout"), 5000),
        (("nodes", "agent", "exits", "bussy"), "goodbye"),
        (("nodes", "agent", "exits", "busy"), None),
        (("nodes", "agent", "agent"), None),
    ],
)
def test_what_the_schema_refuses_the_checks_refuse_too(place: tuple[str, ...], value: Any) -> None:
    document: Any = copy.deepcopy(library.template("main"))
    *parents, last = place
    owner = document
    for key in parents:
        owner = owner[key]
    if value is None:
        del owner[last]
    else:
        owner[last] = value
    assert any(finding.severity == "error" for finding in ivr_flows.check(document))
    assert list(validator().iter_errors(document))
