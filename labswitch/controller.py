"""A bare controller for the lab switch's own tests: sends blocks, keeps every frame that comes back.

Not the engine's adapter, and deliberately unlike it, so that a fault in one does not hide in the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from labswitch.switch import Streams


@dataclass(frozen=True)
class Frame:
    """One frame from the switch: the outer headers as sent, and those of the event inside it, if there is one."""

    headers: dict[str, str]
    event: dict[str, str]
    body: str
    at_s: float

    @property
    def kind(self) -> str:
        """`Content-Type`."""
        return self.headers.get("Content-Type", "")

    @property
    def name(self) -> str:
        """`Event-Name`, empty for other frames."""
        return self.event.get("Event-Name", "")

    def value(self, name: str) -> str:
        """A header of the event or of the frame, decoded; empty where there is none."""
        return unquote(self.event.get(name) or self.headers.get(name, ""))


class Controller:
    """The other end of an event socket."""

    def __init__(self, streams: Streams) -> None:
        self._reader, self._writer = streams
        self.frames: list[Frame] = []
        self.closed = False
        self._news = asyncio.Condition()
        self._task = asyncio.get_running_loop().create_task(self._read_all())

    def send(self, block: str) -> None:
        """One block; the empty line is added."""
        if not self._writer.is_closing():
            self._writer.write(block.rstrip("\n").encode() + b"\n\n")

    def execute(self, app: str, argument: str = "", event_uuid: str = "", lock: bool = False) -> None:
        """`sendmsg` for one application."""
        lines = ["sendmsg", "call-command: execute", f"execute-app-name: {app}"]
        lines += [f"execute-app-arg: {argument}"] if argument else []
        lines += [f"Event-UUID: {event_uuid}"] if event_uuid else []
        lines += ["event-lock: true"] if lock else []
        self.send("\n".join(lines))

    async def wait_for(self, wanted: Callable[[Frame], bool], limit_s: float = 30, count: int = 1) -> Frame:
        """The `count`-th frame that is wanted, from the beginning on. Raises TimeoutError."""

        def found() -> list[Frame]:
            return [frame for frame in self.frames if wanted(frame)]

        async def look() -> Frame:
            async with self._news:
                await self._news.wait_for(lambda: len(found()) >= count or self.closed)
            if len(found()) < count:
                raise EOFError("the connection ended before the frame came")
            return found()[count - 1]

        return await asyncio.wait_for(look(), limit_s)

    async def event(self, name: str, limit_s: float = 30, **values: str) -> Frame:
        """The first event of that name with these values (`_` stands for `-` in header names)."""

        def wanted(frame: Frame) -> bool:
            return frame.name == name and all(frame.value(k.replace("_", "-")) == v for k, v in values.items())

        return await self.wait_for(wanted, limit_s)

    async def completed(self, event_uuid: str, limit_s: float = 30) -> Frame:
        """CHANNEL_EXECUTE_COMPLETE of what was started with that Event-UUID."""
        return await self.event("CHANNEL_EXECUTE_COMPLETE", limit_s, Application_UUID=event_uuid)

    async def ask(self, block: str, limit_s: float = 30) -> Frame:
        """Send, and wait for the next reply to come."""
        answers = ("command/reply", "api/response")
        count = sum(frame.kind in answers for frame in self.frames)
        self.send(block)
        return await self.wait_for(lambda frame: frame.kind in answers, limit_s, count + 1)

    async def ended(self, limit_s: float = 30) -> None:
        """Wait until the switch has closed the connection."""
        await asyncio.wait_for(asyncio.shield(self._task), limit_s)

    async def close(self) -> None:
        """Hang up the connection from this side."""
        self._writer.close()
        await asyncio.wait({self._task})

    async def _read_all(self) -> None:
        try:
            while (frame := await self._read()) is not None:
                self.frames.append(frame)
                async with self._news:
                    self._news.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.closed = True
            async with self._news:
                self._news.notify_all()
            self._writer.close()

    async def _read(self) -> Frame | None:
        headers = await self._block()
        if not headers:
            return None
        body = ""
        if "Event-Name" not in headers:
            body = (await self._reader.readexactly(int(headers.get("Content-Length", "0")))).decode()
        now_s = asyncio.get_running_loop().time()
        if headers.get("Content-Type") == "text/event-plain":
            block, _, rest = body.partition("\n\n")
            return Frame(headers, _parse(block.split("\n")), rest, now_s)
        return Frame(headers, headers if "Event-Name" in headers else {}, body, now_s)

    async def _block(self) -> dict[str, str]:
        lines: list[str] = []
        while line := (await self._reader.readline()).decode().rstrip("\n"):
            lines.append(line)
        return _parse(lines)


def _parse(lines: list[str]) -> dict[str, str]:
    """Values stay as sent; the first of a name counts."""
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(": ")
        if colon:
            found.setdefault(name, value)
    return found
