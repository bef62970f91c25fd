"""The one thread of a process in which everything of SIP happens.

`sippy` keeps its timers in one dispatcher per process and is not thread-safe. So one thread owns it: an asyncio loop
that reads the SIP sockets and fires sippy's timers when they are due. sippy's own loop is not used: it wakes up a
hundred times a second and is called from other threads by a signal (SIGURG).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from heapq import heapify
from typing import Any, ClassVar, TypeVar

from sippy.Core.EventDispatcher import ED2
from sippy.Time.MonoTime import MonoTime

log = logging.getLogger(__name__)

CALL_TIMEOUT_S = 10.0

T = TypeVar("T")


class SipThread:
    """Get it with `SipThread.get()`; it starts on first use and ends with the process."""

    _instance: ClassVar[SipThread | None] = None
    _instance_lock: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def get(cls) -> SipThread:
        """The process's SIP thread."""
        with cls._instance_lock:
            if cls._instance is None:
                cls._instance = cls()
            return cls._instance

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._wake: asyncio.TimerHandle | None = None
        self._thread = threading.Thread(target=self._run, name="sip", daemon=True)
        self._thread.start()

    def post(self, function: Callable[..., object], *args: object) -> None:
        """Run `function` on the SIP thread, soon. From any thread."""
        self.loop.call_soon_threadsafe(self.enter, function, *args)

    def run(self, function: Callable[..., T], *args: object, timeout_s: float = CALL_TIMEOUT_S) -> T:
        """Run `function` on the SIP thread and wait for its result. From any other thread.

        Raises what the function raises, TimeoutError when it took longer than `timeout_s`.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("run() would wait for its own thread")
        future: Future[T] = Future()

        def call() -> None:
            try:
                future.set_result(function(*args))
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
                future.set_exception(error)

        self.post(call)
        return future.result(timeout_s)

    def enter(self, function: Callable[..., object], *args: object) -> None:
        """Run `function` now, on this thread, and see to the timers that it set. Its faults are logged, not raised:
        what one packet or one call does wrong must not end the thread."""
        try:
            function(*args)
        except Exception:
            log.exception("fault on the SIP thread")
        self._arm()

    def _run(self) -> None:
        ED2.my_ident = threading.get_ident()
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def _arm(self) -> None:
        """Wake up when sippy's next timer is due."""
        timers = ED2.tlisteners
        if not timers:
            return
        due_s = timers[0].etime.monot
        if self._wake is not None:
            if not self._wake.cancelled() and self._wake.when() <= due_s:
                return
            self._wake.cancel()
        self._wake = self.loop.call_at(due_s, self._timers_due)

    def _timers_due(self) -> None:
        self._wake = None
        ED2.last_ts = MonoTime()
        self.enter(ED2.dispatchTimers)
        if ED2.twasted * 2 > len(ED2.tlisteners):
            _forget_cancelled_timers()


def _forget_cancelled_timers() -> None:
    live: list[Any] = [timer for timer in ED2.tlisteners if timer.cb_func is not None]
    heapify(live)
    ED2.tlisteners = live
    ED2.twasted = 0
