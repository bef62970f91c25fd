"""Numbers in one form."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dialplan.faults import NumberingError
from dialplan.numbers import EMERGENCY_NUMBERS, NumberKind, is_emergency, normalise

SAFE = re.compile(r"[+]?[0-9*#]{1,20}")


@pytest.mark.req("R11")
@pytest.mark.parametrize(
    "raw",
    [
        "+420221234101",
        "00420221234101",
        "420221234101",
        "221234101",
        "221 234 101",
        "(221) 234-101",
        "+420 221.234/101",
        "sip:+420221234101@198.51.100.7:5060;user=phone",
        "<sip:221234101@pbx.example>",
        "tel:+420-221-234-101;phone-context=+420",
        "+420\u00a0221\u00a0234\u00a0101",
        " 221234101 ",
    ],
)
def test_every_form_of_a_public_number_is_the_same_number(raw: str) -> None:
    number = normalise(raw, "CZ")

    assert (number.kind, number.value) == (NumberKind.E164, "+420221234101")
    assert number == normalise("+420221234101", "CZ")
    assert number.dialable


@pytest.mark.req("R11")
@pytest.mark.parametrize("raw", ["2001", "20", "200123", "sip:2001@pbx.example", "0042"])
def test_few_digits_are_an_internal_extension(raw: str) -> None:
    expected = NumberKind.INVALID if raw.startswith("00") else NumberKind.EXTENSION

    assert normalise(raw, "CZ").kind is expected


@pytest.mark.req("R11")
@pytest.mark.parametrize(
    "raw",
    [
        "",
        "  ",
        "anonymous",
        "Anonymous",
        "Anonymous@anonymous.invalid",
        "sip:anonymous@anonymous.invalid",
        "<sip:anonymous@198.51.100.7>",
        "sip:c8oqz84zk7z@anonymous.invalid",
        "unknown",
        "restricted",
        "Restricted@198.51.100.7",
        "UNAVAILABLE",
    ],
)
def test_a_caller_who_hides_is_anonymous(raw: str) -> None:
    number = normalise(raw, "CZ")

    assert number.kind is NumberKind.ANONYMOUS
    assert (number.value, number.dialable, str(number)) == ("", False, "anonymous")


@pytest.mark.req("R13")
@pytest.mark.parametrize("emergency", sorted(EMERGENCY_NUMBERS))
@pytest.mark.parametrize("form", ["{}", "+{}", "00{}", "+420{}", "00420{}", "sip:{}@pbx.example", "tel:{}", " {} "])
def test_emergency_numbers_are_recognised_in_every_form(emergency: str, form: str) -> None:
    number = normalise(form.format(emergency), "CZ")

    assert (number.kind, number.value, number.emergency) == (NumberKind.SHORT, emergency, True)


@pytest.mark.req("R13")
def test_emergency_comes_before_extensions_and_is_not_found_inside_longer_numbers() -> None:
    assert normalise("112", "CZ", extension_digits=(3, 3)).emergency
    assert not normalise("1121", "CZ").emergency
    assert not normalise("221234112", "CZ").emergency
    assert normalise("911", "US").emergency
    assert not normalise("911", "CZ").emergency
    assert is_emergency("150", "DE")


def test_public_short_numbers_where_extensions_leave_room() -> None:
    assert normalise("1188", "CZ", extension_digits=(3, 3)).kind is NumberKind.SHORT
    assert normalise("116111", "CZ", extension_digits=(3, 4)).value == "116111"
    assert normalise("1188", "CZ").kind is NumberKind.EXTENSION


@pytest.mark.parametrize("raw", ["*45", "*21*2001#", "#31#"])
def test_feature_codes_are_kept_as_they_are(raw: str) -> None:
    assert (normalise(raw, "CZ").kind, normalise(raw, "CZ").value) == (NumberKind.CODE, raw)


@pytest.mark.parametrize(
    "raw",
    [
        "+",
        "00",
        "x",
        "0",
        "12345678",
        "0601234567",
        "6012345678",
        "+4206012345678901",
        "+999123456789",
        "221234101x5",
        "${system(id)}",
        "221234101\r\nX: y",
        "\u0662\u0662\u0661\u0662\u0663\u0664\u0661\u0660\u0661",
        "9" * 200,
        "jana",
        "#",
    ],
)
def test_what_is_no_number_is_invalid(raw: str) -> None:
    extension_digits = (3, 6)

    assert normalise(raw, "CZ", extension_digits=extension_digits).kind is NumberKind.INVALID


def test_other_countries() -> None:
    assert normalise("06 1234 5678", "IT").value == "+390612345678"
    assert normalise("(650) 253-0000", "US").value == "+16502530000"
    assert normalise("00420221234101", "US").value == "+420221234101"
    # A foreign range that no table knows yet must still reach us.
    assert normalise("+421999999999", "CZ").kind is NumberKind.E164


def test_a_plan_that_does_not_exist_is_refused_with_all_faults() -> None:
    with pytest.raises(NumberingError) as caught:
        normalise("1", "XX", extension_digits=(4, 3))

    assert str(caught.value) == (
        'country: "XX" is not a country with a numbering plan (ISO 3166, CZ)\n'
        "extension_digits: 4 to 3 is not a range within 1 to 8"
    )


_FORMS = st.one_of(
    st.text(),
    st.text(alphabet="0123456789+*# ()-./;@<>:siptelanoymu\u00a0\r\n", max_size=30),
    st.from_regex(r"(\+|00|)[0-9 ]{1,18}", fullmatch=True),
)


@settings(deadline=None)
@given(_FORMS)
@example("\ud800")
@example("sip:@")
@example("<>" * 40)
def test_any_text_gives_a_number_that_is_safe(raw: str) -> None:
    number = normalise(raw, "CZ")

    assert number.value == "" or SAFE.fullmatch(number.value)
    assert bool(number.value) == (number.kind not in (NumberKind.ANONYMOUS, NumberKind.INVALID))
    assert len(number.raw) <= 64
    assert number.raw.isprintable()


@settings(deadline=None)
@given(_FORMS)
def test_the_one_form_is_its_own_form(raw: str) -> None:
    number = normalise(raw, "CZ")

    if number.value:
        assert normalise(number.value, "CZ") == number


@pytest.mark.req("R11")
@settings(deadline=None)
@given(st.integers(min_value=0, max_value=999999))
def test_national_plus_and_double_zero_forms_agree(tail: int) -> None:
    national = f"601{tail:06}"

    forms = {normalise(form + national, "CZ") for form in ("", "+420", "00420", "420")}

    assert len(forms) == 1
