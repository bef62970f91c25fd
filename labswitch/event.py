"""Events as FreeSWITCH writes them: an ordered list of headers, each value URL-encoded by itself.

The encoder keeps a peculiarity of FreeSWITCH on purpose: a `%` that already begins an escape is not
encoded again, so a caller's `x%0Ay` leaves the switch as it came. A controller that decodes the whole
block before it splits lines takes headers that the caller wrote, and must be able to learn that here.
"""

from __future__ import annotations

import json
import re

_UNSAFE = re.compile(r'%(?![0-9A-F]{2})|[^ -~]|[\r\n #&+:;<=>?@\[\\\]^`{|}"]')


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


TYPES = _names(
    """CUSTOM CHANNEL_CREATE CHANNEL_DESTROY CHANNEL_STATE CHANNEL_CALLSTATE CHANNEL_ANSWER CHANNEL_HANGUP
    CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HOLD CHANNEL_UNHOLD CHANNEL_BRIDGE
    CHANNEL_UNBRIDGE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_OUTGOING CHANNEL_PARK CHANNEL_UNPARK
    CHANNEL_APPLICATION CHANNEL_ORIGINATE CHANNEL_UUID CHANNEL_DATA API LOG HEARTBEAT BACKGROUND_JOB DTMF
    PLAYBACK_START PLAYBACK_STOP RECORD_START RECORD_STOP CALL_UPDATE STARTUP SHUTDOWN SESSION_HEARTBEAT
    DETECTED_SPEECH NOTALK TALK MESSAGE PRESENCE_IN RE_SCHEDULE MEDIA_BUG_START MEDIA_BUG_STOP ALL"""
)
"""Names that `event` and `nixevent` accept; others are ignored there, as FreeSWITCH does."""

VERBOSE = _names(
    """CHANNEL_CREATE CHANNEL_ORIGINATE CHANNEL_UUID CHANNEL_ANSWER CHANNEL_PARK CHANNEL_UNPARK CHANNEL_BRIDGE
    CHANNEL_UNBRIDGE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_DATA
    CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_DESTROY RECORD_START RECORD_STOP PLAYBACK_START PLAYBACK_STOP
    CALL_UPDATE CHANNEL_HOLD CHANNEL_UNHOLD CUSTOM"""
)
"""Channel events that carry the channel's variables; the others hold the basic headers only."""

MYEVENTS = _names(
    """CHANNEL_ANSWER CHANNEL_APPLICATION CHANNEL_BRIDGE CHANNEL_CREATE CHANNEL_DATA CHANNEL_DESTROY CHANNEL_EXECUTE
    CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_ORIGINATE CHANNEL_UUID
    CHANNEL_OUTGOING CHANNEL_PARK CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_STATE CHANNEL_UNBRIDGE
    CHANNEL_UNPARK DETECTED_SPEECH DTMF NOTALK TALK"""
)
"""What `myevents` subscribes to. Playback, recording and hold events are not among them."""


def encode(value: str) -> str:
    """One header value as FreeSWITCH encodes it; never encodes a `%` that begins an escape."""
    if not _UNSAFE.search(value):
        return value
    return _UNSAFE.sub(_escape, value)


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogateescape"))


class Event:
    """Headers in order, perhaps a body. Treat as frozen once fired: the text is built once for all listeners."""

    __slots__ = ("_index", "_json", "_plain", "body", "headers", "name", "subclass")

    def __init__(self, name: str, headers: list[tuple[str, str]], body: str = "", subclass: str = "") -> None:
        self.name = name
        self.subclass = subclass
        self.headers = headers
        self.body = body
        self._index: dict[str, str] | None = None
        self._plain: bytes | None = None
        self._json: bytes | None = None

    def get(self, header: str) -> str | None:
        """First header of that name, whatever its case."""
        if self._index is None:
            self._index = {}
            for name, value in self.headers:
                self._index.setdefault(name.lower(), value)
        return self._index.get(header.lower())

    def plain(self) -> bytes:
        """The event as `event plain` writes it, body included."""
        if self._plain is None:
            lines = [f"{name}: {encode(value) or '_undef_'}\n" for name, value in self.headers]
            body = self.body.encode("utf-8", "surrogateescape")
            if body:
                lines.append(f"Content-Length: {len(body)}\n")
            self._plain = "".join(lines).encode() + b"\n" + body
        return self._plain

    def json(self) -> bytes:
        """The event as `event json` writes it: one object of strings, the body as `_body`."""
        if self._json is None:
            fields = dict(self.headers)
            if self.body:
                fields["Content-Length"] = str(len(self.body.encode("utf-8", "surrogateescape")))
                fields["_body"] = self.body
            self._json = json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace")
        return self._json
