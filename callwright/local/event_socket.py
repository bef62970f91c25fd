"""Asks a switch over its event socket. The engine has its own adapter; this one asks a few questions and goes."""

from __future__ import annotations

import socket
from types import TracebackType

from callwright.local import ports


class Refused(Exception):
    """The switch does not let us in."""


class NotOnTheList(Refused):
    """Its access list does not let this address in."""


class WrongPassword(Refused):
    """It does not take the password."""


class Line:
    """A connection to one switch, signed in. Each answer is waited for `timeout_s` at most.

    Raises OSError while nobody answers, Refused when we are not let in.
    """

    def __init__(self, host: str, port: int, password: str, timeout_s: float = 5) -> None:
        self._connection = socket.create_connection((host, port), timeout=timeout_s)
        self._stream = self._connection.makefile("rwb")
        try:
            if "auth/request" not in self._headers().get("content-type", ""):
                raise NotOnTheList("the switch does not let this address in (its access list)")
            if not self._said(f"auth {password}").get("reply-text", "").startswith("+OK"):
                raise WrongPassword("the switch does not take the password")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Line:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, command: str) -> str:
        """The answer to one `api` command. Raises OSError."""
        length = int(self._said(f"api {command}").get("content-length", "0"))
        return self._stream.read(length).decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Hang up."""
        self._stream.close()
        self._connection.close()

    def _said(self, command: str) -> dict[str, str]:
        self._stream.write(f"{command}\n\n".encode())
        self._stream.flush()
        return self._headers()

    def _headers(self) -> dict[str, str]:
        found: dict[str, str] = {}
        while line := self._stream.readline().strip():
            name, _, value = line.decode("utf-8", "replace").partition(":")
            found[name.lower()] = value.strip()
        if not found:
            raise ConnectionError("the switch closed the connection")
        return found


def ask(host: str, port: int, password: str, command: str, timeout_s: float = 5) -> str:
    """The answer to one `api` command. Raises OSError while nobody answers, Refused when we are not let in."""
    with Line(host, port, password, timeout_s) as line:
        return line.ask(command)


def up(port: int, password: str, sip_ports: tuple[int, ...] = ()) -> bool:
    """Whether a switch on this machine takes commands and its SIP profiles listen. Raises Refused."""
    if not all(ports.listening(sip, "udp") for sip in sip_ports):
        return False
    try:
        return ask(ports.LOOPBACK, port, password, "status") != ""
    except OSError:
        return False
