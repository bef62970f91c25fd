"""Event sockets: the control server that controllers log in to, and the connections of the application `socket`.

Both speak the same protocol: blocks of lines that end with an empty line, perhaps a body. What the commands do is
in `labswitch.esl_commands`.
"""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labswitch.config import is_true
from labswitch.esl_commands import perform
from labswitch.event import Event
from labswitch.state import State

if TYPE_CHECKING:
    from labswitch.channel import Channel
    from labswitch.switch import Switch

log = logging.getLogger("labswitch.esl")

FIRST_COMMAND_S = 25
"""A new connection must say something within this."""

GOODBYE = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"

_MAX_UNREAD_BYTES = 64 * 1024 * 1024
"""A listener that leaves more than this unread is cut off."""

_MAX_LINE = 1024 * 1024


@dataclass
class Command:
    """One block that a controller sent. Header names are lower case."""

    line: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


class Connection:
    """One socket, logged in or not, with its subscription. A `labswitch.switch.Listener`."""

    def __init__(
        self,
        switch: Switch,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        channel: Channel | None = None,
        full: bool = True,
    ) -> None:
        """`channel` makes it an outbound one, which is logged in already; `full` lets it use the whole switch."""
        self.switch = switch
        self.channel = channel
        self.full = full
        self.outbound = self.authenticated = channel is not None
        self.connected = False
        """`connect` was said: the channel may be parked."""
        self.finished = False
        self.running = True
        self.listening = False
        self.json = False
        self.names: set[str] = set()
        self.subclasses: set[str] = set()
        self.filters: list[tuple[str, str]] = []
        self.my_events = False
        self.linger_s: float | None = None
        """None: don't linger. Infinity: for ever."""
        self.resume = False
        self.jobs: set[asyncio.Task[None]] = set()
        self._reader = reader
        self._writer = writer
        self._reading: asyncio.Task[Any] | None = None
        self._over: asyncio.TimerHandle | None = None
        self._hold: asyncio.Future[None] | None = None

    # -- life --------------------------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Run the connection until either side has had enough."""
        self.switch.listeners.append(self)
        if self.channel is not None:
            self._hold = asyncio.get_running_loop().create_future()
            self.channel.keep_alive.append(self._hold)
        try:
            if not self.authenticated:
                self.write("Content-Type: auth/request\n\n")
            first = True
            while self.running:
                command = await self._next(FIRST_COMMAND_S if first else None)
                first = False
                if command is None:
                    break
                reply = await perform(self, command)
                if reply is not None:
                    self.reply(reply)
                await self._drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            log.info("event socket ends: %r", error)
        finally:
            self._finish()

    async def _next(self, limit_s: float | None) -> Command | None:
        """The next block; None at the end, or when `stop` was called meanwhile. Raises TimeoutError."""
        self._reading = asyncio.current_task()
        try:
            return await asyncio.wait_for(self._read(), limit_s)
        except asyncio.CancelledError:
            if self.running or self._reading is None:
                raise
            self._reading.uncancel()
            return None
        finally:
            self._reading = None

    def stop(self) -> None:
        """End the connection from our side; a command that is being performed is finished."""
        self.running = False
        if self._reading is not None:
            self._reading.cancel()

    def _finish(self) -> None:
        if self in self.switch.listeners:
            self.switch.listeners.remove(self)
        if self._over is not None:
            self._over.cancel()
        self.send_goodbye()
        self._writer.close()
        if self.outbound and self.channel is not None:
            self._let_go(self.channel)
        self.finished = True
        if self._hold is not None and not self._hold.done():
            self._hold.set_result(None)

    def _let_go(self, channel: Channel) -> None:
        """Who controlled the channel is gone: it leaves its park and goes on in the dialplan."""
        resume = self.resume or is_true(channel.variables.get("socket_resume"))
        if resume and not channel.moving and channel.state is not State.HIBERNATE:
            channel.set_state(State.RESET)
        channel.controlled = False
        channel.wake()

    async def _read(self) -> Command | None:
        """The next block, None at the end."""
        line = b"\n"
        while line.strip(b"\r\n") == b"":
            line = await self._reader.readline()
            if not line:
                return None
        command = Command(_text(line))
        while True:
            line = await self._reader.readline()
            if not line:
                return None
            if not line.strip(b"\r\n"):
                break
            name, colon, value = _text(line).partition(":")
            if colon:
                command.headers.setdefault(name.lower(), value.lstrip(" "))
        length = int(command.headers.get("content-length") or 0)
        if length > 0:
            command.body = (await self._reader.readexactly(length)).decode("utf-8", "surrogateescape")
        return command

    # -- writing -----------------------------------------------------------------------------------------------

    def write(self, text: str | bytes) -> None:
        """Send, unless the other side is gone."""
        if not self._writer.is_closing():
            self._writer.write(text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text)

    def reply(self, text: str) -> None:
        """`Reply-Text`; further headers may follow after a line break."""
        self.write(f"Content-Type: command/reply\nReply-Text: {text}\n\n")

    def send_api(self, text: str) -> None:
        """The answer to `api`."""
        body = text.encode("utf-8", "surrogateescape") or b"-ERR no reply\n"
        self.write(f"Content-Type: api/response\nContent-Length: {len(body)}\n\n".encode() + body)

    def send_goodbye(self) -> None:
        """The last notice before the connection is closed."""
        mine = ""
        if self.channel is not None:
            mine = f"Controlled-Session-UUID: {self.channel.uuid}\nContent-Disposition: disconnect\n"
        self.write(f"Content-Type: text/disconnect-notice\n{mine}Content-Length: {len(GOODBYE)}\n\n{GOODBYE}")

    async def _drain(self) -> None:
        if not self._writer.is_closing():
            await self._writer.drain()

    # -- labswitch.switch.Listener -----------------------------------------------------------------------------

    def wants(self, name: str, subclass: str) -> bool:
        """Whether it subscribed to such events at all."""
        if "ALL" in self.names:
            return True
        return name in self.names and (name != "CUSTOM" or not subclass or subclass in self.subclasses)

    def deliver(self, event: Event) -> None:
        """Send the event, unless a filter keeps it back."""
        if not self._passes(event):
            return
        transport = self._writer.transport
        if transport.get_write_buffer_size() > _MAX_UNREAD_BYTES:
            log.error("an event socket that doesn't read is cut off")
            self.stop()
            return
        kind, body = ("json", event.json()) if self.json else ("plain", event.plain())
        self.write(f"Content-Length: {len(body)}\nContent-Type: text/event-{kind}\n\n".encode() + body)

    def _passes(self, event: Event) -> bool:
        passes = True
        if self.filters:
            passes = _filtered(event, self.filters)
        if self.my_events:
            mine = self.channel.uuid if self.channel is not None else ""
            passes = passes and event.get("Unique-ID") == mine
            passes = passes or (bool(mine) and event.get("Job-Owner-UUID") == mine)
        return passes

    def channel_ending(self, channel: Channel) -> None:
        """Without `linger` the connection ends before CHANNEL_HANGUP_COMPLETE."""
        if channel is self.channel and self.linger_s is None:
            self.stop()
            if self in self.switch.listeners:
                self.switch.listeners.remove(self)

    def channel_ended(self, channel: Channel) -> None:
        """With `linger` it stays, and learns for how long."""
        if channel is not self.channel or self.linger_s is None:
            return
        seconds = -1 if self.linger_s == float("inf") else int(self.linger_s)
        self.write(
            "Content-Type: text/disconnect-notice\n"
            f"Controlled-Session-UUID: {channel.uuid}\nContent-Disposition: linger\n"
            f"Channel-Name: {channel.name}\nLinger-Time: {seconds}\nContent-Length: 0\n\n"
        )
        if seconds >= 0:
            self._over = asyncio.get_running_loop().call_later(seconds, self.stop)


