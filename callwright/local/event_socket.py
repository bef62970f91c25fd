"""Asks a switch over its event socket whether it is up. The engine has its own adapter; this one only knocks."""

from __future__ import annotations

import socket
from io import BufferedRWPair

from callwright.local import ports


class Refused(Exception):
    """The switch does not take the password, or does not let this address in."""


def ask(host: str, port: int, password: str, command: str, timeout_s: float = 5) -> str:
    """The answer to one `api` command. Raises OSError while nobody answers, Refused when we are not let in."""
    with socket.create_connection((host, port), timeout=timeout_s) as connection:
        stream = connection.makefile("rwb")
        if "auth/request" not in _headers(stream)["content-type"]:
            raise Refused("the switch does not let this address in (its access list)")
        stream.write(f"auth {password}\n\n".encode())
        stream.flush()
        if not _headers(stream).get("reply-text", "").startswith("+OK"):
            raise Refused("the switch does not take the password")
        stream.write(f"api {command}\n\n".encode())
        stream.flush()
        answer = _headers(stream)
        return stream.read(int(answer.get("content-length", "0"))).decode("utf-8", "replace").strip()


def up(port: int, password: str, sip_ports: tuple[int, ...] = ()) -> bool:
    """Whether a switch on this machine takes commands and its SIP profiles listen. Raises Refused."""
    if not all(ports.listening(sip, "udp") for sip in sip_ports):
        return False
    try:
        return ask(ports.LOOPBACK, port, password, "status") != ""
    except OSError:
        return False


def _headers(stream: BufferedRWPair) -> dict[str, str]:
    found: dict[str, str] = {}
    while line := stream.readline().strip():
        name, _, value = line.decode("utf-8", "replace").partition(":")
        found[name.lower()] = value.strip()
    if not found:
        raise ConnectionError("the switch closed the connection")
    return found
