"""Waiting for something that comes once, at a third of what gevent's `AsyncResult` with a `Timeout` costs.

A call waits some ten times, for answers and for completions; none of these waits needs links or an exception to carry
its deadline.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import gevent
from gevent.hub import Waiter

T = TypeVar("T")


class Once(Generic[T]):
    """A value that comes once. Any number of greenlets may wait for it; it may be set from the event loop too."""

    __slots__ = ("_waiters", "ready", "value")

    def __init__(self) -> None:
        self.ready = False
        self.value: T | None = None
        self._waiters: list[Waiter] | None = None

    def set(self, value: T | None = None) -> None:
        """Waiters go on after the current turn of the event loop. A second value is dropped."""
        if self.ready:
            return
        self.ready = True
        self.value = value
        if self._waiters:
            run = gevent.get_hub().loop.run_callback
            for waiter in self._waiters:
                run(waiter.switch, None)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether it has come within the time; None waits without a limit."""
        if self.ready:
            return True
        hub = gevent.get_hub()
        waiter = Waiter(hub)
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(waiter)
        timer = None
        if timeout_s is not None:
            timer = hub.loop.timer(max(timeout_s, 0.0))
            timer.start(waiter.switch, None)
        try:
            waiter.get()
        finally:
            # A switch that is still on its way finds nobody waiting here any more and does nothing.
            self._waiters.remove(waiter)
            if timer is not None:
                timer.stop()
                timer.close()
        return self.ready
