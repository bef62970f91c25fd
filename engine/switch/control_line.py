"""A connection to the switch's own event socket: opened, authenticated, with its subscription."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gevent import socket
from gevent.event import AsyncResult

from engine.switch import quoting
from engine.switch.connection import Connection, Headers, tune
from engine.switch.frames import AUTH_REQUEST, DISCONNECT_NOTICE, EVENT, RUDE_REJECTION, Frame
from engine.switch.port import DeadlinePassed, SwitchLost


class LoginRefused(SwitchLost):
    """The switch does not let us in: wrong password, or our address is not on its list."""


@dataclass(frozen=True, slots=True)
class ControlAddress:
    """Where a switch's event socket listens, and its password (never logged)."""

    host: str
    port: int
    password: str

    def __repr__(self) -> str:
        return f"{self.host}:{self.port}"


class ControlLine:
    """One connection to the event socket. `on_event` runs in the event loop and must not wait; see `hold`."""

    def __init__(
        self,
        address: ControlAddress,
        on_event: Callable[[Frame], None],
        on_end: Callable[[SwitchLost], None] = lambda reason: None,
        deadline_s: float = 5.0,
    ) -> None:
        """Connect and log in. Raises LoginRefused, SwitchLost, DeadlinePassed."""
        self._deadline_s = deadline_s
        self._on_event = on_event
        self._on_end = on_end
        self._greeting: AsyncResult = AsyncResult()
        try:
            sock = socket.create_connection((address.host, address.port), timeout=deadline_s)
        except OSError as fault:
            raise SwitchLost(f"no connection to the switch at {address}: {fault}") from None
        tune(sock)
        self._connection = Connection(sock, self._on_frame, self._ended, name=f"control {address}")
        try:
            self._log_in(address)
        except BaseException:
            self.close()
            raise

    @property
    def ended(self) -> SwitchLost | None:
        return self._connection.ended

    def subscribe(self, filters: Sequence[str], events: str) -> None:
        """Filters first: without one, the events of all calls would come."""
        for name in filters:
            self._connection.post(f"filter {name}")
        reply = self._connection.send(f"event plain {events}", deadline_s=self._deadline_s)
        if reply.refused:
            raise SwitchLost(f"the switch refused the subscription: {quoting.visible(reply.reply)}")

    def send(self, command: str, headers: Headers = (), deadline_s: float | None = None) -> Frame:
        """Send a command, wait for the answer. Raises SwitchLost, DeadlinePassed."""
        return self._connection.send(command, headers, deadline_s or self._deadline_s)

    def hold(self) -> None:
        """Have the switch wait with what it tells, answers to commands too."""
        self._connection.hold()

    def go_on(self) -> None:
        """Take what the switch has to tell again."""
        self._connection.go_on()

    def close(self, reason: str = "closed by the engine") -> None:
        self._connection.close(reason)

    def _log_in(self, address: ControlAddress) -> None:
        if not self._greeting.wait(self._deadline_s):
            if self._connection.ended is not None:
                raise self._connection.ended
            raise DeadlinePassed(f"the switch at {address} did not ask for a password within {self._deadline_s} s")
        greeting: Frame = self._greeting.get()
        if greeting.content_type == RUDE_REJECTION:
            raise LoginRefused(f"the switch at {address} rejects our address (its apply-inbound-acl)")
        reply = self._connection.send(f"auth {address.password}", deadline_s=self._deadline_s)
        if not reply.reply.startswith("+OK"):
            raise LoginRefused(f"the switch at {address} refuses the password")

    def _on_frame(self, frame: Frame) -> None:
        if frame.content_type == EVENT:
            self._on_event(frame)
        elif frame.content_type in (AUTH_REQUEST, RUDE_REJECTION):
            if not self._greeting.ready():
                self._greeting.set(frame)
        elif frame.content_type == DISCONNECT_NOTICE:
            self._connection.close("the switch said goodbye")

    def _ended(self, reason: SwitchLost) -> None:
        if not self._greeting.ready():
            self._greeting.set(None)
        self._on_end(reason)
