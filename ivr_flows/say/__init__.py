"""Speech from recorded pieces (R22): numbers and digits, with the grammar of each language.

One file per language holds its pieces (`PIECES`: name and spoken text) and its grammar (`cardinal`). The recordings
lie at `say/<language>/<piece>.wav` below the prompts directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from ivr_flows.instructions import PromptFile
from ivr_flows.say import cs, en
from ivr_flows.say.cs import Gender

__all__ = ["LANGUAGES", "LIMIT", "CannotSay", "Gender", "digits", "number", "piece", "pieces"]

_GRAMMARS: Mapping[str, ModuleType] = {"cs": cs, "en": en}

LANGUAGES = tuple(_GRAMMARS)
"""The languages that can be spoken."""
LIMIT = 999_999_999
"""The largest number that can be said, above zero and below."""

_SIGNS = {"+": "plus", "*": "star", "#": "hash"}


class CannotSay(ValueError):
    """There are no pieces for this."""


def pieces(language: str) -> Mapping[str, str]:
    """All pieces of a language that must be recorded, with the text to speak. Raises `CannotSay`."""
    found: Mapping[str, str] = _grammar(language).PIECES
    return found


def piece(name: str, language: str) -> PromptFile:
    """The recording of one piece. Raises `CannotSay`."""
    if name not in pieces(language):
        raise CannotSay(f"no piece {name!r} in {language!r}")
    return PromptFile(f"say/{language}/{name}.wav")


def number(value: int, language: str, gender: Gender | None = None) -> tuple[PromptFile, ...]:
    """A whole number; `gender` is that of the noun that follows. Raises `CannotSay` beyond `LIMIT`."""
    if abs(value) > LIMIT:
        raise CannotSay(f"{value} is too large to be said")
    minus = ("minus",) if value < 0 else ()
    names: tuple[str, ...] = (*minus, *_grammar(language).cardinal(abs(value), gender))
    return tuple(piece(name, language) for name in names)


def digits(text: str, language: str) -> tuple[PromptFile, ...]:
    """Digits one by one, and +, * and #; blanks are passed over. Raises `CannotSay` for anything else or nothing."""
    signs = [sign for sign in text if sign != " "]
    if not signs or any(sign not in "0123456789+*#" for sign in signs):
        raise CannotSay("these are no digits")
    return tuple(piece(_SIGNS.get(sign, sign), language) for sign in signs)


def _grammar(language: str) -> ModuleType:
    grammar = _GRAMMARS.get(language)
    if grammar is None:
        raise CannotSay(f"no grammar for {language!r}")
    return grammar
