"""Values as words and as pieces: all numbers to 10,000, English against another implementation."""

from __future__ import annotations

import datetime
import functools
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from num2words import num2words

from ivr_flows import say
from ivr_flows.instructions import Pause, Spoken
from ivr_flows.say import values

GENDERS: tuple[say.Gender, ...] = ("masculine", "feminine", "neuter")


def theirs(value: int | Decimal, **how: str) -> str:
    """num2words without its punctuation, which is not heard."""
    return num2words(value, lang="en", **how).replace("-", " ").replace(",", "")  # type: ignore[no-any-return]


class TestAllNumbersTo10000:
    """Each number is said, in words that no other number has, in pieces that speak just these words."""

    @pytest.mark.req("R22")
    @pytest.mark.parametrize("language", say.LANGUAGES)
    def test_no_two_sound_alike(self, language: str) -> None:
        assert len({say.number(value, language).text for value in range(10_001)}) == 10_001
        assert len({say.ordinal(value, language).text for value in range(10_001)}) == 10_001

    @pytest.mark.req("R22")
    def test_czech_gender_changes_the_last_word_alone(self) -> None:
        for value in range(10_001):
            for spoken in (say.number, say.ordinal):
                said = [spoken(value, "cs", gender).text.split() for gender in GENDERS]
                assert len({len(words) for words in said}) == 1
                tail = 2 if spoken is say.ordinal and value % 100 > 20 and value % 10 else 1
                assert len({tuple(words[:-tail]) for words in said}) == 1

    @pytest.mark.req("R22")
    def test_czech_counted_things_stand_in_one_of_three_forms(self) -> None:
        for value in range(10_001):
            last = say.count(value, "call", "cs").text.split()[-1]
            few = value % 100 in (2, 3, 4)
            assert last == ("hovor" if value == 1 else "hovory" if few else "hovorů"), value

    @pytest.mark.req("R22")
    def test_english_is_what_another_implementation_says(self) -> None:
        for value in range(10_001):
            assert say.number(value, "en").text == theirs(value)
            assert say.ordinal(value, "en").text == theirs(value, to="ordinal"), value

    @pytest.mark.req("R22")
    @pytest.mark.parametrize("language", say.LANGUAGES)
    def test_every_number_is_recorded(self, language: str) -> None:
        for value in range(10_001):
            assert heard(say.number(value, language)) == say.number(value, language).text
            assert heard(say.ordinal(value, language)) == say.ordinal(value, language).text
            assert heard(say.count(value, "hour", language)) == say.count(value, "hour", language).text

    @pytest.mark.req("R22")
    def test_czech_is_what_another_implementation_says(self) -> None:
        with_set = ("pět", "šest", "sedm", "osm", "devět")
        hundreds = ("dvě stě", "tři sta", "čtyři sta", *(f"{word} set" for word in with_set))
        for value in range(10_001):  # written as one word there, which is heard no differently
            ours = functools.reduce(lambda text, each: text.replace(each, each.replace(" ", "")), hundreds, said(value))
            assert ours == num2words(value, lang="cs")


def said(value: int) -> str:
    return say.number(value, "cs").text


def heard(spoken: Spoken) -> str:
    """What the pieces say one after the other."""
    assert spoken.pieces, spoken
    return " ".join(say.pieces(spoken.language)[piece] for piece in spoken.pieces)


@pytest.mark.req("R22")
@settings(max_examples=300, deadline=None)
@given(st.integers(-say.LIMIT, say.LIMIT))
def test_larger_numbers(value: int) -> None:
    assert say.number(value, "en").text == theirs(value)
    for language in say.LANGUAGES:
        assert heard(say.number(value, language, "neuter")) == say.number(value, language, "neuter").text


@pytest.mark.req("R22")
@settings(max_examples=200, deadline=None)
@given(st.dates(datetime.date(1100, 1, 1), datetime.date(2999, 12, 31)))
def test_every_day_is_recorded_and_english_years_are_those_of_another_implementation(day: datetime.date) -> None:
    for language in say.LANGUAGES:
        assert heard(say.date(day, language)) == say.date(day, language).text
    assert say.date(day, "en").text.endswith(theirs(day.year, to="year"))


@pytest.mark.req("R22")
@settings(max_examples=200, deadline=None)
@given(st.decimals(-say.LIMIT, say.LIMIT, places=2), st.sampled_from(["CZK", "EUR", "USD", "GBP"]))
def test_every_amount_is_recorded(amount: Decimal, currency: say.Currency) -> None:
    for language in say.LANGUAGES:
        assert heard(say.money(amount, currency, language)) == say.money(amount, currency, language).text


