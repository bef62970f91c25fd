"""The words of Czech numbers, and the ordinals with their endings."""

from __future__ import annotations

from typing import Literal

UNITS = (
    *("nula", "jedna", "dva", "tři", "čtyři", "pět", "šest", "sedm", "osm", "devět"),
    *("deset", "jedenáct", "dvanáct", "třináct", "čtrnáct"),
    *("patnáct", "šestnáct", "sedmnáct", "osmnáct", "devatenáct"),
)
TENS = ("dvacet", "třicet", "čtyřicet", "padesát", "šedesát", "sedmdesát", "osmdesát", "devadesát")
HUNDREDS = ("sto", "dvě stě", "tři sta", "čtyři sta", "pět set", "šest set", "sedm set", "osm set", "devět set")
MONTHS = (
    *("ledna", "února", "března", "dubna", "května", "června"),
    *("července", "srpna", "září", "října", "listopadu", "prosince"),
)
"""In the genitive, as in dates."""

Form = Literal["masculine", "feminine", "neuter", "genitive"]
"""The nominative of each gender, and the genitive of masculine and neuter."""

_HARD: dict[Form, str] = {"masculine": "ý", "feminine": "á", "neuter": "é", "genitive": "ého"}
_SOFT: dict[Form, str] = {"masculine": "í", "feminine": "í", "neuter": "í", "genitive": "ího"}
_SOFT_STEMS = {1: "prvn", 3: "třet"}
_STEMS = {
    0: "nult",
    **dict(enumerate(("druh", "", "čtvrt", "pát", "šest", "sedm", "osm", "devát", "desát"), 2)),
    **{value: UNITS[value] for value in range(11, 20)},
    **dict(zip(range(20, 100, 10), ("dvacát", "třicát", "čtyřicát", "padesát", "šedesát"), strict=False)),
    70: "sedmdesát",
    80: "osmdesát",
    90: "devadesát",
    100: "st",
    200: "dvoust",
    300: "tříst",
    400: "čtyřst",
    500: "pětist",
    600: "šestist",
    700: "sedmist",
    800: "osmist",
    900: "devítist",
}
_PREFIXES = {
    **dict(enumerate(("", "dvou", "tří", "čtyř", "pěti", "šesti", "sedmi", "osmi", "devíti", "deseti"), 1)),
    **{value: f"{UNITS[value]}i" for value in range(11, 20)},
    **{20 + 10 * step: f"{word}i" for step, word in enumerate(TENS)},
}
_JOINED = ("", "jedna", "dvaa", "třia", "čtyřia", "pěta", "šesta", "sedma", "osma", "devěta")


def ordinal_word(value: int, form: Form) -> str:
    """The ordinal that is one word: up to 20, tens, hundreds, and thousands up to 99 000."""
    if value in _SOFT_STEMS:
        return _SOFT_STEMS[value] + _SOFT[form]
    if value in _STEMS:
        return _STEMS[value] + _HARD[form]
    thousands = value // 1000
    if thousands in _PREFIXES:
        return _PREFIXES[thousands] + "tisíc" + _SOFT[form]
    return _JOINED[thousands % 10] + _PREFIXES[thousands // 10 * 10] + "tisíc" + _SOFT[form]


def _ordinal_pieces() -> dict[str, str]:
    """Up to the ten thousandth: `3rd` where all forms sound alike but the genitive, `3rd-genitive`, `4th-feminine`."""
    pieces: dict[str, str] = {}
    forms: tuple[Form, ...] = ("masculine", "feminine", "neuter")
    for value in (*range(20), *range(20, 100, 10), *range(100, 1000, 100), *range(1000, 11000, 1000)):
        soft = value in _SOFT_STEMS or value >= 1000
        for form in ("masculine",) if soft else forms:
            pieces[f"ordinal-{value}" if soft else f"ordinal-{value}-{form}"] = ordinal_word(value, form)
        if 0 < value < 20 or value in (20, 30):
            pieces[f"ordinal-{value}-genitive"] = ordinal_word(value, "genitive")
    return pieces


ORDINAL_PIECES = _ordinal_pieces()
