"""What the pure parts may not reach for by themselves: time, identity, chance."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """The time of day."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01T00:00:00Z."""


class Ids(Protocol):
    """New identities."""

    def new(self) -> str:
        """A UUID in its canonical text form."""
