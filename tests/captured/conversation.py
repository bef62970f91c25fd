"""Reads the captured conversations in `data/`: `### ENGINE t` before a command, `### SWITCH t` before each frame."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

DATA = Path(__file__).parent / "data"
_TURN = re.compile(rb"^### (ENGINE|SWITCH|CLOSED) ([0-9.]+)\n", re.MULTILINE)
_LENGTH = re.compile(rb"(?m)^Content-Length: (\d+)$")


@dataclass(frozen=True)
class Turn:
    """What one side said at `at_s` from the connection; `head` without the empty line that ends it."""

    side: Literal["engine", "switch"]
    at_s: float
    head: bytes
    body: bytes = b""

    @property
    def wire(self) -> bytes:
        """As it went over the wire. Paths in the captures were renamed, so the length is counted anew."""
        head = _LENGTH.sub(b"Content-Length: %d" % len(self.body), self.head, count=1) if self.body else self.head
        return head + b"\n\n" + self.body

    def value(self, name: str) -> str:
        """A header's undecoded value, in the head or the body; empty where there is none."""
        found = re.search(rf"(?m)^{re.escape(name)}: (.*)$".encode(), self.head + b"\n" + self.body)
        return found.group(1).decode() if found else ""


def conversation(name: str) -> list[Turn]:
    """The turns of `data/<name>.esl`, in order."""
    parts = _TURN.split((DATA / f"{name}.esl").read_bytes())
    return [
        _turn(side, float(at), text)
        for side, at, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
        if side != b"CLOSED"
    ]


def _turn(side: bytes, at_s: float, text: bytes) -> Turn:
    if side == b"ENGINE":
        return Turn("engine", at_s, text.strip(b"\n"))
    head, _, body = text.partition(b"\n\n")
    length = _LENGTH.search(head)
    if length is None or length.group(1) == b"0":
        return Turn("switch", at_s, text.strip(b"\n"))
    if b"text/event-plain" in head:
        # The recorder ended each turn with line breaks of its own; an event's headers end with an empty line.
        inner = _LENGTH.search(body)
        if inner is None:
            return Turn("switch", at_s, head, body.rstrip(b"\n") + b"\n\n")
        headers, _, text_behind = body.partition(b"\n\n")
        return Turn("switch", at_s, head, headers + b"\n\n" + text_behind[: int(inner.group(1))])
    return Turn("switch", at_s, head, body[: int(length.group(1))])
