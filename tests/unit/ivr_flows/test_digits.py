"""Patterns and check digits for what callers type."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr_flows.digits import PATTERN, ico, luhn, matches, never_fits, rodne_cislo

KEYS = "0123456789*#"


@pytest.mark.parametrize(
    ("pattern", "typed", "fits"),
    [
        ("XXX", "123", True),
        ("XXX", "12", False),
        ("XXX", "1234", False),
        ("X", "*", False),
        ("Z", "0", False),
        ("Z", "1", True),
        ("N", "1", False),
        ("N", "2", True),
        ("[15-7]X", "60", True),
        ("[15-7]X", "20", False),
        ("[*#]1", "#1", True),
        ("420.", "420", True),
        ("420.", "420777", True),
        ("420.", "42", False),
        ("*21*X.", "*21*600", True),
        ("1", "", False),
    ],
)
def test_patterns(pattern: str, typed: str, fits: bool) -> None:
    assert re.fullmatch(PATTERN, pattern)
    assert matches(pattern, typed) is fits


@settings(max_examples=200, deadline=None)
@given(st.from_regex(PATTERN, fullmatch=True), st.text(KEYS, max_size=40))
def test_every_pattern_can_be_asked(pattern: str, typed: str) -> None:
    assert not (never_fits(pattern) and matches(pattern, typed))


@pytest.mark.parametrize("number", ["79927398713", "4111111111111111", "00"])
def test_luhn(number: str) -> None:
    assert luhn(number)
    assert not luhn(number[:-1] + str((int(number[-1]) + 1) % 10))


@pytest.mark.parametrize("number", ["27082440", "00006947", "45274649", "60193336", "25596641"])
def test_ico(number: str) -> None:
    assert ico(number)
    assert not ico(number[:-1] + str((int(number[-1]) + 1) % 10))


@pytest.mark.parametrize(
    ("number", "right"),
    [
        ("8501010012", True),
        ("8501010011", False),
        ("8551010017", True),
        ("530101001", True),
        ("540101001", False),
        ("8513010019", False),
        ("8501320014", False),
        ("0421010018", True),
        ("042101001", False),
        ("8005010000", False),
    ],
    ids=[
        *("man", "wrong digit", "woman", "nine digits until 1953", "nine digits later", "month 13", "day 32"),
        *("month +20", "month +20 with nine digits", "remainder"),
    ],
)
def test_rodne_cislo(number: str, right: bool) -> None:
    assert rodne_cislo(number) is right


def test_a_remainder_of_ten_was_written_as_zero_until_1985() -> None:
    old = next(str(number) for number in range(780101000, 780101999) if number % 11 == 10)
    assert rodne_cislo(old + "0")
    new = next(str(number) for number in range(860101000, 860101999) if number % 11 == 10)
    assert not rodne_cislo(new + "0")


@pytest.mark.parametrize("check", [luhn, ico, rodne_cislo])
@pytest.mark.parametrize("typed", ["", "1", "*", "12#", "²²²²²²²²", "١٢٣٤٥٦٧٨", "9" * 39])
def test_what_is_no_number_is_refused(check: object, typed: str) -> None:
    assert callable(check)
    assert check(typed) is False
