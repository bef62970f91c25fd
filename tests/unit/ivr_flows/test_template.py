"""Texts with expressions in them."""

from __future__ import annotations

import pytest

from ivr_flows.expressions import Expression
from ivr_flows.template import Template


def filled(source: str) -> str:
    return Template.parse(source).fill(lambda expression: f"<{expression.source.strip()}>")


@pytest.mark.req("R22")
@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Dobrý den.", "Dobrý den."),
        ("{n}", "<n>"),
        ("Máte {n} zpráv, {call.caller_name}.", "Máte <n> zpráv, <call.caller_name>."),
        ("{a}{b}", "<a><b>"),
        ("{{n}}", "{n}"),
        ("{{{n}}}", "{<n>}"),
        ("{ n + 1 }", "<n + 1>"),
        ('{len("}")} {{', '<len("}")> {'),
    ],
)
def test_expressions_stand_in_braces_and_braces_are_doubled(source: str, text: str) -> None:
    assert filled(source) == text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a { b", "column 3: an expression is written {like_this}, a brace in the text doubled: {{ or }}"),
        ("x } y", "column 3: an expression is written {like_this}, a brace in the text doubled: {{ or }}"),
        ("{}", "column 1: an expression is written {like_this}, a brace in the text doubled: {{ or }}"),
        ("a {1 +} b", "in {1 +}: col 4: the expression ends where a value is expected"),
    ],
)
def test_mistakes_are_told_with_their_place(source: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"column|in ") as caught:
        Template.parse(source)
    assert str(caught.value) == message


def test_its_expressions_are_known() -> None:
    assert Template.parse("{a} and {b + 1}").expressions == (Expression.parse("a"), Expression.parse("b + 1"))


@pytest.mark.parametrize("source", ["{" * 1999, "{a" * 600, "{'" * 1000, '{"a' * 600, "}" * 1999])
def test_odd_texts_are_refused_in_no_time(source: str) -> None:
    with pytest.raises(ValueError, match="column"):
        Template.parse(source)
