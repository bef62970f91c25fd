"""The frames that the player sends: captured from FreeSWITCH 1.11.3-dev, whole, only the ids and the caller's number in
them replaced.

`frames.esl` holds them, `### name` before each. What our dialplan sets on every call before its `socket` action is
added, for every controller alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

DIALPLAN = (
    b"variable_hangup_after_bridge: false\n"
    b"variable_continue_on_fail: true\n"
    b"variable_cw_managed: true\n"
    b"variable_cw_attempt: 1\n"
)
"""Set by `dialplan.contexts` on every call that it hands to an engine."""
_TITLE = re.compile(rb"^### ([a-z_ ]+)\n", re.MULTILINE)
_CALL = re.compile(rb"(?m)^(?:Unique-ID|Controlled-Session-UUID): (.+)$")
_APPLICATION = re.compile(rb"(?m)^Application-UUID: (.+)$")
_CALLER = re.compile(rb"(420601234567)")


class Frame:
    """A captured frame whose ids are still to be filled in."""

    def __init__(self, text: bytes) -> None:
        self.event = _header(text, b"Event-Name") if b"Content-Type: command/reply" not in text else ""
        """The event's name; empty where it is no event."""
        self._pieces = _pieces(text)

    def fill(self, call: bytes, application: bytes = b"") -> bytes:
        """As it goes over the wire, for this call and this run of an application. The caller follows from the call."""
        values = {1: call, 2: application, 3: b"4206%08d" % (int(call[:8], 16) % 100_000_000)}
        text = b"".join(values[piece] if isinstance(piece, int) else piece for piece in self._pieces)
        if not self.event:
            return text
        return b"Content-Length: %d\nContent-Type: text/event-plain\n\n%b" % (len(text), text)


@cache
def frames() -> Mapping[str, Frame]:
    """All frames by their names in `frames.esl`."""
    parts = _TITLE.split((resources.files("callwright.bench") / "frames.esl").read_bytes())
    return {
        name.decode(): Frame(_with_dialplan(text.rstrip(b"\n") + b"\n\n"))
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def notice(name: str, call: bytes) -> bytes:
    """A disconnect notice; the one that says goodbye has a body, which its head counts."""
    text = frames()[name].fill(call)
    return text.rstrip(b"\n") + b"\n" if b"Content-Length: 67" in text else text


def reply(text: str) -> bytes:
    """The switch's answer to a command."""
    return b"Content-Type: command/reply\nReply-Text: " + text.encode() + b"\n\n"


def api_response(text: str) -> bytes:
    """The switch's answer to an `api` command."""
    return b"Content-Type: api/response\nContent-Length: %d\n\n%b" % (len(text.encode()), text.encode())


def _header(text: bytes, name: bytes) -> str:
    found = re.search(rb"(?m)^" + name + rb": (.+)$", text)
    return found.group(1).decode() if found else ""


def _with_dialplan(text: bytes) -> bytes:
    head, found, rest = text.partition(b"variable_direction: inbound\n")
    return head + found + DIALPLAN + rest if found else text


def _pieces(text: bytes) -> list[bytes | int]:
    """The text cut where something is to be filled in: 1 the call's id, 2 the application's, 3 the caller's number."""
    pieces: list[bytes | int] = [text]
    for slot, pattern in ((1, _CALL), (2, _APPLICATION), (3, _CALLER)):
        found = pattern.search(text)
        if found is not None:
            pieces = [part for piece in pieces for part in _cut(piece, found.group(1), slot)]
    return pieces


def _cut(piece: bytes | int, id: bytes, slot: int) -> list[bytes | int]:
    if isinstance(piece, int):
        return [piece]
    cut: list[bytes | int] = []
    for text in piece.split(id):
        cut += [text, slot]
    return cut[:-1]
