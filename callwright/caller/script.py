"""What a caller does and what the world answers, as one line of text.

    1,pause 5s,agent=busy,hangup

    12#             press these keys when the flow next waits for keys
    silence         press nothing the next time that it does
    pause 5s        let this time pass, then go on with what follows
    hangup          hang up, at this very instruction
    ok              the usual answer to one instruction, whatever it is
    agent=busy      the answer to the next instruction of this kind; a word, or a result as JSON
    again 2         from here on, the last two items again and again

Whoever has come to the end of the script presses nothing and waits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from callwright.caller.answers import ALIASES, OPS, UnknownAnswer, answer
from ivr_flows.results import Result

_KEYS = re.compile(r"[0-9*#A-D]+")
_PAUSE = re.compile(r"pause (\d+)(ms|s|m)")
_AGAIN = re.compile(r"again (\d+)")
_ANSWER = re.compile(r"([a-z_]+) *= *")
_UNITS = {"ms": 1, "s": 1000, "m": 60_000}


class ScriptError(ValueError):
    """The text is no script; says where and what may stand there."""


@dataclass(frozen=True, slots=True)
class Keys:
    keys: str

    def __str__(self) -> str:
        return self.keys


@dataclass(frozen=True, slots=True)
class Silence:
    def __str__(self) -> str:
        return "silence"


@dataclass(frozen=True, slots=True)
class Pause:
    ms: int

    def __str__(self) -> str:
        return f"pause {self.ms // 1000}s" if self.ms % 1000 == 0 else f"pause {self.ms}ms"


@dataclass(frozen=True, slots=True)
class HangUp:
    def __str__(self) -> str:
        return "hangup"


@dataclass(frozen=True, slots=True)
class Usual:
    def __str__(self) -> str:
        return "ok"


@dataclass(frozen=True, slots=True)
class Answer:
    """`op` is the instruction's own name; `text` what was written for the result."""

    op: str
    result: Result
    text: str

    def __str__(self) -> str:
        return f"{self.op}={self.text}"


@dataclass(frozen=True, slots=True)
class Again:
    last: int

    def __str__(self) -> str:
        return f"again {self.last}"


Item = Keys | Silence | Pause | HangUp | Usual | Answer | Again
_PLAIN: dict[str, Item] = {"silence": Silence(), "hangup": HangUp(), "ok": Usual()}


def parse(text: str) -> tuple[Item, ...]:
    """The items of a script. Raises ScriptError."""
    items: list[Item] = []
    for at, part in _parts(text):
        item = _item(part, at)
        if isinstance(item, Again) and not 1 <= item.last <= len(items):
            raise ScriptError(f"column {at + 1}: '{part}', but {len(items)} items stand before it")
        if items and isinstance(items[-1], Again):
            raise ScriptError(f"column {at + 1}: nothing can follow '{items[-1]}', which never ends")
        items.append(item)
    return tuple(items)


def text_of(items: Sequence[Item]) -> str:
    """The script as text; `parse` reads it."""
    return ",".join(map(str, items))


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """The items between the commas; those of JSON don't count."""
    at = 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        begun = _ANSWER.match(text, at)
        end = text.find(",", at)
        if begun and text[begun.end() : begun.end() + 1] == "{":
            try:
                after = json.JSONDecoder().raw_decode(text, begun.end())[1]
            except ValueError as error:
                raise ScriptError(f"column {begun.end() + 1}: not JSON: {error}") from None
            end = text.find(",", after)
        end = len(text) if end < 0 else end
        yield at, text[at:end].strip()
        at = end + 1


def _item(part: str, at: int) -> Item:
    if part in _PLAIN:
        return _PLAIN[part]
    if _KEYS.fullmatch(part):
        return Keys(part)
    if (pause := _PAUSE.fullmatch(part)) and int(pause[1]):
        return Pause(int(pause[1]) * _UNITS[pause[2]])
    if again := _AGAIN.fullmatch(part):
        return Again(int(again[1]))
    if begun := _ANSWER.match(part):
        op = ALIASES.get(begun[1], begun[1])
        if op not in OPS:
            known = ", ".join(sorted({*OPS, *ALIASES}))
            raise ScriptError(f"column {at + 1}: '{begun[1]}' is nothing that a flow asks for; there are: {known}")
        try:
            return Answer(op, answer(op, part[begun.end() :]), part[begun.end() :])
        except UnknownAnswer as error:
            raise ScriptError(f"column {at + 1}: {error}") from None
    raise ScriptError(
        f"column {at + 1}: '{part}' is none of: keys (0-9 * # A-D), silence, pause 5s, hangup, ok, again 2, agent=busy"
    )
