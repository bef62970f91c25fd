"""The expression language: what it gives, what it refuses, and that it can neither fail nor run long."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr_flows.expressions import (
    NUMBER_LIMIT,
    TEXT_LENGTH,
    Expression,
    ExpressionError,
    Type,
    UnknownName,
    Value,
    number,
    text,
    type_of,
)
from ivr_flows.expressions.functions import FUNCTIONS
from ivr_flows.expressions.syntax import MAX_LENGTH
from ivr_flows.expressions.values import BINARY

VALUES: dict[str, Value] = {"word": "Praha", "count": 3, "yes": True, "empty": "", "call.ani": "+420601234567"}
TYPES: dict[str, Type] = {"word": "string", "count": "number", "yes": "boolean", "empty": "string"}


def value(source: str) -> Value:
    return Expression.parse(source).evaluate(VALUES.get)


@pytest.mark.req("R21")
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1", 1),
        ("-1", -1),
        ("--1", 1),
        ("'a'", "a"),
        ('"it\'s"', "it's"),
        (r"'it\'s \\'", "it's \\"),
        ("true", True),
        ("word", "Praha"),
        ("count + 1", 4),
        ("count - 1 - 1", 1),
        ("word + '-' + count", "Praha-3"),
        ("yes + ''", "true"),
        ("count == 3", True),
        ("count != 3", False),
        ("count >= 3 and count <= 3", True),
        ("count < 3 or count > 2", True),
        ("not yes", False),
        ("not count == 4", True),
        ("not yes or yes", True),
        ("yes or yes and false", True),
        ("(yes or yes) and false", False),
        ("'b' > 'a'", True),
        ("'rah' in word", True),
        ("'x' not in word", True),
        ("count in [1, 2, 3]", True),
        ("word in ['Brno', 'Praha']", True),
        ("word not in ['Brno']", True),
        ("startswith(call.ani, '+420')", True),
        ("endswith(call.ani, '7')", True),
        ("len(word)", 5),
        ("lower(word) + upper(word)", "prahaPRAHA"),
        ("digits(call.ani)", "420601234567"),
        ("number('0042') + 1", 43),
        ("number('-5')", -5),
        ("number(digits(call.ani)) > 0", True),
        ("text(count) == '3'", True),
        ("count * 4 + 1", 13),
        ("1 + count * 4", 13),
        ("(1 + count) * 4", 16),
        ("7 // 2 * 2", 6),
        ("7 % 4", 3),
        ("-7 // 2", -4),
        ("-7 % 4", 1),
        ("12 // 5 % 2", 0),
        ("trim('  a b ')", "a b"),
        ("left(word, 2) + right(word, 2)", "Prha"),
        ("right(word, 9)", "Praha"),
        ("right(word, 0)", ""),
        ("mid(word, 2, 3)", "rah"),
        ("replace(call.ani, '+420', '0')", "0601234567"),
        ("matches(word, '^P.*a$')", True),
        ("matches(word, 'rah')", True),
        ("matches(word, '(?i)^PRAHA$')", True),
        ("matches(call.ani, '^[+]420[67][0-9]{8}$')", True),
        ("matches(call.ani, '^[0-9]+$')", False),
        ("count ==\n3", True),
    ],
)
def test_values(source: str, expected: Value) -> None:
    found = value(source)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("word + 1 + yes", "Praha1true"),
        ("word - 1", -1),
        ("yes - yes", 0),
        ("word < 1", False),
        ("yes < yes", False),
        ("1 == '1'", False),
        ("1 != '1'", True),
        ("true == 1", False),
        ("1 in '123'", True),
        ("[1]", False),
        ("number('x')", 0),
        ("number('1234567890123456')", 0),
        ("number('٣')", 0),
        ("number(true)", 1),
        ("len(count)", 1),
        ("nobody", ""),
        ("999999999999999 + 999999999999999", NUMBER_LIMIT),
        ("-999999999999999 - 999999999999999", -NUMBER_LIMIT),
        ("999999999999999 * 999999999999999", NUMBER_LIMIT),
        ("count // 0", 0),
        ("count % 0", 0),
        ("word * 2", 0),
        ("left(word, -1)", ""),
        ("right(word, -1)", ""),
        ("mid(word, 0, 2)", "Pr"),
        ("mid(word, 9, 2)", ""),
        ("replace(word, '', 'x')", "Praha"),
        ("matches(count, '3')", True),
    ],
)
def test_what_the_types_forbid_is_defined_all_the_same(source: str, expected: Value) -> None:
    assert value(source) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "col 1: the expression ends where a value is expected"),
        ("   ", "col 4: the expression ends where a value is expected"),
        ("1 +", "col 4: the expression ends where a value is expected"),
        ("a = 1", "col 3: '=' isn't known; equality is written '=='"),
        ("a && b", "col 3: '&' isn't known; write 'and', 'or', 'not'"),
        ("!a", "col 1: '!' isn't known; write 'and', 'or', 'not'"),
        ("a / 2", "col 3: '/' isn't known; numbers are whole and divided with '//'"),
        ("a.b()", "col 1: the function 'a.b' isn't known; there are len, lower, upper, startswith, "),
        ("eval('1')", "col 1: the function 'eval' isn't known"),
        ("__import__('os')", "col 1: the function '__import__' isn't known"),
        ("Word", "col 1: names are written in small letters, not 'W'"),
        ("'abc", "col 1: the text that begins here isn't closed with '"),
        ("1 2", "col 3: '2' isn't expected here"),
        ("(1", "col 3: ')' is missing for '(' at col 1"),
        ("a in [1, 2", "col 11: ']' is missing for '[' at col 6"),
        ("[]", "col 2: a value is expected, not ']'"),
        ("1 < 2 < 3", "col 7: '<' follows another comparison; join the two with 'and'"),
        ("a in b in c", "col 8: 'in' follows another comparison; join the two with 'and'"),
        ("a not b", "col 7: after a value, 'not' must be followed by 'in'"),
        ("len()", "col 1: 'len' takes 1 argument, not 0"),
        ("startswith('a')", "col 1: 'startswith' takes 2 arguments, not 1"),
        ("1234567890123456", "col 1: a number has at most 15 digits; write longer ones as text"),
        ("(" * 21 + "1" + ")" * 21, "col 1: more than 20 levels within each other"),
        ("not " * 21 + "a", "col 1: more than 20 levels within each other"),
        ("-" * 21 + "1", "col 1: more than 20 levels within each other"),
        ("1" + "+1" * 51, "col 102: more than 50 operators; use 'in [...]' or 'set' nodes"),
        ("1" * 501, "col 501: an expression has at most 500 characters"),
        ("a\x00", "col 2: a sign that isn't known"),
        ("a,1:", "col 2: ',' isn't expected here"),
        ("1 +* 2", "col 4: a value is expected, not '*'"),
        ("(1 2", "col 4: ')' is missing for '(' at col 1"),
        ("'a\\d'", "col 1: the text that begins here isn't closed with ', or has a lone \\ in it"),
        ("len(1" + "+1" * 26 + ") + len(1" + "+1" * 25 + ")", "col 60: more than 50 operators"),
        ("1 in [" + ", ".join(["1+1"] * 51) + "]", "col 6: more than 50 operators"),
        ("replace('a', 'b')", "col 1: 'replace' takes 3 arguments, not 2"),
        ("matches('a', word)", "col 14: the pattern of 'matches' must be written out as text"),
        ("matches(word, '(')", "col 15: the pattern can't be read: missing ): ("),
        ("matches(word, '(?=a)')", "col 15: the pattern can't be read: invalid perl operator: (?="),
        ("matches(word, '((a{99}){99}){99}')", "col 15: the pattern can't be read: invalid repetition size: {99}"),
    ],
)
def test_mistakes_are_told_with_their_column(source: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Expression.parse(source)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("word", "string"),
        ("count + 1", "number"),
        ("word + count", "string"),
        ("len(word)", "number"),
        ("yes and count", "boolean"),
        ("call.started_ms", "number"),
        ("call.attributes.anything", "string"),
        ("'a' in word", "boolean"),
        ("digits(count)", "string"),
        ("count * 2 // 3 % 4", "number"),
        ("left(word, count)", "string"),
        ("matches(word, 'a')", "boolean"),
    ],
)
def test_types(source: str, expected: Type) -> None:
    assert type_of(Expression.parse(source).tree, TYPES.get) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("word == 1", "col 6: text is compared with a number, which is never true; convert with number(…) or text(…)"),
        ("yes < yes", "col 5: '<' can't be used on true and false"),
        ("yes + 1", "col 5: '+' can't be used on true or false and a number"),
        ("word - 1", "col 6: '-' can't be used on text and a number"),
        ("-word", "col 2: '-' works on numbers, not on text; convert with number(…)"),
        ("1 in word", "col 3: 'in' looks for text in a text, or for a value in a list like [1, 2]"),
        ("word in ['a', 1]", "col 15: text is looked for, but this is a number"),
        ("lower(1)", "col 7: 'lower' works on text, not on a number"),
        ("['a'] == 'a'", "col 1: a list is allowed only to the right of 'in'"),
        ("word * 2", "col 6: '*' can't be used on text and a number"),
        ("left(word, word)", "col 12: 'left' works on a number, not on text"),
        ("matches(count, 'a')", "col 9: 'matches' works on text, not on a number"),
        ("len", "col 1: 'len' is a function and needs brackets: len(…)"),
    ],
)
def test_parts_that_do_not_fit(source: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        type_of(Expression.parse(source).tree, TYPES.get)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["nobody", "call", "call.nobody", "call.attributes", "call.attributes.a.b"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(UnknownName) as caught:
        type_of(Expression.parse(f"1 == {name}").tree, TYPES.get)
    assert caught.value.name == name
    assert str(caught.value) == f"col 6: '{name}' isn't known"


def test_it_tells_what_it_reads() -> None:
    expression = Expression.parse("a + -b == len(c) and d in [e, call.ani] or not f")
    assert expression.names == {"a", "b", "c", "d", "e", "f", "call.ani"}
    assert expression == Expression.parse(expression.source)


_ATOM = st.sampled_from(["1", "0", "'a'", "''", "true", "word", "count", "yes", "empty", "call.ani", "nobody"])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operator = st.sampled_from(["+", "-", "*", "//", "%", "==", "!=", "<", ">=", "in", "not in", "and", "or"])
    return st.one_of(
        st.tuples(inner, operator, inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda part: f"not {part}"),
        inner.map(lambda part: f"-{part}"),
        st.tuples(st.sampled_from(["len", "lower", "digits", "number", "text"]), inner).map(
            lambda p: f"{p[0]}({p[1]})"
        ),
        st.tuples(inner, inner).map(lambda p: f"startswith({p[0]}, {p[1]})"),
        st.tuples(inner, inner, inner).map(lambda p: f"({p[0]} in [{p[1]}, {p[2]}])"),
        st.tuples(inner, inner, inner).map(lambda p: f"replace({p[0]}, {p[1]}, {p[2]})"),
        st.tuples(inner, inner, inner).map(lambda p: f"mid({p[0]}, {p[1]}, {p[2]})"),
        st.tuples(inner, st.sampled_from(["a+", "^[0-9]*$", "(a|b)*c"])).map(lambda p: f"matches({p[0]}, '{p[1]}')"),
    )


_ANY_VALUE = st.one_of(st.text(max_size=1100), st.integers(), st.booleans())


@settings(max_examples=300, deadline=1000)
@given(st.recursive(_ATOM, _larger, max_leaves=25), st.dictionaries(st.sampled_from(list(VALUES)), _ANY_VALUE))
def test_what_can_be_read_gives_a_bounded_value(source: str, values: dict[str, Value]) -> None:
    try:
        expression = Expression.parse(source)
    except ExpressionError:
        return  # too large, or `not` where a value is expected
    found = expression.evaluate(values.get)
    assert expression.evaluate(values.get) == found
    assert len(text(found)) <= TEXT_LENGTH
    assert isinstance(found, str) or abs(found) <= NUMBER_LIMIT
    try:
        typed = type_of(expression.tree, TYPES.get)
    except ExpressionError:
        return
    real = expression.evaluate(lambda name: VALUES.get(name, ""))
    assert typed == {str: "string", int: "number", bool: "boolean"}[type(real)]


@settings(max_examples=300, deadline=1000)
@given(st.one_of(st.text(max_size=60), st.text("()[]'\"+-*/%<>=!., \\ndortifalse019_", max_size=80)))
def test_whatever_is_typed_is_read_or_refused_with_a_column(source: str) -> None:
    col = 1
    try:
        Expression.parse(source).evaluate(VALUES.get)
    except ExpressionError as error:
        col = error.col
    assert 1 <= col <= len(source) + 1


@settings(max_examples=200, deadline=1000)
@given(_ANY_VALUE, _ANY_VALUE)
def test_every_operation_is_defined_for_all_values(left: Value, right: Value) -> None:
    results: list[Any] = [operation(left, right) for operation in BINARY.values()]
    for function in FUNCTIONS.values():
        results.append(function.run(*[left, right, left][: len(function.parameters)]))
    for result in results:
        assert isinstance(result, str | int | bool)
        assert len(text(result)) <= TEXT_LENGTH
        assert abs(number(result)) <= NUMBER_LIMIT


@pytest.mark.parametrize("sign", ["'", "(", "[", "-", "not ", "a+", "a in ", "len(", "\\", " ", "9", "a."])
def test_the_longest_text_takes_no_time(sign: str) -> None:
    source = (sign * MAX_LENGTH)[:MAX_LENGTH]
    before = time.perf_counter()
    for _ in range(10):
        with pytest.raises(ExpressionError):
            Expression.parse(source)
    assert time.perf_counter() - before < 1


@pytest.mark.req("R21")
def test_the_place_is_shown_below_the_message() -> None:
    source = "tries > 3 and\n  problem = 'x'"
    with pytest.raises(ExpressionError) as caught:
        Expression.parse(source)
    assert caught.value.pointed(source).splitlines() == [
        "line 2, col 11: '=' isn't known; equality is written '=='",
        "      problem = 'x'",
        "              ^",
    ]


def test_only_the_surroundings_of_a_place_far_to_the_right_are_shown() -> None:
    source = "1" + " + 1" * 40 + " +"
    with pytest.raises(ExpressionError) as caught:
        Expression.parse(source)
    _, shown, caret = caught.value.pointed(source).splitlines()
    assert len(shown) < 130
    assert caret.index("^") == len(shown)


@pytest.mark.parametrize(
    "source",
    [
        "matches(text, '(a+)+$')",
        "matches(text, '(a|a)*b')",
        "matches(text, '^(([a-z])+.)+[A-Z]([a-z])+$')",
        "matches(text, '" + "a?" * 50 + "a" * 50 + "')",
        "replace(replace(replace(text, 'a', text), 'a', text), 'a', text) == ''",
        "len(" + " + ".join(["text"] * 50) + ") > 0",
        "upper(lower(upper(lower(text + text + text)))) in text",
    ],
)
def test_an_expression_that_would_explode_is_quick(source: str) -> None:
    expression = Expression.parse(source.replace("text", "words"))
    before = time.perf_counter()
    expression.evaluate({"words": "a" * TEXT_LENGTH}.get)
    assert time.perf_counter() - before < 0.1


def test_half_of_a_surrogate_pair_matches_nothing_and_breaks_nothing() -> None:
    assert Expression.parse("matches(word, '^a$')").evaluate({"word": "\ud800"}.get) is False
    with pytest.raises(ExpressionError, match="surrogate"):
        Expression.parse("matches(word, '\ud800')")
