"""What the pure parts may not reach for by themselves: time, identity, chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """The time of day."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01T00:00:00Z."""


class Ids(Protocol):
    """New identities."""

    def new(self) -> str:
        """A UUID in its canonical text form."""


class Offload(Protocol):
    """Runs the disk's work and returns its result: gevent's thread pool, so that a slow disk holds up no other call."""

    def __call__(self, work: Callable[[], T]) -> T: ...


def at_once(work: Callable[[], T]) -> T:
    """`Offload` that does the work here and now."""
    return work()
