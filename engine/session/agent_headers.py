"""What an agent's phone is told of the call that it rings for, as SIP headers on its INVITE (R9)."""

from __future__ import annotations

import re

from engine.session.log import CallLog

MOST_ATTRIBUTES = 8
"""An INVITE over UDP must stay small."""
_LONGEST_NAME = 32


def agent_headers(call: CallLog, queue: str) -> dict[str, str]:
    """The call's id, the queue that it comes from, and the first attributes that the flow attached to it."""
    attached = call.attributes()
    headers = {"X-Callwright-Call": call.call_id}
    if queue:
        headers["X-Callwright-Queue"] = queue
    for name in list(attached)[:MOST_ATTRIBUTES]:
        safe = re.sub(r"[^A-Za-z0-9]+", "-", name)[:_LONGEST_NAME].strip("-")
        if safe and attached[name]:
            headers.setdefault(f"X-Callwright-Attribute-{safe}", attached[name])
    return headers
