"""Compares an answer of the switch under test with the captured one: status, names of the headers, their values."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.captured.sip_exchange import Packet

_BLANKS = re.compile(r"(?<=;)\s+")
"""Where RFC 3261 leaves them to the writer."""
_NONCE = re.compile(r'nonce="[^"]+"')


@dataclass(frozen=True)
class Answer:
    """An answer, read."""

    status: str
    headers: dict[str, list[str]]
    """Values by name in lower case, in order, without blanks that mean nothing and without a challenge's nonce."""
    body: str


def read(packet: Packet) -> Answer:
    """The packet's parts."""
    head, _, body = packet.text.partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers.setdefault(name.lower(), []).append(_NONCE.sub('nonce=""', _BLANKS.sub("", value.strip())))
    return Answer(status, headers, body)


def differences(captured: Packet, now: Packet, lacking: frozenset[str] = frozenset()) -> list[str]:
    """Everything in which `now` is unlike, in words. `lacking`: names of headers that it need not have."""
    theirs, ours = read(captured), read(now)
    if theirs.status != ours.status:
        return [f"{theirs.status!r} but {ours.status!r}"]
    found = [f"{theirs.status}: lacks {name}" for name in theirs.headers.keys() - ours.headers.keys() - lacking]
    found += [f"{theirs.status}: has {name} too" for name in ours.headers.keys() - theirs.headers.keys()]
    for name in theirs.headers.keys() & ours.headers.keys():
        if name == "content-length" and theirs.body:
            continue  # its sessions and ports are its own
        if theirs.headers[name] != ours.headers[name]:
            found.append(f"{theirs.status}: {name} {theirs.headers[name]} but {ours.headers[name]}")
    if bool(theirs.body) != bool(ours.body):
        found.append(f"{theirs.status}: body {theirs.body!r} but {ours.body!r}")
    return found
