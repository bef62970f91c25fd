"""Cursors of the list of calls: the place of the last call of a page, which stays right while new calls come in."""

from __future__ import annotations

import base64
import binascii

from admin_api.smorest import Refusal
from engine.store.calls import CallPosition


def encode(position: CallPosition) -> str:
    """The cursor of a place."""
    text = f"{position.started_ms}:{position.call_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str) -> CallPosition:
    """The place of a cursor. Answers 422 to one that is none."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        started_ms, colon, call_id = base64.urlsafe_b64decode(padded).decode().partition(":")
        if colon and call_id:
            return CallPosition(int(started_ms), call_id)
    except (binascii.Error, ValueError):
        pass
    raise Refusal(422, "query", "cursor", "is none; take `next` of the page before as it is")
