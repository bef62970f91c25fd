"""The event socket of a scripted switch, and a control connection to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gevent.queue import Queue
from gevent.server import StreamServer

from engine.switch.control import SwitchControl
from engine.switch.port import (
    DialTarget,
)
from engine.switch.session import Sessions
from tests.unit.switch.peer import DEADLINE_S, Command, Peer, api, event, reply

LEG = "11111111-2222-4333-8444-555555555555"
USER = DialTarget("user", "1001", "lab.example")
GREETING = b"Content-Type: auth/request\n\n"


class FakeSwitch:
    """An event socket. `apis` says what a command answers; background jobs are ended by the test with `finish`."""

    def __init__(self, password: str = "secret") -> None:
        self.password = password
        self.greeting = GREETING
        self.commands: list[Command] = []
        self.apis: dict[str, Callable[[str], bytes]] = {}
        self.messages: Callable[[Command], bytes] = lambda command: reply()
        self.jobs: Queue = Queue()
        self.lines: list[Peer] = []
        self.open: set[Peer] = set()
        """Connections that the engine has not closed."""
        self.logged_in: Queue = Queue()
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()

    @property
    def port(self) -> int:
        return int(self._server.address[1])

    def _serve(self, sock: Any, _: Any) -> None:
        peer = Peer(sock)
        self.lines.append(peer)
        self.open.add(peer)
        try:
            peer.send(self.greeting)
            while (command := peer.read(deadline_s=60)) is not None:
                self.commands.append(command)
                peer.send(self._answer(peer, command))
        except OSError:
            pass
        finally:
            self.open.discard(peer)

    def _answer(self, peer: Peer, command: Command) -> bytes:
        word, _, rest = command.line.partition(" ")
        if word == "auth":
            if rest != self.password:
                return reply("-ERR invalid") + b"Content-Type: text/disconnect-notice\nContent-Length: 4\n\nBye\n"
            return reply("+OK accepted")
        if word == "event":
            self.logged_in.put(peer)
            return reply("+OK event listener enabled plain")
        if word == "bgapi":
            self.jobs.put((peer, command.headers["Job-UUID"], rest))
            return reply(f"+OK Job-UUID: {command.headers['Job-UUID']}", f"Job-UUID: {command.headers['Job-UUID']}\n")
        if word == "api":
            name, _, arguments = rest.partition(" ")
            behaviour = self.apis.get(name)
            return behaviour(arguments) if behaviour else api("+OK\n")
        return self.messages(command) if word == "sendmsg" else reply()

    def finish(self, text: str) -> str:
        """End the next background job with `text`; returns what was asked."""
        peer, job, asked = self.jobs.get(timeout=DEADLINE_S)
        peer.send(event("BACKGROUND_JOB", {"Job-UUID": job, "Job-Command": "originate"}, text.encode()))
        return str(asked)

    def said(self, what: str) -> list[str]:
        return [command.line for command in self.commands if command.line.startswith(what)]

    def drop(self) -> None:
        """Break all connections."""
        lines, self.lines = self.lines, []
        for peer in lines:
            peer.close()

    def close(self) -> None:
        self._server.stop()
        self.drop()


@contextmanager
def control_of(switch: FakeSwitch, **options: Any) -> Iterator[SwitchControl]:
    options = {"retry_first_s": 0.01, "keep_alive_s": 60, "password": "secret", **options}
    control = SwitchControl("127.0.0.1", switch.port, sessions=Sessions(), **options)
    control.start()
    try:
        yield control
    finally:
        control.close()
