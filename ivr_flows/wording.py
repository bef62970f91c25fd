"""From the validator's errors to findings in the words of those who write flows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ivr_flows.digits import PATTERN
from ivr_flows.envelope import LANGUAGE
from ivr_flows.fields import EXIT, HEADER, NAME, PATH, POINTER, URL, VARIABLE
from ivr_flows.findings import did_you_mean, listed, shown

_PATTERNS = {
    NAME: "up to 64 small letters, digits, '-' and '_', the first a letter",
    VARIABLE: "up to 40 small letters, digits and '_', the first a letter",
    EXIT: "up to 40 small letters, digits, '-' and '_', the first no sign",
    PATH: "a relative path of letters, digits, '.', '-', '_' and '/' to a WAV file, like 'main/welcome-cs.wav'",
    LANGUAGE: "a language of two letters, like 'cs'",
    r"^[0-9*#]$": "one key: 0-9, * or #",
    r"^[0-9*#]{0,12}$": "up to 12 keys: 0-9, * and #",
    r"^\+?[0-9]{2,20}$": "2 to 20 digits, + before them for an international number",
    PATTERN: "a pattern of X, Z, N, keys and [lists] like '[67]XXXXXXXX'",
    r"^[0-9a-f]{16}$": "a version of 16 hex digits",
    r"^[0-9*#A-DwW]{1,40}$": "1 to 40 keys: 0-9, *, #, A-D; w and W wait",
    URL: "a URL like 'https://crm.example.com/customers', without query, user or fragment",
    POINTER: "a JSON pointer like '/customer/name', or nothing for the whole answer",
    HEADER: "the name of an HTTP header: letters, digits and '-'",
}
"""What a pattern allows, said in words."""


def pattern_in_words(pattern: str) -> str:
    """What a pattern of a field allows."""
    return _PATTERNS.get(pattern, f"what fits {pattern}")


class Wrong(NamedTuple):
    """One error of a validator: the finding's code, the field as people write it, and the message."""

    code: str
    field: str
    message: str


def explain(error: ValidationError, known: Collection[str], prefix: str = "") -> list[Wrong]:
    """All errors of a validator. `known`: the names of the fields that there are; `prefix` is put before each place."""
    return [_one(details, known, prefix) for details in error.errors(include_url=False) if not _left_out(details)]


def _left_out(details: ErrorDetails) -> bool:
    """Whether entries are too few only because wrong ones were left out, which are told by themselves."""
    context: Mapping[str, Any] = details.get("ctx", {})
    return details["type"] == "too_short" and len(details["input"]) >= context["min_length"]


def _one(details: ErrorDetails, known: Collection[str], prefix: str) -> Wrong:
    parts = [part for part in details["loc"] if part not in ("[key]", "file", "tts") or part in known]
    place = _place(prefix, parts)
    kind = details["type"]
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        word = str(parts[-1]) if parts else ""
        names = known if len(parts) == 1 else ()
        hint = did_you_mean(word, names) or (f"; there are: {listed(names)}" if names else "; remove it")
        return Wrong("unknown_field", place, f"there is no field '{word}'{hint}")
    if kind in ("missing", "missing_argument"):
        return Wrong("missing_field", place, f"the field '{parts[-1] if parts else ''}' is missing")
    if kind == "value_error":
        return Wrong("bad_expression", place, str(details.get("ctx", {}).get("error", details["msg"])))
    context: Mapping[str, Any] = details.get("ctx", {})
    code = "bad_path" if context.get("pattern") == PATH else "bad_value"
    wording = _WORDING.get(kind)
    return Wrong(code, place, wording(context, details["input"]) if wording else details["msg"])


def _place(prefix: str, parts: Collection[int | str]) -> str:
    place = prefix
    for part in parts:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
    return place


def _literal(context: Mapping[str, Any], value: Any) -> str:
    # The validator lists the values as "'a', 'b' or 'c'".
    allowed = [word.strip("' ") for word in str(context["expected"]).replace(" or ", ", ").split(",")]
    hint = did_you_mean(value, allowed) if isinstance(value, str) else ""
    return f"{shown(value)} isn't one of: {listed(allowed)}{hint}"


def _pattern(context: Mapping[str, Any], value: Any) -> str:
    pattern = str(context["pattern"])
    return f"{shown(value)} isn't allowed here; give {pattern_in_words(pattern)}"


def _too_short(context: Mapping[str, Any], value: Any) -> str:
    least = context["min_length"]
    if value:
        return f"too few entries; at least {least}"
    return f"it is empty; give at least {least} {'entry' if least == 1 else 'entries'}"


def _expected(what: str) -> Callable[[Mapping[str, Any], Any], str]:
    return lambda context, value: f"{what} is expected, not {shown(value)}"


_WORDING: dict[str, Callable[[Mapping[str, Any], Any], str]] = {
    "literal_error": _literal,
    "string_pattern_mismatch": _pattern,
    "int_type": _expected("a whole number"),
    "int_from_float": _expected("a whole number"),
    "int_parsing_size": _expected("a smaller number"),
    "bool_type": _expected("true or false"),
    "string_type": _expected("text"),
    "tuple_type": _expected("a list"),
    "dict_type": _expected("an object"),
    "mapping_type": _expected("an object"),
    "dataclass_type": _expected("an object"),
    "greater_than_equal": lambda context, value: f"{shown(value)} is too little; at least {context['ge']}",
    "less_than_equal": lambda context, value: f"{shown(value)} is too much; at most {context['le']}",
    "string_too_long": lambda context, value: f"the text is too long; at most {context['max_length']} characters",
    "string_too_short": lambda context, value: "the text is empty",
    "too_short": _too_short,
    "too_long": lambda context, value: f"too many entries; at most {context['max_length']}",
}
