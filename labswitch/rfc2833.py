"""Telephone events (RFC 2833, now RFC 4733): keys as RTP packets, both directions."""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

DIGITS = "0123456789*#ABCD"
SAMPLES_PER_MS = 8
TICK_S = 0.02
TICK_SAMPLES = 160
END_PACKETS = 3
"""The end of a key is said three times, because nobody confirms it (RFC 4733, section 2.5.1.4)."""
GAP_TICKS = 3
"""Silence between two keys of one series: 60 ms."""
LOST_END_S = 0.15
"""A key whose packets stop without an end is taken as released after this time."""
_VOLUME = 10
_MAX_DURATION = 0xFFFF

_EVENT = struct.Struct("!BBH")


def event_payload(digit: str, duration_samples: int, *, end: bool) -> bytes:
    """The four bytes of one event packet."""
    flags = (0x80 if end else 0) | _VOLUME
    return _EVENT.pack(DIGITS.index(digit), flags, min(duration_samples, _MAX_DURATION))


class EventReceiver:
    """Turns event packets into keys, each reported once, when it was released.

    All packets of a key carry the timestamp at which it was pressed, so that is what tells keys apart.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, report: Callable[[str, int], None]) -> None:
        """`report(digit, duration_ms)` is called on `loop`."""
        self._loop = loop
        self._report = report
        self._pressed: tuple[int, str] | None = None
        self._duration = 0
        self._last_reported: int | None = None
        self._lost_end: asyncio.TimerHandle | None = None

    def received(self, timestamp: int, payload: bytes) -> None:
        """One packet of the telephone-event payload type."""
        if len(payload) < _EVENT.size:
            return
        event, flags, duration = _EVENT.unpack_from(payload)
        if event >= len(DIGITS) or timestamp == self._last_reported:
            return
        if self._pressed is not None and self._pressed[0] != timestamp:
            self._released()
        if self._pressed is None:
            self._pressed, self._duration = (timestamp, DIGITS[event]), 0
        self._duration = max(self._duration, duration)
        if flags & 0x80:
            self._released()
        else:
            self._watch()

    def close(self) -> None:
        """Forget a key that is still pressed."""
        self._pressed = None
        self._cancel_watch()

    def _released(self) -> None:
        self._cancel_watch()
        if self._pressed is None:
            return
        timestamp, digit = self._pressed
        self._pressed, self._last_reported = None, timestamp
        self._report(digit, self._duration // SAMPLES_PER_MS)

    def _watch(self) -> None:
        self._cancel_watch()
        self._lost_end = self._loop.call_later(LOST_END_S, self._released)

    def _cancel_watch(self) -> None:
        if self._lost_end is not None:
            self._lost_end.cancel()
            self._lost_end = None


@dataclass
class _Key:
    digit: str
    total_samples: int
    done: Callable[[], None] | None


class EventSender:
    """Sends keys one after the other, each as a series of packets 20 ms apart."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Callable[[bytes, bool, bool], None]) -> None:
        """`send(payload, first, last)` puts one event packet on the wire; `first` begins a key, `last` ends it."""
        self._loop = loop
        self._send = send
        self._keys: deque[_Key] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._elapsed_samples = 0
        self._ends_sent = 0
        self._gap_ticks = 0

    @property
    def active(self) -> bool:
        """Whether a key is on its way, so that audio must wait."""
        return bool(self._keys)

    def press(self, digit: str, duration_ms: int, done: Callable[[], None] | None = None) -> None:
        """Queue one key; `done` is called when its last packet was sent. Raises ValueError for what isn't a key."""
        if len(digit) != 1 or digit not in DIGITS:
            raise ValueError(f"not a key: {digit!r}")
        total = max(duration_ms * SAMPLES_PER_MS, TICK_SAMPLES)
        self._keys.append(_Key(digit, total, done))
        if self._timer is None:
            self._due = self._loop.time()
            self._tick()

    def close(self) -> None:
        """Stop at once; what wasn't sent is dropped, its `done` called."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._keys:
            self._finished(self._keys.popleft())

    def _tick(self) -> None:
        self._timer = None
        if self._gap_ticks:
            self._gap_ticks -= 1
        elif self._keys:
            self._send_one(self._keys[0])
        if self._keys or self._gap_ticks:
            self._due = max(self._due + TICK_S, self._loop.time())
            self._timer = self._loop.call_at(self._due, self._tick)

    def _send_one(self, key: _Key) -> None:
        first = self._elapsed_samples == 0
        self._elapsed_samples = min(self._elapsed_samples + TICK_SAMPLES, key.total_samples)
        end = self._elapsed_samples >= key.total_samples and not first
        if end:
            self._ends_sent += 1
        last = self._ends_sent == END_PACKETS
        self._send(event_payload(key.digit, self._elapsed_samples, end=end), first, last)
        if last:
            self._elapsed_samples, self._ends_sent, self._gap_ticks = 0, 0, GAP_TICKS
            self._finished(self._keys.popleft())

    @staticmethod
    def _finished(key: _Key) -> None:
        if key.done is not None:
            key.done()
