"""Cursors of lists that run from the newest to the oldest: the place of a page's last entry, which stays right while
new ones come in.
"""

from __future__ import annotations

import base64
import binascii

from admin_api.smorest import Refusal


def encode(at_ms: int, key: str) -> str:
    """The cursor of a place: a moment, and what tells apart what has the same one."""
    return base64.urlsafe_b64encode(f"{at_ms}:{key}".encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[int, str]:
    """The place of a cursor. Answers 422 to one that is none."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        at_ms, colon, key = base64.urlsafe_b64decode(padded).decode().partition(":")
        if colon and key:
            return int(at_ms), key
    except (binascii.Error, ValueError):
        pass
    raise refusal()


def refusal() -> Refusal:
    """The answer to a cursor that is none of this list."""
    return Refusal(422, "query", "cursor", "is none; take `next` of the page before as it is")
