"""Keeps the processes that belong together: stops them, the services that the others need last, and says which died."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

from callwright.local.process import Process, ProcessDied, ended, wait_for_exit


class Supervisor:
    """Processes in the order of their start. A process that ends without having been told to is a failure."""

    def __init__(self) -> None:
        self._kept: list[tuple[Process, Callable[[], None]]] = []

    def keep(self, process: Process, stop: Callable[[], None] | None = None) -> None:
        """Watch a process; `stop` ends it in another way than `process.stop`: a service, which the others need."""
        self._kept.append((process, stop or process.stop))

    def drop(self, process: Process) -> None:
        """Watch a process no longer."""
        self._kept = [each for each in self._kept if each[0] is not process]

    def check(self) -> None:
        """Raise ProcessDied for the first process that ended without having been told to."""
        for process, _ in self._kept:
            process.check()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until a process ends, and raise ProcessDied; return when the time is over."""
        watched = [process for process, _ in self._kept if not process.stopping]
        dead = wait_for_exit(watched, timeout_s)
        if dead is not None:
            raise ProcessDied(dead.name, ended(dead.popen.returncode), dead.tail())

    def stop(self) -> None:
        """Stop all: what is no service at once, then the rest, the last one first.

        Each is given its time and then killed; a second Ctrl-C is not needed.
        """
        with uninterrupted():
            for process, stop in self._kept:
                if stop == process.stop:
                    process.ask_to_stop()
            while self._kept:
                _, stop = self._kept.pop()
                stop()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP interrupt like Ctrl-C does, so that one way leads out."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handling((signal.SIGTERM, signal.SIGHUP), interrupt):
        yield


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Nothing interrupts, so that no process is forgotten half way."""
    with _handling((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), signal.SIG_IGN):
        yield


@contextlib.contextmanager
def _handling(
    signals: tuple[signal.Signals, ...], handler: signal.Handlers | Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    try:
        before = {each: signal.signal(each, handler) for each in signals}
    except ValueError:  # only the main thread may; another one is not interrupted anyway
        yield
        return
    try:
        yield
    finally:
        for each, old in before.items():
            signal.signal(each, old)
