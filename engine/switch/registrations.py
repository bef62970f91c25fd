"""Which users have a telephone registered: what FreeSWITCH lists, and the events that tell of changes.

Measured on FreeSWITCH: `show registrations` comes from a table of the core that is late by up to half a second and
keeps a telephone that was flushed or did not answer OPTIONS. What calls go by is the SIP profile's own list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.switch import quoting
from engine.switch.frames import Frame
from engine.switch.port import CommandRefused, UnsafeArgument

EVENTS = "CUSTOM sofia::register sofia::unregister sofia::expire"
"""What a subscription ends with: whatever follows CUSTOM is a subclass."""
FILTER = "Event-Subclass /^sofia::(register|unregister|expire)$/"

_LIST = f"api sofia xmlstatus profile {quoting.PHONE_PROFILE}"
_ROW = re.compile(r"^ *<call-id>(?P<call_id>.*)</call-id>\n *<user>(?P<user>[^@\n]*)@.*</user>$", re.MULTILINE)
"""What a telephone chose for its call id is not escaped, but has no line break, so it can't feign a line."""


@dataclass(frozen=True, slots=True)
class Change:
    """A telephone came or went."""

    user: str
    domain: str
    call_id: str
    """Of the registration: each telephone has its own."""
    registered: bool


def change_of(frame: Frame) -> Change | None:
    """What an event of `EVENTS` says; None where it is none, or of another profile."""
    subclass = frame.get("Event-Subclass") or ""
    if not subclass.startswith("sofia::") or frame.get("profile-name") != quoting.PHONE_PROFILE:
        return None
    # An expiry names the user otherwise than the others do.
    user = frame.get("from-user") or frame.get("user") or ""
    domain = frame.get("from-host") or frame.get("host") or ""
    try:
        user, domain = quoting.user(user), quoting.host(domain)
    except UnsafeArgument:
        return None
    return Change(user, domain, frame.get("call-id") or "", subclass == "sofia::register")


def list_all() -> str:
    """The command that lists every registration."""
    return f"{_LIST} reg"


def list_of(change: Change) -> str:
    """The command that lists the registrations of that user."""
    return f"{_LIST} user {change.user}@{change.domain}"


def listed(command: str, reply: Frame) -> list[tuple[str, str]]:
    """User and call id of each registration in the answer. Raises CommandRefused."""
    if "</profile>" not in reply.body:
        raise CommandRefused(command, quoting.visible(reply.reply[:200]))
    return [(row["user"], row["call_id"]) for row in _ROW.finditer(reply.body)]


def another_left(change: Change, rows: list[tuple[str, str]]) -> bool:
    """Whether the user has a telephone beside the one that went, which is listed for a moment yet when it expired."""
    return any(user == change.user and call_id != change.call_id for user, call_id in rows)
