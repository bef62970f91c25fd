"""Values as speech (R22): numbers, dates, times, money and so on, with the grammar of each language.

One module for each language holds its grammar and its pieces (`grammar.Grammar`). All functions here are pure: a value
becomes phrases, the phrases become one `Spoken`, which names the recorded pieces in which they are heard; where there
is none for a phrase, the text alone, for the speech engine.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from ivr_flows.instructions import Media, Pause, Spoken
from ivr_flows.say import cs, en
from ivr_flows.say.grammar import LIMIT, ORDINAL_LIMIT, CannotSay, Currency, Gender, Grammar, Noun, Phrases
from ivr_flows.say.telephone import groups

__all__ = [
    "GROUP_PAUSE_MS",
    "LANGUAGES",
    "LIMIT",
    "ORDINAL_LIMIT",
    "CannotSay",
    "Currency",
    "Gender",
    "Noun",
    "count",
    "date",
    "digits",
    "duration",
    "money",
    "number",
    "ordinal",
    "phone",
    "piece",
    "pieces",
    "position",
    "time",
    "wait",
]

_GRAMMARS: Mapping[str, Grammar] = {"cs": cs, "en": en}

LANGUAGES = tuple(_GRAMMARS)
"""The languages with a grammar."""
GROUP_PAUSE_MS = 250
"""Between the groups of a telephone number."""
MINUTE_S = 60

_SIGNS = {"+": "plus", "*": "star", "#": "hash"}


def pieces(language: str) -> Mapping[str, str]:
    """All pieces that a voice of this language must have, with the text to speak. Raises `CannotSay`."""
    return _grammar(language).PIECES


def piece(name: str, language: str) -> Spoken:
    """One piece. Raises `CannotSay`."""
    text = pieces(language).get(name)
    if text is None:
        raise CannotSay(f"no piece {name!r} in {language!r}")
    return Spoken(text, language, (name,))


def number(value: int, language: str, gender: Gender | None = None) -> Spoken:
    """A whole number; `gender` is that of the noun that follows. Raises `CannotSay` beyond `LIMIT`."""
    return _signed(value, _grammar(language).cardinal(_limited(value), gender), language)


def ordinal(value: int, language: str, gender: Gender = "masculine") -> Spoken:
    """Third. Raises `CannotSay` below zero and beyond `ORDINAL_LIMIT`."""
    return _spoken(_grammar(language).ordinal(_limited(value, 0, ORDINAL_LIMIT), gender), language)


def count(value: int, noun: Noun, language: str) -> Spoken:
    """So many things: two minutes. Raises `CannotSay` beyond `LIMIT`."""
    return _signed(value, _grammar(language).count(_limited(value), noun), language)


def date(day: datetime.date, language: str, *, with_year: bool = True) -> Spoken:
    """On which day. Raises `CannotSay` without a grammar."""
    return _spoken(_grammar(language).date(day, with_year), language)


def time(at: datetime.time, language: str) -> Spoken:
    """Hours and minutes. Raises `CannotSay` without a grammar."""
    return _spoken(_grammar(language).time(at), language)


def duration(seconds: int, language: str) -> Spoken:
    """Days, hours, minutes and seconds. Raises `CannotSay` below zero and beyond `LIMIT`."""
    return _spoken(_grammar(language).duration(_limited(seconds, 0)), language)


def money(amount: Decimal, currency: Currency, language: str) -> Spoken:
    """An amount, rounded to hundredths. Raises `CannotSay` beyond `LIMIT`."""
    if not amount.is_finite() or not -LIMIT <= amount <= LIMIT:
        raise CannotSay("this amount can't be said")
    rounded = amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
    phrases = _grammar(language).money(abs(rounded), currency)
    return _signed(-1 if rounded < 0 else 1, phrases, language)


def position(value: int, language: str, gender: Gender = "masculine") -> Spoken:
    """The caller's place in the queue, a sentence. Raises `CannotSay` below one and beyond `ORDINAL_LIMIT`."""
    return _spoken(_grammar(language).position(_limited(value, 1, ORDINAL_LIMIT), gender), language)


def wait(low_s: int, high_s: int, language: str) -> Spoken:
    """How long the caller will wait, between two bounds in s, a sentence in whole minutes.

    Raises `CannotSay` where it isn't known (`high_s` 0), for bounds below zero or in the wrong order, and beyond
    `LIMIT`.
    """
    if not 0 < _limited(high_s, 0) >= _limited(low_s, 0):
        raise CannotSay("how long the caller will wait isn't known")
    low, high = (0, 0) if high_s < MINUTE_S else (max(1, low_s // MINUTE_S), -(-high_s // MINUTE_S))
    return _spoken(_grammar(language).wait(low, high), language)


def digits(text: str, language: str) -> Spoken:
    """Digits one by one, and +, * and #; blanks are passed over. Raises `CannotSay` for anything else or nothing."""
    signs = [sign for sign in text if sign != " "]
    if not signs or any(sign not in "0123456789+*#" for sign in signs):
        raise CannotSay("these are no digits")
    words, names = pieces(language), tuple(_SIGNS.get(sign, sign) for sign in signs)
    return Spoken(" ".join(words[name] for name in names), language, names)


def phone(text: str, language: str) -> tuple[Media, ...]:
    """A telephone number, digit by digit, in the groups in which it is written. Raises `CannotSay`."""
    media: list[Media] = []
    for group in groups(text, _grammar(language).HOME_CODE):
        media += [digits(group, language), Pause(GROUP_PAUSE_MS)]
    return tuple(media[:-1])


def _limited(value: int, least: int = -LIMIT, most: int = LIMIT) -> int:
    if not least <= value <= most:
        raise CannotSay(f"{value} is too {'large' if value > most else 'small'} to be said")
    return abs(value)


def _signed(value: int, phrases: Phrases, language: str) -> Spoken:
    return _spoken((pieces(language)["minus"], *phrases) if value < 0 else phrases, language)


def _spoken(phrases: Phrases, language: str) -> Spoken:
    names = _names(language)
    known = tuple(names[phrase] for phrase in phrases if phrase in names)
    return Spoken(" ".join(phrases), language, known if len(known) == len(phrases) else ())


@functools.cache
def _names(language: str) -> Mapping[str, str]:
    """The first piece for each text."""
    return {text: name for name, text in reversed(list(pieces(language).items()))}


def _grammar(language: str) -> Grammar:
    grammar = _GRAMMARS.get(language)
    if grammar is None:
        raise CannotSay(f"no grammar for {language!r}")
    return grammar
