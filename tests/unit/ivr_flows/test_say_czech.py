"""Czech values as words, held against a table that covers each rule of `ivr_flows.say.cs` with its exceptions."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

from ivr_flows import say

GENDERS: tuple[say.Gender, ...] = ("masculine", "feminine", "neuter")


CARDINALS = (
    *(
        (0, "nula"),
        (1, "jedna"),
        (2, "dva"),
        (11, "jedenáct"),
        (14, "čtrnáct"),
        (15, "patnáct"),
        (19, "devatenáct"),
    ),
    *((20, "dvacet"), (21, "dvacet jedna"), (40, "čtyřicet"), (90, "devadesát"), (99, "devadesát devět")),
    *((100, "sto"), (200, "dvě stě"), (202, "dvě stě dva"), (300, "tři sta"), (345, "tři sta čtyřicet pět")),
    *((500, "pět set"), (999, "devět set devadesát devět")),
    *((1000, "tisíc"), (1001, "tisíc jedna"), (2000, "dva tisíce"), (4000, "čtyři tisíce"), (5000, "pět tisíc")),
    *((12_000, "dvanáct tisíc"), (21_000, "dvacet jedna tisíc"), (22_000, "dvacet dva tisíce")),
    *((101_000, "sto jedna tisíc"), (112_000, "sto dvanáct tisíc")),
    *((1_000_000, "milion"), (3_000_000, "tři miliony"), (5_000_000, "pět milionů")),
    *((14_000_000, "čtrnáct milionů"), (21_000_000, "dvacet jedna milionů")),
    (34_001_002, "třicet čtyři miliony tisíc dva"),
    (999_999_999, "devět set devadesát devět milionů devět set devadesát devět tisíc devět set devadesát devět"),
    (-7, "minus sedm"),
)


@pytest.mark.req("R22")
@pytest.mark.parametrize(("value", "words"), CARDINALS)
def test_cardinals(value: int, words: str) -> None:
    assert say.number(value, "cs").text == words


@pytest.mark.req("R22")
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1, ("jeden", "jedna", "jedno")),
        (2, ("dva", "dvě", "dvě")),
        (3, ("tři", "tři", "tři")),
        (12, ("dvanáct", "dvanáct", "dvanáct")),
        (31, ("třicet jeden", "třicet jedna", "třicet jedno")),
        (42, ("čtyřicet dva", "čtyřicet dvě", "čtyřicet dvě")),
        (2002, ("dva tisíce dva", "dva tisíce dvě", "dva tisíce dvě")),
    ],
)
def test_gender_is_that_of_the_last_word_alone(value: int, words: tuple[str, ...]) -> None:
    assert tuple(say.number(value, "cs", gender).text for gender in GENDERS) == words


ORDINALS = (
    (0, ("nultý", "nultá", "nulté")),
    (1, ("první", "první", "první")),
    (2, ("druhý", "druhá", "druhé")),
    (3, ("třetí", "třetí", "třetí")),
    (4, ("čtvrtý", "čtvrtá", "čtvrté")),
    (5, ("pátý", "pátá", "páté")),
    (9, ("devátý", "devátá", "deváté")),
    (10, ("desátý", "desátá", "desáté")),
    (11, ("jedenáctý", "jedenáctá", "jedenácté")),
    (20, ("dvacátý", "dvacátá", "dvacáté")),
    (23, ("dvacátý třetí", "dvacátá třetí", "dvacáté třetí")),
    (55, ("padesátý pátý", "padesátá pátá", "padesáté páté")),
    (100, ("stý", "stá", "sté")),
    (101, ("sto první", "sto první", "sto první")),
    (112, ("sto dvanáctý", "sto dvanáctá", "sto dvanácté")),
    (240, ("dvě stě čtyřicátý", "dvě stě čtyřicátá", "dvě stě čtyřicáté")),
    (500, ("pětistý", "pětistá", "pětisté")),
    (1000, ("tisící", "tisící", "tisící")),
    (1100, ("tisíc stý", "tisíc stá", "tisíc sté")),
    (2000, ("dvoutisící", "dvoutisící", "dvoutisící")),
    (2003, ("dva tisíce třetí", "dva tisíce třetí", "dva tisíce třetí")),
    (9000, ("devítitisící", "devítitisící", "devítitisící")),
    (10_000, ("desetitisící", "desetitisící", "desetitisící")),
    (20_000, ("dvacetitisící", "dvacetitisící", "dvacetitisící")),
    (23_000, ("třiadvacetitisící", "třiadvacetitisící", "třiadvacetitisící")),
)


@pytest.mark.req("R22")
@pytest.mark.parametrize(("value", "words"), ORDINALS)
def test_ordinals(value: int, words: tuple[str, ...]) -> None:
    assert tuple(say.ordinal(value, "cs", gender).text for gender in GENDERS) == words


COUNTED = (
    *((0, "minute", "nula minut"), (1, "minute", "jedna minuta"), (2, "minute", "dvě minuty")),
    *((4, "minute", "čtyři minuty"), (5, "minute", "pět minut"), (12, "minute", "dvanáct minut")),
    *((20, "minute", "dvacet minut"), (21, "minute", "dvacet jedna minut"), (22, "minute", "dvacet dva minut")),
    *((25, "minute", "dvacet pět minut"), (100, "minute", "sto minut"), (101, "minute", "sto jedna minut")),
    *((102, "minute", "sto dvě minuty"), (104, "call", "sto čtyři hovory"), (112, "call", "sto dvanáct hovorů")),
    *((1, "day", "jeden den"), (3, "day", "tři dny"), (7, "day", "sedm dní")),
    *((1, "caller", "jeden volající"), (2, "caller", "dva volající"), (6, "caller", "šest volajících")),
    *((1, "agent", "jeden operátor"), (2, "agent", "dva operátoři"), (5, "agent", "pět operátorů")),
    *((1, "message", "jedna zpráva"), (2, "message", "dvě zprávy"), (8, "message", "osm zpráv")),
    *((1, "second", "jedna sekunda"), (2, "hour", "dvě hodiny"), (21, "hour", "dvacet jedna hodin")),
    (-2, "hour", "minus dvě hodiny"),
)


@pytest.mark.req("R22")
@pytest.mark.parametrize(("value", "noun", "words"), COUNTED)
def test_counted_things(value: int, noun: say.Noun, words: str) -> None:
    assert say.count(value, noun, "cs").text == words


@pytest.mark.req("R22")
@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        ("0", "CZK", "nula korun"),
        ("1", "CZK", "jedna koruna"),
        ("1.50", "CZK", "jedna koruna padesát"),
        ("2.05", "CZK", "dvě koruny pět haléřů"),
        ("5.01", "CZK", "pět korun jeden haléř"),
        ("0.50", "CZK", "padesát haléřů"),
        ("0.02", "CZK", "dva haléře"),
        ("22.10", "CZK", "dvacet dva korun deset"),
        ("102", "CZK", "sto dvě koruny"),
        ("1234.56", "CZK", "tisíc dvě stě třicet čtyři korun padesát šest"),
        ("-3", "CZK", "minus tři koruny"),
        ("1", "EUR", "jedno euro"),
        ("2.04", "EUR", "dvě eura čtyři centy"),
        ("5", "EUR", "pět eur"),
        ("1", "USD", "jeden dolar"),
        ("3", "GBP", "tři libry"),
        ("0.01", "GBP", "jedna pence"),
        ("0.994", "CZK", "devadesát devět haléřů"),
        ("0.995", "CZK", "jedna koruna"),
    ],
)
def test_money(amount: str, currency: say.Currency, words: str) -> None:
    assert say.money(Decimal(amount), currency, "cs").text == words


@pytest.mark.req("R22")
@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2026-11-23", "dvacátého třetího listopadu dva tisíce dvacet šest"),
        ("2000-01-01", "prvního ledna dva tisíce"),
        ("1989-03-02", "druhého března devatenáct set osmdesát devět"),
        ("1900-12-31", "třicátého prvního prosince devatenáct set"),
        ("1066-07-30", "třicátého července tisíc šedesát šest"),
        ("2001-06-12", "dvanáctého června dva tisíce jedna"),
    ],
)
def test_dates(day: str, words: str) -> None:
    assert say.date(datetime.date.fromisoformat(day), "cs").text == words


def test_all_days_of_a_month_and_all_months() -> None:
    days = [
        "prvního",
        "druhého",
        "třetího",
        "čtvrtého",
        "pátého",
        "šestého",
        "sedmého",
        "osmého",
        "devátého",
        "desátého",
        "jedenáctého",
    ]
    days += [
        "dvanáctého",
        "třináctého",
        "čtrnáctého",
        "patnáctého",
        "šestnáctého",
        "sedmnáctého",
        "osmnáctého",
        "devatenáctého",
    ]
    tens = {20: "dvacátého", 30: "třicátého"}
    days += [tens[value - value % 10] + (f" {days[value % 10 - 1]}" if value % 10 else "") for value in range(20, 32)]
    months = [
        "ledna",
        "února",
        "března",
        "dubna",
        "května",
        "června",
        "července",
        "srpna",
        "září",
        "října",
        "listopadu",
        "prosince",
    ]
    for number, month in enumerate(months, 1):
        assert say.date(datetime.date(2026, number, 5), "cs", with_year=False).text == f"pátého {month}"
    for number, day in enumerate(days, 1):
        assert say.date(datetime.date(2026, 1, number), "cs", with_year=False).text == f"{day} ledna"


@pytest.mark.req("R22")
@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("14:30", "čtrnáct hodin třicet minut"),
        ("00:00", "nula hodin"),
        ("01:01", "jedna hodina jedna minuta"),
        ("02:02", "dvě hodiny dvě minuty"),
        ("05:00", "pět hodin"),
        ("21:22", "dvacet jedna hodin dvacet dva minut"),
    ],
)
def test_times(at: str, words: str) -> None:
    assert say.time(datetime.time.fromisoformat(at), "cs").text == words


@pytest.mark.req("R22")
@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "nula sekund"),
        (1, "jedna sekunda"),
        (120, "dvě minuty"),
        (150, "dvě minuty třicet sekund"),
        (3600, "jedna hodina"),
        (93_784, "jeden den dvě hodiny tři minuty čtyři sekundy"),
        (5 * 86_400, "pět dní"),
    ],
)
def test_durations(seconds: int, words: str) -> None:
    assert say.duration(seconds, "cs").text == words


@pytest.mark.req("R22", "R30")
def test_the_place_in_the_queue() -> None:
    assert say.position(3, "cs").text == "jste třetí v pořadí"
    assert say.position(2, "cs").text == "jste druhý v pořadí"
    assert say.position(2, "cs", "feminine").text == "jste druhá v pořadí"
    assert say.position(3, "en").text == "you are third in the queue"


@pytest.mark.req("R22", "R30")
@pytest.mark.parametrize(
    ("low_s", "high_s", "czech", "english"),
    [
        (0, 59, "méně než minutu", "less than a minute"),
        (0, 60, "asi jednu minutu", "about one minute"),
        (59, 61, "jednu až dvě minuty", "between one and two minutes"),
        (119, 120, "jednu až dvě minuty", "between one and two minutes"),
        (120, 120, "asi dvě minuty", "about two minutes"),
        (120, 240, "dvě až čtyři minuty", "between two and four minutes"),
        (240, 299, "čtyři až pět minut", "between four and five minutes"),
        (300, 600, "pět až deset minut", "between five and ten minutes"),
        (1260, 1320, "dvacet jedna až dvacet dva minut", "between twenty one and twenty two minutes"),
        (6000, 6120, "sto až sto dvě minuty", "between one hundred and one hundred and two minutes"),
    ],
)
def test_how_long_the_caller_will_wait(low_s: int, high_s: int, czech: str, english: str) -> None:
    assert say.wait(low_s, high_s, "cs").text == f"budete čekat {czech}"
    assert say.wait(low_s, high_s, "en").text == f"expect to wait {english}"
