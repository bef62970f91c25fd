"""One call as FreeSWITCH plays it on its outbound socket: replies to commands, runs applications, tells events.

Times as measured on FreeSWITCH (docs/decisions/0004-event-socket.md): an application begins at the next frame of
20 ms; those that wait behind a running one follow it at once.
"""

from __future__ import annotations

import asyncio
import uuid as uuids
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from callwright.bench.frames import api_response, frames, notice, reply

FRAME_S = 0.02
LINGER_S = 5.0
MY_EVENTS = frozenset({
    "CHANNEL_PARK", "CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_ANSWER", "DTMF", "CHANNEL_HANGUP",
    "CHANNEL_UNPARK", "CHANNEL_STATE", "CHANNEL_HANGUP_COMPLETE",
})  # fmt: skip
"""What `myevents` brought of such a call (tests/captured/data/menu_digit.esl)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """What the caller does. `key_after_s` None: waits in the menu until told to go on."""

    prompt_s: float = 0.3
    key_after_s: float | None = 0.2


@dataclass(slots=True)
class Done:
    """How far a call came."""

    answered: bool = False
    variables: int = 0
    prompt: bool = False
    menu: bool = False
    ordered_to_hang_up: bool = False
    faults: str = ""

    def missing(self, variables: int) -> str:
        """What did not happen to the call, empty when all did; `variables`: how many the controller sets."""
        wanted = {
            "not answered": self.answered,
            f"{self.variables} of {variables} variables set": self.variables >= variables,
            "prompt not played": self.prompt,
            "menu without a key": self.menu,
            "not hung up by the controller": self.ordered_to_hang_up,
        }
        return self.faults or ", ".join(what for what, done in wanted.items() if not done)


@dataclass(frozen=True, slots=True)
class _Application:
    name: str
    id: bytes


class PlayedCall(asyncio.Protocol):
    """The switch's side of one connection. `over` is set when it has ended, `in_menu` when the caller waits there."""

    def __init__(self, caller: Caller, on_hung_up: Callable[[bytes], None] = lambda frame: None) -> None:
        """`on_hung_up` is given the last event of the channel, for control connections that want it too."""
        self.id = str(uuids.uuid4()).encode()
        self.done = Done()
        loop = asyncio.get_running_loop()
        self.in_menu: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()
        self._caller = caller
        self._on_hung_up = on_hung_up
        self._loop = loop
        self._frames = frames()
        self._in = b""
        self._subscribed: frozenset[str] | None = frozenset()
        """None: all events."""
        self._linger = False
        self._waiting: deque[_Application] = deque()
        self._running: _Application | None = None
        self._due: asyncio.TimerHandle | None = None
        self._hung_up = False

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._out = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._due is not None:
            self._due.cancel()
        for future in (self.over, self.in_menu):
            if not future.done():
                future.set_result(None)

    def data_received(self, data: bytes) -> None:
        *commands, self._in = (self._in + data).split(b"\n\n")
        for command in commands:
            self._take(command.decode())

    def close(self) -> None:
        """End the connection, whatever state the call is in."""
        self._out.close()

    # Commands

    def _take(self, command: str) -> None:
        verb, _, rest = command.partition("\n")[0].partition(" ")
        match verb:
            case "connect":
                self._out.write(self._frames["connect"].fill(self.id))
            case "linger":
                self._linger = True
                self._out.write(reply(f"+OK will linger {rest} seconds" if rest else "+OK will linger"))
            case "myevents":
                self._subscribed = MY_EVENTS
                self._out.write(reply("+OK Events Enabled"))
                self._tell("park")
            case "event":
                names = frozenset(rest.split()[1:])
                self._subscribed = None if names & {"all", "ALL"} else names
                self._out.write(reply("+OK event listener enabled plain"))
                self._tell("park")
            case "filter":
                name, _, value = rest.partition(" ")
                self._out.write(reply(f"+OK filter added. [{name}]=[{value}]"))
            case "sendmsg":
                self._send_message(command)
            case "api":
                self._api(rest)
            case "exit":
                self._out.write(reply("+OK bye"))
                self._goodbye()
            case _:
                self.done.faults = f"unknown command {verb}"
                self._out.write(reply("-ERR command not found"))

    def _send_message(self, command: str) -> None:
        headers = dict(line.split(": ", 1) for line in command.split("\n")[1:] if ": " in line)
        name = headers.get("execute-app-name", "")
        if self._hung_up or headers.get("call-command") != "execute":
            self._out.write(reply("+OK" if self._hung_up else "-ERR invalid"))
            return
        self._out.write(reply("+OK"))
        self.done.ordered_to_hang_up |= name == "hangup"
        self._waiting.append(_Application(name, headers.get("Event-UUID", str(uuids.uuid4())).encode()))
        if self._running is None and self._due is None:
            self._due = self._loop.call_later(FRAME_S, self._begin)

    def _api(self, rest: str) -> None:
        name = rest.partition(" ")[0]
        self._out.write(api_response("+OK\n"))
        if name == "uuid_kill":
            self.done.ordered_to_hang_up = True
            self._loop.call_later(FRAME_S, self.hang_up)
        elif name == "uuid_answer":
            self.done.answered = True
            self._tell("answered")
        elif name == "uuid_break" and self._running is not None:
            self._complete()

    # Applications

    def _begin(self) -> None:
        self._due = None
        if self._hung_up or not self._waiting:
            return
        self._running = self._waiting.popleft()
        name = self._running.name
        if name == "hangup":
            self.hang_up()
            return
        if f"execute {name}" not in self._frames:
            self.done.faults = f"unknown application {name}"
            self.hang_up()
            return
        self._tell(f"execute {name}")
        if name == "answer":
            self.done.answered = True
            self._tell("answered")
            self._complete()
        elif name == "set":
            self.done.variables += 1
            self._complete()
        else:
            self._play()

    def _play(self) -> None:
        self._tell("playback start")
        if self._running is not None and self._running.name == "playback" and not self.done.prompt:
            self.done.prompt = True
            self._due = self._loop.call_later(self._caller.prompt_s, self._complete)
            return
        if self._caller.key_after_s is not None:
            self._due = self._loop.call_later(self._caller.key_after_s, self.press)
        if not self.in_menu.done():
            self.in_menu.set_result(None)

    def press(self) -> None:
        """The caller presses a key in the menu."""
        if self._running is not None and not self._hung_up:
            self.done.menu = True
            self._tell("key")
            self._complete()

    def _complete(self) -> None:
        running, self._running, self._due = self._running, None, None
        if running is None or self._hung_up:
            return
        if running.name in ("playback", "play_and_get_digits"):
            self._tell("playback stop")
        self._tell(f"complete {running.name}", running)
        if self._waiting:
            self._begin()

    # Events

    def _tell(self, name: str, application: _Application | None = None) -> None:
        frame = self._frames[name]
        if self._subscribed is None or frame.event in self._subscribed:
            application = application or self._running
            self._out.write(frame.fill(self.id, application.id if application else b""))

    def tell_foreign(self, copies: int) -> None:
        """Tell this often that an application has completed which the controller did not start."""
        frame = self._frames["complete set"]
        self._out.write(b"".join(frame.fill(self.id, str(uuids.uuid4()).encode()) for _ in range(copies)))

    # How it ends

    def hang_up(self, *, by_caller: bool = False) -> None:
        """The channel's end: events in the order in which they were captured, then the socket's."""
        if self._hung_up or self._out.is_closing():
            return
        running, self._running = self._running, None
        self._hung_up = True
        if by_caller:
            self._tell("caller hangup")
            if running is not None:
                self._tell("caller complete playback", running)
            told = ["caller complete socket", "caller hangup complete"]
        else:
            if self._linger:
                self._out.write(notice("lingering", self.id))
            told = ["hangup", "unpark", "complete socket", "state reporting", "hangup complete"]
        for name in told:
            self._tell(name)
        if self._linger and by_caller:
            self._out.write(notice("lingering", self.id))
        self._on_hung_up(self._frames[told[-1]].fill(self.id))
        self._loop.call_later(LINGER_S if self._linger else 0, self._goodbye)

    def _goodbye(self) -> None:
        if not self._out.is_closing():
            self._out.write(notice("goodbye", self.id))
            self._out.close()