def _text(line: bytes) -> str:
    return line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")


def _filtered(event: Event, filters: list[tuple[str, str]]) -> bool:
    """FreeSWITCH's rule: nothing passes but what one filter matches; a value that begins with `-` keeps out."""
    passes = False
    for name, wanted in filters:
        value = event.get(name)
        if value is None:
            continue
        keep = not wanted.startswith("-")
        wanted = wanted.lstrip("+- ")
        if passes and keep:
            continue
        if wanted.startswith("/"):
            matches = re.search(wanted.strip("/"), value) is not None
        else:
            matches = value.lower() == wanted.lower()
        if matches and not keep:
            return False
        passes = passes or matches
    return passes


class ControlServer:
    """Listens for controllers at `event_socket.conf`'s address."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[Connection] = set()

    async def start(self, ip: str, port: int) -> int:
        """Listen; port 0 lets the system choose. The port that it is. Raises OSError."""
        self._server = await asyncio.start_server(self._accept, ip, port, limit=_MAX_LINE)
        chosen: int = self._server.sockets[0].getsockname()[1]
        log.info("event socket on %s:%d", ip, chosen)
        return chosen

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self.serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One controller, on streams that are open already."""
        connection = Connection(self._switch, reader, writer)
        self._connections.add(connection)
        try:
            await connection.serve()
        finally:
            self._connections.discard(connection)

    async def close(self) -> None:
        """End all connections."""
        for connection in tuple(self._connections):
            connection.stop()
        if self._tasks:
            await asyncio.wait(set(self._tasks))
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