def test_every_time_and_duration_is_recorded() -> None:
    for language in say.LANGUAGES:
        for minute in range(24 * 60):
            spoken = say.time(datetime.time(*divmod(minute, 60)), language)
            assert heard(spoken) == spoken.text
            assert heard(say.duration(minute * 61, language))
            for more_s in (0, 59, 240):
                assert heard(say.wait(minute, minute + 1 + more_s, language))


@pytest.mark.req("R22")
@pytest.mark.parametrize(
    ("spoken", "words"),
    [
        (say.time(datetime.time(14, 30), "en"), "two thirty p.m."),
        (say.time(datetime.time(0, 0), "en"), "midnight"),
        (say.time(datetime.time(12, 0), "en"), "noon"),
        (say.time(datetime.time(12, 5), "en"), "twelve oh five p.m."),
        (say.time(datetime.time(0, 10), "en"), "twelve ten a.m."),
        (say.date(datetime.date(2026, 11, 23), "en"), "the twenty third of November twenty twenty six"),
        (say.date(datetime.date(2026, 3, 1), "en", with_year=False), "the first of March"),
        (say.money(Decimal("1.01"), "GBP", "en"), "one pound and one penny"),
        (say.money(Decimal("0.50"), "CZK", "en"), "fifty hellers"),
        (say.money(Decimal("-2"), "USD", "en"), "minus two dollars"),
        (say.count(1, "message", "en"), "one message"),
        (say.count(0, "caller", "en"), "zero callers"),
        (say.duration(3661, "en"), "one hour one minute one second"),
    ],
)
def test_english(spoken: Spoken, words: str) -> None:
    assert spoken.text == words


class TestWhatCanNotBeSaid:
    @pytest.mark.parametrize("value", [say.LIMIT + 1, -say.LIMIT - 1, 10**15])
    def test_larger_numbers(self, value: int) -> None:
        with pytest.raises(say.CannotSay):
            say.number(value, "cs")

    @pytest.mark.parametrize("value", [-1, say.ORDINAL_LIMIT + 1])
    def test_ordinals_out_of_bounds(self, value: int) -> None:
        with pytest.raises(say.CannotSay):
            say.ordinal(value, "cs")

    def test_nobody_is_zeroth_in_a_queue_and_nothing_lasts_less_than_nothing(self) -> None:
        with pytest.raises(say.CannotSay):
            say.position(0, "en")
        with pytest.raises(say.CannotSay):
            say.duration(-1, "en")

    @pytest.mark.req("R30")
    @pytest.mark.parametrize(("low_s", "high_s"), [(0, 0), (60, 59), (-1, 60), (0, say.LIMIT + 1)])
    def test_a_wait_that_nobody_knows(self, low_s: int, high_s: int) -> None:
        with pytest.raises(say.CannotSay):
            say.wait(low_s, high_s, "en")

    @pytest.mark.parametrize("amount", ["NaN", "Infinity", "1000000000"])
    def test_amounts(self, amount: str) -> None:
        with pytest.raises(say.CannotSay):
            say.money(Decimal(amount), "CZK", "cs")

    @pytest.mark.parametrize("text", ["", " ", "12a", "²", "٣"])
    def test_what_is_no_digit(self, text: str) -> None:
        with pytest.raises(say.CannotSay):
            say.digits(text, "cs")

    @pytest.mark.parametrize("text", ["", "+", "anonymous", "1" * 41, "٣٤٥"])
    def test_what_is_no_telephone_number(self, text: str) -> None:
        with pytest.raises(say.CannotSay):
            say.phone(text, "cs")

    def test_a_language_without_grammar(self) -> None:
        with pytest.raises(say.CannotSay):
            say.pieces("de")
        with pytest.raises(say.CannotSay):
            say.piece("forty-two", "en")


def test_a_word_that_nobody_has_recorded_leaves_all_to_the_speech_engine() -> None:
    assert say.ordinal(23_000, "cs") == Spoken("třiadvacetitisící", "cs", ())


@pytest.mark.req("R22")
def test_digits_one_by_one() -> None:
    assert say.digits("+42 0*#", "en").pieces == ("plus", "4", "2", "0", "star", "hash")


