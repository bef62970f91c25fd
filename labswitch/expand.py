"""`${variable}` and `${api(arguments)}` in arguments, as FreeSWITCH expands them.

Expansion is what makes unchecked arguments dangerous on a real switch (`${system(...)}` runs a shell). Nothing
here can: only the lab switch's own API commands exist, and with `api-expansion` false in `switch.conf` the text
`<API Execute Permission Denied>` takes their place, as on a real one.
"""

from __future__ import annotations

import re
from collections.abc import Callable

DENIED = "<API Execute Permission Denied>"

_CALL = re.compile(r"\A([A-Za-z_][\w]*)\((.*)\)\Z", re.DOTALL)
_SLICE = re.compile(r"\A(.*?):(-?\d+)(?::(\d+))?\Z", re.DOTALL)


def expand(text: str, variable: Callable[[str], str | None], api: Callable[[str, str], str | None]) -> str:
    """Replace every `${...}`, innermost first. `api` returns None for a command that doesn't exist."""
    if "${" not in text:
        return text
    out, position = [], 0
    while (start := text.find("${", position)) >= 0:
        end = _closing(text, start + 2)
        if end < 0:
            break
        out += [text[position:start], _value(expand(text[start + 2 : end], variable, api), variable, api)]
        position = end + 1
    return "".join([*out, text[position:]])


def _closing(text: str, position: int) -> int:
    """Index of the brace that closes the one before `position`, -1 without one."""
    depth = 1
    for index in range(position, len(text)):
        depth += (text[index] == "{") - (text[index] == "}")
        if not depth:
            return index
    return -1


def _value(inside: str, variable: Callable[[str], str | None], api: Callable[[str, str], str | None]) -> str:
    if call := _CALL.match(inside):
        return (api(call[1], call[2]) or "").rstrip("\n")
    value = variable(inside)
    if value is None and (piece := _SLICE.match(inside)):
        value = variable(piece[1]) or ""
        start = int(piece[2])
        value = value[start:] if start >= 0 else value[-min(-start, len(value)) :]
        return value[: int(piece[3])] if piece[3] else value
    return value or ""
