"""Regular expressions of `matches`, by RE2: whatever the pattern, time grows with the text's length alone.

How fast it grows is bounded as well. A search costs at most so many nanoseconds for each instruction of the compiled
pattern and each byte of the text; so both are limited, and what the checks allow a node is a sum of instructions.
"""

from __future__ import annotations

import functools

import re2

MAX_MEMORY = 1 << 16
"""Bytes that a compiled pattern may take; compiling a larger one is given up at once."""
MAX_SIZE = 1000
"""Instructions of a compiled pattern."""
MAX_NODE_SIZE = 2000
"""Instructions of all patterns of a node together: a millisecond or two where none of them ever fits."""
MAX_TEXT = 200
"""Characters of a text that are looked at."""

_TOO_LARGE = r"it is too large; repeat less, like {1,} in place of {1,300}, and write \p{Latin} in place of \pL"


class BadPattern(ValueError):
    """The pattern is none, or too large."""


@functools.lru_cache(maxsize=1024)
def compiled(pattern: str) -> re2._Regexp:
    """The pattern ready for use. Raises `BadPattern`."""
    options = re2.Options()
    options.max_mem = MAX_MEMORY
    options.log_errors = False
    options.never_capture = True  # what a group took can't be asked for, and costs
    try:
        made = re2.compile(pattern, options=options)
    except re2.error as error:
        reason = error.args[0] if error.args else b""
        told = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise BadPattern(_TOO_LARGE if told.startswith("pattern too large") else told) from None
    except UnicodeEncodeError:
        raise BadPattern("it holds half of a surrogate pair") from None
    if made.programsize > MAX_SIZE:
        raise BadPattern(_TOO_LARGE)
    return made


def size(pattern: str) -> int:
    """The instructions of the compiled pattern. Raises `BadPattern`."""
    found: int = compiled(pattern).programsize
    return found


def found(pattern: str, text: str) -> bool:
    """Whether the pattern fits a part of the text's first `MAX_TEXT` characters.

    Never raises: what is no pattern fits nothing.
    """
    try:
        return compiled(pattern).search(text[:MAX_TEXT].encode("utf-8", "replace").decode()) is not None
    except BadPattern:
        return False
