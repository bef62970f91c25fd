"""Reads the exchanges in `sip/` (`### CALLER` before a request, `### SWITCH` before each answer) and plays the caller's
side to a switch over UDP."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

SIP = Path(__file__).parent / "sip"
CALLER, SWITCH = ("127.0.0.1", 5070), ("127.0.0.1", 5080)
"""Who was where when the exchanges were captured."""
ANSWERED_S = 10.0
_TURN = re.compile(r"^### (CALLER|SWITCH)\n", re.MULTILINE)
_TO_TAG = re.compile(r"^To:.*;tag=([^;\r\n]+)", re.MULTILINE)


@dataclass(frozen=True)
class Packet:
    """One packet, as text with the line breaks of the wire."""

    side: Literal["CALLER", "SWITCH"]
    text: str

    @property
    def to_tag(self) -> str:
        """The tag of its To, empty when there is none."""
        found = _TO_TAG.search(self.text)
        return found[1] if found else ""


def exchange(name: str) -> list[Packet]:
    """The packets of `sip/<name>.sip`, in order."""
    text = (SIP / f"{name}.sip").read_text(encoding="utf-8")
    sides, texts = _TURN.split(text)[1::2], _TURN.split(text)[2::2]
    packets = zip(sides, texts, strict=True)
    return [Packet(side, text.removesuffix("\n").replace("\n", "\r\n")) for side, text in packets]  # type: ignore[arg-type]


def write(name: str, packets: Iterable[Packet]) -> None:
    """The reverse of `exchange`."""
    text = "".join(f"### {packet.side}\n{packet.text}\n" for packet in packets).replace("\r\n", "\n")
    (SIP / f"{name}.sip").write_text(text, encoding="utf-8")


def groups(packets: Iterable[Packet]) -> list[tuple[Packet, list[Packet]]]:
    """Each request with its answers."""
    found: list[tuple[Packet, list[Packet]]] = []
    for packet in packets:
        if packet.side == "CALLER":
            found.append((packet, []))
        else:
            found[-1][1].append(packet)
    return found


@dataclass
class Line:
    """A caller's socket. What is said over it is as if both sides were where they were when it was captured, and as if
    the switch chose the same tags."""

    socket: socket.socket
    switch: tuple[str, int]
    tags: dict[str, str] = field(default_factory=dict)
    """The switch's tag now, by the captured one."""

    def send(self, packet: Packet) -> None:
        """A captured request."""
        text = _moved(packet.text, {CALLER: self.socket.getsockname(), SWITCH: self.switch})
        for captured, now in self.tags.items():
            text = text.replace(captured, now)
        self.socket.sendto(text.encode(), self.switch)

    def receive(self, within_s: float = ANSWERED_S, like: Packet | None = None) -> Packet:
        """The next packet; `like` is the captured one, whose tag this one's stands for from now on. Raises
        TimeoutError."""
        self.socket.settimeout(within_s)
        text = self.socket.recv(65535).decode()
        packet = Packet("SWITCH", _moved(text, {self.socket.getsockname(): CALLER, self.switch: SWITCH}))
        if like is not None and like.to_tag and packet.to_tag:
            self.tags.setdefault(like.to_tag, packet.to_tag)
        for captured, now in self.tags.items():
            packet = Packet("SWITCH", packet.text.replace(now, captured))
        return packet


@contextmanager
def line(switch: tuple[str, int], port: int = 0) -> Iterator[Line]:
    """A caller's socket on 127.0.0.1, at `port` or any that is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.bind((CALLER[0], port))
        yield Line(plain, switch)


def _moved(text: str, moves: Mapping[tuple[str, int], tuple[str, int]]) -> str:
    """`text` with each address as another one, all at once: one may look like the beginning of another."""
    places = {f"{ip}:{port}": f"{to_ip}:{to_port}" for (ip, port), (to_ip, to_port) in moves.items()}
    places |= {f"rport={port}": f"rport={to_port}" for (_, port), (_, to_port) in moves.items()}
    return re.sub(rf"(?:{'|'.join(map(re.escape, places))})(?!\d)", lambda found: places[found[0]], text)
