"""Regular expressions of `matches`: what they may cost. A search costs a few ns for each instruction and byte."""

from __future__ import annotations

from typing import Any

import pytest

import ivr_flows
from ivr_flows.expressions import MAX_NODE_SIZE, Expression, ExpressionError
from ivr_flows.expressions.patterns import MAX_SIZE, MAX_TEXT, found, size

CASES = 50
WORST = [
    "(.{1,500}){2}y",
    "(.{1,400}){2}y",
    "(x?){500}(x?){500}y",
    "(x?){240}(x?){240}y",
    "((x|xx|xxx){1,300}){3}y",
    "(?i)(x{0,30}){30}y$",
    "(x*){320}y",
    "(.{1,50}){2}y",
    "((x?){22}){22}y",
]
"""The slowest of those that anybody found, of every size."""


def branch(pattern: str, cases: int) -> dict[str, Any]:
    when = [f"matches(v, '{pattern}') or matches(v, '{pattern}z')"] * cases
    exits = {f"e{number}": "bye" for number in range(cases)}
    node = {
        "type": "branch",
        "cases": [{"when": source, "exit": f"e{number}"} for number, source in enumerate(when)],
        "exits": {**exits, "default": "bye"},
    }
    return {
        "schema": "callwright/flow/1",
        "id": "main",
        "name": "Main",
        "kind": "inbound",
        "languages": ["en"],
        "entry": "which",
        "variables": {"v": {"type": "string", "default": "x"}},
        "nodes": {"which": node, "bye": {"type": "hangup"}},
    }


@pytest.mark.req("R21")
@pytest.mark.parametrize("pattern", WORST)
def test_the_worst_patterns_in_many_cases_are_refused(pattern: str) -> None:
    findings = ivr_flows.check(branch(pattern, CASES))
    assert {finding.code for finding in findings} == {"bad_expression"}


@pytest.mark.req("R21")
@pytest.mark.parametrize("pattern", [*WORST, "^[+]420[67][0-9]{8}$", "y", "(?i)novák|dvořák|svoboda"])
def test_what_a_node_may_cost_at_most(pattern: str) -> None:
    """In instructions times characters: all that a node may ask of RE2, whatever the flow and the caller say."""
    for cases in (1, 2, 5, CASES):
        document = branch(pattern, cases)
        if not any(finding.severity == "error" for finding in ivr_flows.check(document)):
            expressions = [Expression.parse(case["when"]) for case in document["nodes"]["which"]["cases"]]
            assert sum(each.pattern_size for each in expressions) <= MAX_NODE_SIZE


def test_usual_patterns_are_far_from_the_limit() -> None:
    assert ivr_flows.check(branch("^[+]420[67][0-9]{8}$", CASES)) == []


def test_every_pattern_of_an_expression_counts() -> None:
    one = Expression.parse("matches(call.ani, 'a+')").pattern_size
    assert one == size("a+") > 0
    several = (
        "not matches(call.ani, 'a+') or (matches(trim(call.did), 'a+') and len(text(matches(call.ani, 'a+'))) in [1])"
    )
    assert Expression.parse(several).pattern_size == 3 * one
    assert Expression.parse("call.ani == 'a+'").pattern_size == 0


def test_a_pattern_that_is_too_large_is_refused_with_a_hint() -> None:
    for pattern in ("(x?){500}(x?){500}y", "(.{1,400}){2}y"):
        with pytest.raises(ExpressionError, match=r"too large; repeat less, like \{1,\} in place of"):
            Expression.parse(f"matches(call.ani, '{pattern}')")
    assert size("(x?){240}(x?){240}y") <= MAX_SIZE


def test_only_the_beginning_of_a_long_text_is_looked_at() -> None:
    assert found("y$", "x" * (MAX_TEXT - 1) + "y")
    assert not found("y", "x" * MAX_TEXT + "y")
