"""Documents that are too large, too deep or not what they say: refused quickly, in words that a person understands."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest

import ivr_flows
from ivr_flows import library
from ivr_flows.document import MAX_BYTES, MAX_DEPTH, MAX_ENTRIES

QUICK_S = 2.0
"""A person who uploads waits no longer; on a quiet machine all of these take a fraction."""
HANGUP = {"type": "hangup"}
TOO_LARGE = f"the document has more than {MAX_BYTES} bytes; split it into several flows"
SURROGATE = "a text holds half of a surrogate pair (\\ud800 to \\udfff), which is no character"


def template(**changes: Any) -> str:
    return json.dumps({**library.template("main"), **changes})


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


def cases(number: int) -> dict[str, Any]:
    return {
        f"n{at}": {
            "type": "branch",
            "cases": [{"when": f"({at} + (", "exit": f"e{each}"} for each in range(8)],
            "exits": {"default": "n0"},
        }
        for at in range(number)
    }


def findings(document: Any) -> list[str]:
    """What is found, within the time."""
    began = time.perf_counter()
    found = ivr_flows.check(document)
    assert time.perf_counter() - began < QUICK_S
    assert len(found) <= 301
    assert all(len(str(each)) < 2000 for each in found)
    return [str(each) for each in found]


@pytest.mark.req("R21")
@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            '{"a": "' + "x" * 10_000_000 + '"}',
            TOO_LARGE,
        ),
        ({"a": "x" * 10_000_000}, TOO_LARGE),
        (
            template(nodes={f"n{at}": HANGUP for at in range(100_000)}),
            TOO_LARGE,
        ),
        (
            template(nodes={f"n{at}": 1 for at in range(50_000)}),
            f"'nodes' has 50000 entries; no part of a flow has more than {MAX_ENTRIES}",
        ),
        (
            template(languages=["cs"] * 100_000),
            f"'languages' has 100000 entries; no part of a flow has more than {MAX_ENTRIES}",
        ),
        ("[" * 900_000, f"the document is nested more than {MAX_DEPTH} deep"),
        (nested(1000), f"the document is nested more than {MAX_DEPTH} deep"),
        (nested(MAX_DEPTH), f"the document is nested more than {MAX_DEPTH} deep"),
        ('{"layout": ' + nested(300) + "}", f"the document is nested more than {MAX_DEPTH} deep"),
        (
            "{" + ",".join(f'"k{at}":1' for at in range(70_000)) + ',"k69999":1}',
            "the key 'k69999' stands twice in one object; remove or rename one of the two",
        ),
        (
            template(nodes={"x" * 900_000: HANGUP}),
            f"the key '{'x' * 39}…' has 900000 characters; no key has more than 200",
        ),
        (template(name="\ud800"), SURROGATE),
        (
            template(nodes={"\udc00": HANGUP}),
            SURROGATE,
        ),
        ('{"a": ' + "9" * 5000 + "}", "a number has thousands of digits; the largest one in a flow has 16"),
        ('{"a": 1e999}', "not JSON: Out of range float values are not JSON compliant"),
        ('{"a": Infinity}', "Infinity is no JSON number"),
        ({"a": {1, 2}}, "not JSON: Object of type set is not JSON serializable"),
        (None, "a flow is a JSON object: { … }"),
        ("RIFF\x00\x00WAVE", "not JSON: line 1, column 1: Expecting value"),
    ],
    ids=lambda value: None if isinstance(value, str) and len(value) < 120 else "document",
)
def test_what_can_be_no_flow(document: Any, message: str) -> None:
    assert findings(document) == [f"error bad_json: {message}"]


def test_the_deepest_document_is_read() -> None:
    assert "bad_json" not in findings(nested(MAX_DEPTH - 1))[0]


@pytest.mark.req("R21")
@pytest.mark.parametrize(
    "changes",
    [
        {f"field{at}": 1 for at in range(2000)},
        {"nodes": {f"n{at}": {"type": "menuu"} for at in range(2000)}},
        {"nodes": {f"n{at}": {"type": "menu", **{f"promts{each}": 1 for each in range(20)}} for at in range(900)}},
        {"nodes": {"a": {"type": "menu", **{f"field{at}": 1 for at in range(2400)}}}},
        {"nodes": {"a": {"type": "hangup", "exits": {f"exit{at}": "b" for at in range(2400)}}}},
        {"nodes": cases(1500)},
        {"variables": {f"v{at}": {"type": "numberr"} for at in range(2400)}},
        {"prompts": {f"p{at}": {} for at in range(2400)}},
    ],
    ids=["fields", "types", "fields of nodes", "fields of one", "exits", "expressions", "variables", "prompts"],
)
def test_thousands_of_mistakes_are_told_as_far_as_a_person_reads(changes: dict[str, Any]) -> None:
    assert len(findings(template(**changes))) > 20


@pytest.mark.parametrize("name", ["a\x1b[2J", "a\nerror", "\u202egnp", "", "..", "č", "a" * 65, "A", "a b", "a'--"])
def test_odd_names_are_refused_and_not_obeyed_by_a_terminal(name: str) -> None:
    document = copy.deepcopy(library.template("main"))
    document["nodes"][name] = HANGUP
    told = findings(document)
    assert any("isn't allowed here" in each for each in told)
    assert all(line.isprintable() for each in told for line in each.split("\n"))


def test_a_large_flow_is_read_quickly() -> None:
    nodes: dict[str, Any] = {
        f"n{at}": {"type": "set", "variables": {"n": f"n + {at + 1}"}, "exits": {"next": f"n{at + 1}"}}
        for at in range(1999)
    }
    nodes["n1999"] = HANGUP
    variables = {"n": {"type": "number", "default": 0}}
    document = template(nodes=nodes, entry="n0", variables=variables, prompts={}, layout={})
    assert findings(document) == []