@pytest.mark.req("R22")
@pytest.mark.parametrize(
    ("number", "language", "groups"),
    [
        ("+420601234567", "cs", ["601", "234", "567"]),
        ("+420601234567", "en", ["+420", "601", "234", "567"]),
        ("+442079460958", "cs", ["+44", "20", "7946", "0958"]),
        ("+12025550123", "en", ["+1", "202", "555", "0123"]),
        ("601234567", "cs", ["601", "234", "567"]),
        ("8003334", "cs", ["800", "3334"]),
        ("1001", "cs", ["1001"]),
        ("112", "cs", ["112"]),
        ("601 234-567", "en", ["601", "234", "567"]),
        ("+999123456", "en", ["+", "999", "123", "456"]),
        ("00420601234567", "cs", ["601", "234", "567"]),
        ("0044 20 7946 0958", "cs", ["+44", "20", "7946", "0958"]),
        ("00999123456", "cs", ["009", "991", "234", "56"]),
        ("0012", "cs", ["0012"]),
        ("00", "cs", ["00"]),
        ("+4915112345678", "cs", ["+49", "1511", "234", "5678"]),
        ("+493012345678901", "cs", ["+49", "30", "123", "456", "789", "01"]),
    ],
)
def test_telephone_numbers_in_groups(number: str, language: str, groups: list[str]) -> None:
    media = say.phone(number, language)
    assert [each for each in media if isinstance(each, Spoken)] == [say.digits(group, language) for group in groups]
    assert [each for each in media if isinstance(each, Pause)] == [Pause(say.GROUP_PAUSE_MS)] * (len(groups) - 1)


@pytest.mark.parametrize(
    ("given", "amount"),
    [
        (5, "5"),
        (1234, "1234"),
        ("1,50", "1.50"),
        (" 1 234.5 ", "1234.5"),
        ("-3", "-3"),
        ("0.1", "0.1"),
        ("2,5050", "2.505"),
    ],
)
def test_amounts_are_read_exactly(given: int | str, amount: str) -> None:
    assert values.amount(given) == Decimal(amount)


@pytest.mark.parametrize("given", ["", "a", "1,2,3", "NaN", "1e999999999", "9" * 41, "1,234", "1.234", "-12.000"])
def test_what_is_no_amount(given: str) -> None:
    with pytest.raises(say.CannotSay):
        say.money(values.amount(given), "CZK", "cs")


def test_moments_are_those_of_the_time_zone() -> None:
    utc_ms = 1_795_471_200_000  # 2026-11-23T22:00Z
    assert values.day(utc_ms + 3_600_000, "Europe/Prague") == datetime.date(2026, 11, 24)
    assert values.time(utc_ms, "Europe/Prague") == datetime.time(23, 0)
    assert values.time("2026-11-23T22:00:00Z", "Europe/Prague") == datetime.time(23, 0)
    assert values.time("2026-11-23T22:00", "Europe/Prague") == datetime.time(22, 0)
    assert values.time("22:00", "Asia/Tokyo") == datetime.time(22, 0)
    assert values.day(" 2026-11-23 ", "Asia/Tokyo") == datetime.date(2026, 11, 23)
    assert values.day("20261123", "Asia/Tokyo") == datetime.date(2026, 11, 23)
    assert values.day("1985-05-05", "Asia/Tokyo") == datetime.date(1985, 5, 5)
    assert values.day(946_684_800_000, "Europe/Prague") == datetime.date(2000, 1, 1)


@pytest.mark.req("R22")
@pytest.mark.parametrize(
    ("spoken", "words"),
    [
        (say.number(22_000, "cs"), "dvacet dva tisíce"),
        (say.money(Decimal(22), "CZK", "cs"), "dvacet dva korun"),
        (say.money(Decimal(22_000), "CZK", "cs"), "dvacet dva tisíce korun"),
        (say.number(22, "cs", "feminine"), "dvacet dvě"),
        (say.count(22, "minute", "cs"), "dvacet dva minut"),
    ],
)
def test_czech_compounds_that_end_in_two(spoken: Spoken, words: str) -> None:
    assert spoken.text == words


@pytest.mark.parametrize(
    "given", ["", "tomorrow", "2026-02-30", "2026-13-01T00:00", 10**18, -(10**18), 20261123, 0, True]
)
def test_what_is_no_day(given: str | int) -> None:
    with pytest.raises(say.CannotSay):
        values.day(given, "Europe/Prague")


@pytest.mark.parametrize("given", ["", "25:00", "noon", 10**18, "14:30+02:00", "14:30-05:00", "14:30Z", 1430])
def test_what_is_no_time(given: str | int) -> None:
    with pytest.raises(say.CannotSay):
        values.time(given, "Europe/Prague")


@pytest.mark.parametrize("name", ["", "Europe", "Europe/Praha", "../etc/passwd", "/etc/localtime", "a" * 64])
def test_what_is_no_time_zone(name: str) -> None:
    assert not values.is_zone(name)
    assert values.is_zone("Europe/Prague")
