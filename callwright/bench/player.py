"""Plays FreeSWITCH to a controller: many calls on outbound sockets, and the event socket that engines connect to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from callwright.bench.frames import api_response, reply
from callwright.bench.played import Caller, PlayedCall

CALL_DEADLINE_S = 60.0
"""How long a call may take beyond what the caller needs; a controller that is slower has lost it."""
OPENED_AT_ONCE = 10
"""Calls on their way into the menu at one time: a controller is not to drown while waiting calls are set up."""
_PIECE = 50

Address = tuple[str, int]


@dataclass(slots=True)
class Played:
    """What became of some calls. `late_s`: the latest that the player was with anything it had planned."""

    calls: int = 0
    late_s: float = 0.0
    faults: list[str] = field(default_factory=list)

    def add(self, other: Played) -> None:
        """Count those of another part in."""
        self.calls += other.calls
        self.late_s = max(self.late_s, other.late_s)
        self.faults += other.faults


class PlayedSwitch:
    """All of a switch that controllers see. `variables`: how many variables each call must have been given."""

    def __init__(self, address: Address, variables: int) -> None:
        self._address = address
        self._variables = variables
        self._controls: list[PlayedControl] = []
        self._server: asyncio.Server | None = None

    async def listen(self, port: int) -> None:
        """Open the event socket, on loopback."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: PlayedControl(self._controls), "127.0.0.1", port)

    async def close(self) -> None:
        """Close the event socket."""
        if self._server is not None:
            self._server.close()
            for control in list(self._controls):
                control.close()
            await self._server.wait_closed()

    async def play(self, count: int, per_second: float) -> Played:
        """Calls at a steady rate, each from its beginning to its end."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        played = Played(count)
        tasks = []
        for number in range(count):
            planned = began + number / per_second
            await asyncio.sleep(max(planned - loop.time(), 0))
            played.late_s = max(played.late_s, loop.time() - planned)
            tasks.append(asyncio.create_task(self._whole_call(played)))
        await asyncio.gather(*tasks)
        return played

    async def open(self, count: int, played: Played) -> Sequence[PlayedCall]:
        """Calls whose caller waits in the menu."""
        places = asyncio.Semaphore(OPENED_AT_ONCE)

        async def one() -> PlayedCall | None:
            async with places:
                call = await self._connected(Caller(prompt_s=0.05, key_after_s=None), played)
                if call is not None and await _within(call.in_menu):
                    return call
                if call is not None:
                    played.faults.append("did not reach the menu")
                    call.close()
                return None

        played.calls += count
        found = await asyncio.gather(*(one() for _ in range(count)))
        return [call for call in found if call is not None]

    async def hang_up(self, calls: Sequence[PlayedCall], played: Played, per_second: float = 100) -> None:
        """The callers hang up, one after the other."""
        for call in calls:
            call.hang_up(by_caller=True)
            await asyncio.sleep(1 / per_second)
        for call in calls:
            await self._end(call, played, whole=False)

    async def burst(self, calls: Sequence[PlayedCall], events: int, played: Played) -> None:
        """So many events on each call, as fast as the controller takes them; then the caller presses the key.

        Returns when all calls have ended, which takes that every event before was handled.
        """
        for first in range(0, events, _PIECE):
            for call in calls:
                call.tell_foreign(min(_PIECE, events - first))
            await asyncio.sleep(0)
        for call in calls:
            call.press()
        for call in calls:
            await self._end(call, played, whole=True)

    async def _whole_call(self, played: Played) -> None:
        call = await self._connected(Caller(), played)
        if call is not None:
            await self._end(call, played, whole=True)

    async def _connected(self, caller: Caller, played: Played) -> PlayedCall | None:
        loop = asyncio.get_running_loop()
        try:
            _, call = await loop.create_connection(lambda: PlayedCall(caller, self._on_hung_up), *self._address)
        except OSError as fault:
            played.faults.append(f"no connection: {fault.strerror or fault}")
            return None
        return call

    async def _end(self, call: PlayedCall, played: Played, *, whole: bool) -> None:
        if not await _within(call.over):
            played.faults.append("no end within the deadline")
            call.close()
        elif whole and (missing := call.done.missing(self._variables)):
            played.faults.append(missing)

    def _on_hung_up(self, frame: bytes) -> None:
        for control in self._controls:
            control.tell_hangup(frame)


class PlayedControl(asyncio.Protocol):
    """The switch's side of a connection to its event socket, as far as an engine without conversations needs it."""

    def __init__(self, all_of_them: list[PlayedControl]) -> None:
        self._all = all_of_them
        self._in = b""
        self._subscribed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._out = cast("asyncio.Transport", transport)
        self._all.append(self)
        self._out.write(b"Content-Type: auth/request\n\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.remove(self)

    def data_received(self, data: bytes) -> None:
        *commands, self._in = (self._in + data).split(b"\n\n")
        for command in commands:
            self._take(command.decode())

    def tell_hangup(self, frame: bytes) -> None:
        """The last event of a channel that our dialplan has marked."""
        if self._subscribed:
            self._out.write(frame)

    def close(self) -> None:
        """End the connection."""
        self._out.close()

    def _take(self, command: str) -> None:
        if command.startswith("auth "):
            self._out.write(reply("+OK accepted"))
        elif command.startswith("api uuid_exists"):
            self._out.write(api_response("false"))
        elif command.startswith("api show channels"):
            self._out.write(api_response('{"row_count":0}'))
        elif command.startswith("api "):
            self._out.write(api_response("+OK\n"))
        else:
            self._subscribed |= command.startswith("event ")
            self._out.write(reply("+OK"))


async def _within(future: asyncio.Future[None]) -> bool:
    done, _ = await asyncio.wait([future], timeout=CALL_DEADLINE_S)
    return bool(done)
