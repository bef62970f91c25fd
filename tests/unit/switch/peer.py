"""The switch's end of an event socket for tests: real TCP on 127.0.0.1, behaviour by script, no sleeping."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

import gevent
from gevent import socket
from gevent.event import Event

DEADLINE_S = 5.0
UUID = "bee7e8cf-3c65-440e-8ebf-34168ec4a0e7"
OTHER = "0ddba11e-0000-4000-8000-000000000000"


@dataclass
class Command:
    """One block that the engine wrote."""

    line: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def app(self) -> str:
        return self.headers.get("execute-app-name", "")

    @property
    def arg(self) -> str:
        return self.headers.get("execute-app-arg", "")

    @property
    def event_uuid(self) -> str:
        return self.headers.get("Event-UUID", "")


def encoded(headers: dict[str, str]) -> bytes:
    """Header lines as FreeSWITCH writes them, values encoded."""
    return "".join(f"{name}: {quote(value, safe=' /,@!()')}\n" for name, value in headers.items()).encode()


def event(name: str, headers: dict[str, str] | None = None, body: bytes = b"", uuid: str = UUID) -> bytes:
    """A frame with one event. `body` is the event's own."""
    inner = encoded({"Event-Name": name, "Unique-ID": uuid, **(headers or {})})
    inner += b"Content-Length: %d\n\n%b" % (len(body), body) if body else b"\n"
    return b"Content-Length: %d\nContent-Type: text/event-plain\n\n%b" % (len(inner), inner)


def reply(text: str = "+OK", extra: str = "") -> bytes:
    return f"Content-Type: command/reply\nReply-Text: {text}\n{extra}\n".encode()


def api(text: str) -> bytes:
    body = text.encode()
    return b"Content-Type: api/response\nContent-Length: %d\n\n%b" % (len(body), body)


def notice(disposition: str) -> bytes:
    return (
        f"Content-Type: text/disconnect-notice\nControlled-Session-UUID: {UUID}\n"
        f"Content-Disposition: {disposition}\nContent-Length: 0\n\n"
    ).encode()


def connect_block(headers: dict[str, str] | None = None, uuid: str = UUID) -> bytes:
    """What `connect` is answered with."""
    known = {
        "Event-Name": "CHANNEL_DATA",
        "FreeSWITCH-Switchname": "vm",
        "Event-Sequence": "488",
        "Unique-ID": uuid,
        "Answer-State": "ringing",
        "Caller-Caller-ID-Name": "Jan Novak",
        "Caller-Caller-ID-Number": "+420601234567",
        "Caller-Destination-Number": "100",
        "variable_uuid": uuid,
        "variable_sip_call_id": "1-10190@127.0.0.1",
        "variable_sofia_profile_name": "internal",
        **(headers or {}),
    }
    return encoded(known) + b"Content-Type: command/reply\nReply-Text: %2BOK%0A\n\n"


def complete(command: Command, response: str = "_none_", uuid: str = UUID, **headers: str) -> bytes:
    """The completion of what `command` started."""
    known = {
        "Answer-State": "answered",
        "variable_current_application": command.app,
        "Application": command.app,
        "Application-Response": response,
        "Application-UUID": command.event_uuid,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return event("CHANNEL_EXECUTE_COMPLETE", known, uuid=uuid)


def hangup(cause: str = "NORMAL_CLEARING", disposition: str = "recv_bye", uuid: str = UUID, **more: str) -> bytes:
    known = {"Answer-State": "hangup", "Hangup-Cause": cause, "variable_hangup_cause": cause, **more}
    if disposition:
        known["variable_sip_hangup_disposition"] = disposition
    return event("CHANNEL_HANGUP_COMPLETE", known, uuid=uuid)


def key(digit: str, uuid: str = UUID) -> bytes:
    return event("DTMF", {"DTMF-Digit": digit, "DTMF-Duration": "2000"}, uuid=uuid)


class Peer:
    """The switch's end."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = b""
        """Every byte that the engine wrote."""
        self._unread = b""

    def read(self, deadline_s: float = DEADLINE_S) -> Command | None:
        """The next command; None at the end of file. Fails when none comes."""
        with gevent.Timeout(deadline_s, AssertionError("no command came")):
            while b"\n\n" not in self._unread:
                data = self._receive()
                if not data:
                    return None
                self._unread += data
        block, _, self._unread = self._unread.partition(b"\n\n")
        line, *rest = block.decode().split("\n")
        return Command(line, dict(each.split(": ", 1) for each in rest))

    def expect(self, line: str) -> Command:
        """The next command, which must begin with `line`."""
        command = self.read()
        assert command is not None, f"end of file instead of {line}"
        assert command.line.startswith(line), f"{command.line} instead of {line}"
        return command

    def send(self, *parts: bytes) -> None:
        self.sock.sendall(b"".join(parts))

    def ended(self, deadline_s: float = DEADLINE_S) -> bool:
        """Whether the engine closes its end within the deadline."""
        with contextlib.suppress(OSError), gevent.Timeout(deadline_s, False):
            while self._receive():
                pass
            return True
        return False

    def _receive(self) -> bytes:
        data: bytes = self.sock.recv(65536)
        self.received += data
        return data

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


@contextlib.contextmanager
def pair() -> Iterator[tuple[socket.socket, Peer]]:
    """A TCP connection: the engine's end and the switch's."""
    with contextlib.closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    peer = Peer(theirs)
    try:
        yield ours, peer
    finally:
        peer.close()
        ours.close()


class FakeCall:
    """Answers like a switch with one call. `apps` says what an application does, `apis` what an API answers."""

    def __init__(self, peer: Peer, headers: dict[str, str] | None = None, uuid: str = UUID) -> None:
        self.peer = peer
        self.commands: list[Command] = []
        self.apps: dict[str, Callable[[Command], bytes]] = {}
        self.apis: dict[str, Callable[[str], bytes]] = {}
        self.refused: set[str] = set()
        """Applications that the switch does not even take."""
        self.uuid = uuid
        self._block = connect_block(headers, uuid)
        self._seen = Event()
        self._greenlet = gevent.spawn(self._run)

    def wait_for(self, what: str, count: int = 1, deadline_s: float = DEADLINE_S) -> Command:
        """Wait until the engine has said `what` (the beginning of a line, or an application) `count` times."""
        with gevent.Timeout(deadline_s, AssertionError(f"{what} did not come: {[c.line for c in self.commands]}")):
            while len(found := self.said(what)) < count:
                self._seen.clear()
                self._seen.wait()
        return found[count - 1]

    def said(self, what: str) -> list[Command]:
        return [each for each in self.commands if each.line.startswith(what) or each.app == what]

    def send(self, *parts: bytes) -> None:
        self.peer.send(*parts)

    def stop(self) -> None:
        self._greenlet.kill()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while (command := self.peer.read(deadline_s=60)) is not None:
                self.commands.append(command)
                self.peer.send(self._answer(command))
                self._seen.set()

    def _answer(self, command: Command) -> bytes:
        if command.line == "connect":
            return self._block
        if command.app in self.refused:
            return reply("-ERR invalid session id")
        if command.line.startswith("sendmsg"):
            behaviour = self.apps.get(command.app)
            return reply() + (behaviour(command) if behaviour else complete(command, uuid=self.uuid))
        if command.line.startswith("api "):
            name, _, rest = command.line[4:].partition(" ")
            behaviour_api = self.apis.get(name)
            return behaviour_api(rest) if behaviour_api else api("+OK\n")
        return reply()
