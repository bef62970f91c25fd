"""Frames of FreeSWITCH's event socket: bytes in, frames out, headers found when somebody asks for them.

A block of headers is split into lines first and each value is decoded after, never the other way round: FreeSWITCH
leaves an escape that a caller wrote (`%0A` in a User-Agent) as it is, so whoever decodes before splitting reads
headers that the caller forged. Decoded values may hold line breaks; they are data here, and hostile to whoever writes
them into a command.

An event carries about 160 headers of which two or three are read, so a frame keeps the bytes and looks a header up on
demand.

Errors: `FrameError`, after which the stream has no meaning any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes

MAX_HEAD_BYTES = 256 * 1024
"""The longest block of headers that is taken; `connect` answers about 6 KB."""
MAX_BODY_BYTES = 16 * 1024 * 1024
"""The longest body that is taken; `show channels` of thousands of calls is a few MB."""

EVENT = "text/event-plain"
COMMAND_REPLY = "command/reply"
API_RESPONSE = "api/response"
AUTH_REQUEST = "auth/request"
DISCONNECT_NOTICE = "text/disconnect-notice"
RUDE_REJECTION = "text/rude-rejection"

_MAX_LENGTH_DIGITS = 10
_END = b"\n\n"
_EVENT_HEAD = b"\nContent-Type: text/event-plain\n"
_EVENT_START = re.compile(rb"Content-Length: ([0-9]{1,10})\nContent-Type: text/event-plain\n\n")
"""What nearly every event begins with; all else is read header by header."""
_BLANKS = re.compile(rb"[\r\n]*")
_BODILESS = (b"\nEvent-Name: CHANNEL_", b"\nEvent-Name: DTMF\n")
"""Events that never have a body: looking for the end of their headers would cost more than reading them."""


class FrameError(ValueError):
    """What came is no frame: a block or body beyond its limit, or a length that is no number."""


@lru_cache(maxsize=2048)
def _needle(name: str) -> bytes:
    """What a header's line begins with, the line break before it included, so that only whole names match."""
    return b"\n" + name.encode("utf-8", "replace") + b": "


def _decoded(raw: bytes) -> str:
    if b"%" in raw:
        raw = unquote_to_bytes(raw)
    return raw.decode("utf-8", "replace")


class Frame:
    """One frame. `get` reads a header: of the event where it is one, else of the frame itself."""

    __slots__ = ("_block", "_limit", "_text", "content_type")

    def __init__(self, head: bytes, body: bytes) -> None:
        """`head` and `body` both begin with the line break that stands before them."""
        self._text: bytes | None
        if head.endswith(_EVENT_HEAD):
            self.content_type = EVENT
        else:
            self.content_type = _plain(head, b"\nContent-Type: ")
        if self.content_type == EVENT:
            self._block, self._text = body, None
            self._limit = len(body) if body.startswith(_BODILESS) else body.find(_END) + 1 or len(body)
        else:
            self._block, self._text = head, body[1:]
            self._limit = len(head)

    def get(self, name: str, default: str | None = None) -> str | None:
        """The decoded value of the first header `name`, spelt exactly so; `default` where there is none."""
        needle = _needle(name)
        start = self._block.find(needle, 0, self._limit)
        if start < 0:
            return default
        start += len(needle)
        end = self._block.find(b"\n", start, self._limit)
        return _decoded(self._block[start : end if end >= 0 else self._limit])

    def __contains__(self, name: str) -> bool:
        return self._block.find(_needle(name), 0, self._limit) >= 0

    @property
    def name(self) -> str:
        """The event's name; empty where the frame is no event."""
        return (self.get("Event-Name") or "") if self.content_type == EVENT else ""

    @property
    def headers(self) -> Mapping[str, str]:
        """All headers as a mapping that still looks them up on demand."""
        return HeaderView(self)

    @property
    def body(self) -> str:
        """The text behind the headers: an API's answer, the outcome of a background job; empty where there is none."""
        if self._text is None:
            self._text = self._block[self._limit + 1 :]
        return self._text.decode("utf-8", "replace")

    @property
    def reply(self) -> str:
        """What the switch answered to a command: the reply's text, or the API's answer, without blanks around."""
        if self.content_type == API_RESPONSE:
            return self.body.strip()
        return (self.get("Reply-Text") or "").strip()

    @property
    def data(self) -> str:
        """The same under greenswitch's name, with the body where the frame is an event."""
        return self.body if self.content_type == EVENT else self.reply

    @property
    def refused(self) -> bool:
        """The switch said no."""
        return self.reply.startswith(("-ERR", "-USAGE"))

    def names(self, prefix: str = "") -> Iterator[str]:
        """The names of all headers that begin with `prefix`, in their order."""
        for line in self._block[1 : self._limit].split(b"\n"):
            name, colon, _ = line.partition(b": ")
            if colon:
                text = name.decode("utf-8", "replace")
                if text.startswith(prefix):
                    yield text

    def __repr__(self) -> str:
        return f"<Frame {self.content_type or 'without type'} {self.name} {len(self._block)} bytes>"


