"""Writing to a socket without ever waiting: at once as much as it takes, the rest from the event loop."""

from __future__ import annotations

import _socket
import time
from collections.abc import Callable
from typing import Any

import gevent

_WRITE = 2
_TIMERS_S = 0.05
"""By how much two timers that were started one after the other for the same time may differ, the first to the second.
"""


class Writer:
    """What goes out over one socket, which must not block. `on_fault` is told once why nothing can be written any more.

    One write costs one system call and nothing else, as long as the socket has room, which it nearly always has.
    """

    def __init__(self, sock: _socket.socket, on_fault: Callable[[str], None]) -> None:
        self._sock = sock
        self._on_fault = on_fault
        self._out: list[bytes] = []
        self._rest: memoryview | None = None
        """What the socket had no room for: the end of a command, or more. All else must wait behind it."""
        self._until_s = 0.0
        self._watchers: list[Any] = []

    @property
    def pending(self) -> bool:
        """Something has not been written."""
        return bool(self._out) or self._rest is not None

    def add(self, data: bytes) -> None:
        """Have `data` written with the next `flush`."""
        self._out.append(data)

    def flush(self, deadline_s: float) -> None:
        """Write everything that was added. What the socket does not take within the deadline is a fault."""
        if self._rest is None and self._out:
            self._write(deadline_s)

    def overdue(self) -> bool:
        """Asked at the deadline of a command: whether the socket has not even taken it; told to `on_fault` then."""
        if self._rest is None or time.monotonic() < self._until_s - _TIMERS_S:
            return False
        self._on_deadline()
        return True

    def clear(self) -> None:
        """Write nothing any more."""
        self._out.clear()
        self._rest = None
        self._unwatch()

    def _write(self, deadline_s: float) -> None:
        data = b"".join(self._out)
        self._out.clear()
        sent = self._send(data)
        if sent is not None and sent < len(data):
            self._rest = memoryview(data)[sent:]
            self._until_s = time.monotonic() + deadline_s
            loop = gevent.get_hub().loop
            room, deadline = loop.io(self._sock.fileno(), _WRITE), loop.timer(deadline_s)
            self._watchers = [room, deadline]
            room.start(self._on_room)
            deadline.start(self._on_deadline)

    def _send(self, data: bytes | memoryview) -> int | None:
        """How much was taken; None after a fault."""
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0
        except OSError as fault:
            self._on_fault(f"writing to the switch failed: {fault}")
            return None

    def _on_room(self) -> None:
        if self._rest is None:
            return
        sent = self._send(self._rest)
        if sent is None or self._rest is None:
            return
        if sent < len(self._rest):
            self._rest = self._rest[sent:]
            return
        deadline_s = max(self._until_s - time.monotonic(), 0.0)
        self._rest = None
        self._unwatch()
        if self._out:
            self._write(deadline_s)

    def _on_deadline(self) -> None:
        # Half a command may be on the wire: nothing that follows could be understood.
        self._on_fault("writing a command was broken off: the switch took nothing until the deadline")

    def _unwatch(self) -> None:
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            watcher.stop()
            watcher.close()
