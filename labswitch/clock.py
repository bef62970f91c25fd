"""Time inside the lab switch: the event loop's clock and the 20 ms beat that moves all media.

Everything takes its time from the running loop, so a loop whose clock jumps (`labswitch.virtual.VirtualLoop`)
makes the whole switch run in no time at all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from labswitch.leg import FRAME_MS

_FRAME_S = FRAME_MS / 1000
_LATE_S = 0.2
"""A beat later than this is not caught up with: the machine was asleep or overloaded."""


class Clock:
    """Wall time that follows the loop's monotonic clock; `now_us` never steps back."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._start_us = time.time_ns() // 1000 - int(self._loop.time() * 1e6)

    def now_us(self) -> int:
        """Microseconds since 1970."""
        return self._start_us + int(self._loop.time() * 1e6)

    def monotonic(self) -> float:
        """Seconds of the loop's clock, for measuring durations."""
        return self._loop.time()


class Beat:
    """Calls `tick` every 20 ms while there is somebody to serve, then wakes whoever waits for the next frame."""

    def __init__(self, tick: Callable[[], bool]) -> None:
        self._loop = asyncio.get_running_loop()
        self._tick = tick
        self._waiting: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0

    def wait(self) -> asyncio.Future[None]:
        """A future that is done at the next beat. May be resolved earlier by whoever holds it."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(future)
        self.start()
        return future

    def start(self) -> None:
        """Beat from now on; harmless when it already does."""
        if self._timer is None:
            self._next = self._loop.time() + _FRAME_S
            self._timer = self._loop.call_at(self._next, self._run)

    def stop(self) -> None:
        """No beats any more; whoever waits is woken."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake()

    def _run(self) -> None:
        self._timer = None
        busy = self._tick()
        self._wake()
        if busy or self._waiting:
            self._next += _FRAME_S
            if self._loop.time() - self._next > _LATE_S:
                self._next = self._loop.time() + _FRAME_S
            self._timer = self._loop.call_at(self._next, self._run)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