class HeaderView(Mapping[str, str]):
    """The headers of a frame that begin with `prefix`, under what follows it; read when asked for."""

    __slots__ = ("_frame", "_prefix")

    def __init__(self, frame: Frame, prefix: str = "") -> None:
        self._frame = frame
        self._prefix = prefix

    def __getitem__(self, key: str) -> str:
        value = self._frame.get(self._prefix + key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and (self._prefix + key) in self._frame

    def __iter__(self) -> Iterator[str]:
        seen = set()
        for name in self._frame.names(self._prefix):
            if name not in seen:
                seen.add(name)
                yield name[len(self._prefix) :]

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _plain(block: bytes, needle: bytes) -> str:
    """A header of the frame itself that is never encoded."""
    start = block.find(needle)
    if start < 0:
        return ""
    start += len(needle)
    return block[start : block.find(b"\n", start)].decode("utf-8", "replace").strip()


def _content_length(head: bytes, most: int) -> int:
    text = _plain(head, b"\nContent-Length: ")
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_LENGTH_DIGITS):
        raise FrameError(f"a body of {text[:40]!r} bytes")
    return _checked_length(int(text), most)


def _checked_length(length: int, most: int) -> int:
    if length > most:
        raise FrameError(f"a body of {length} bytes, more than {most}")
    return length


class FrameReader:
    """Cuts a stream of bytes into frames, however it arrives. Each byte is looked at once.

    What comes is cut where it lies. Only a frame that has not fully come is put together, and looked at again when
    enough is there.
    """

    def __init__(self, max_head_bytes: int = MAX_HEAD_BYTES, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._max_head = max_head_bytes
        self._max_body = max_body_bytes
        self._data = b""
        self._at = 0
        """Up to here `_data` has been cut into frames."""
        self._part = bytearray()
        """The beginning of a frame whose rest has not come."""
        self._wanted = 0
        """How long the frame in `_part` is; 0 while its headers have not ended."""
        self._searched = 0
        """Up to here there is no end of a block of headers in `_part`."""

    @property
    def pending(self) -> int:
        """Bytes that have come and belong to a frame that is not complete."""
        return len(self._part) + len(self._data) - self._at

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes, yield the frames that they complete. Frames before a fault are yielded before it is raised.

        Whoever stops half-way gets the other frames with the next bytes, or with none.
        """
        self._add(data)
        while self._data:
            frame = self._next()
            if frame is None:
                return
            yield frame

    def _add(self, data: bytes) -> None:
        if self._at < len(self._data):
            self._data = self._data[self._at :] + data
            self._at = 0
            return
        if self._part:
            self._part += data
            if not self._worth_looking():
                data = b""
            else:
                data = bytes(self._part)
                self._part = bytearray()
        self._data, self._at = data, 0

    def _worth_looking(self) -> bool:
        """Whether the part that was kept may now be a frame, or too long for one."""
        if self._wanted:
            return len(self._part) >= self._wanted
        if self._part.find(_END, self._searched) >= 0 or len(self._part) > self._max_head:
            return True
        self._searched = max(len(self._part) - 1, 0)
        return False

    def _next(self) -> Frame | None:
        """The next frame, its bytes taken; None where it has not fully come."""
        data = self._data
        start = self._at = self._without_blanks(self._at)
        event = _EVENT_START.match(data, start)
        if event is not None:
            head, body = _EVENT_HEAD, event.end() - 1
            length = _checked_length(int(event[1]), self._max_body)
        else:
            found = data.find(_END, start)
            if found < 0:
                self._keep(0)
                return None
            if found - start > self._max_head:
                raise FrameError(f"headers of {found - start} bytes, more than {self._max_head}")
            head, body = b"\n" + data[start : found + 1], found + 1
            length = _content_length(head, self._max_body)
        end = body + 1 + length
        if end > len(data):
            self._keep(end - start)
            return None
        # At the end nothing is held on to: a call waits for minutes.
        self._data, self._at = (data, end) if end < len(data) else (b"", 0)
        return Frame(head, data[body:end])

    def _keep(self, wanted: int) -> None:
        """Put what is left aside until more comes."""
        left = len(self._data) - self._at
        if not wanted and left > self._max_head:
            raise FrameError(f"headers longer than {self._max_head} bytes")
        self._part = bytearray(memoryview(self._data)[self._at :])
        self._wanted, self._searched = wanted, max(left - 1, 0)
        self._data, self._at = b"", 0

    def _without_blanks(self, at: int) -> int:
        """Where the next block begins: line breaks between two are skipped."""
        if self._data.startswith((b"\n", b"\r"), at):
            blanks = _BLANKS.match(self._data, at)
            return blanks.end() if blanks else at
        return at
