"""The applications of the dialplan and of `sendmsg`, one file per family.

An application is a coroutine that takes the channel and its expanded argument. It is found by name in the
table that the decorator `app` fills; `session` and `execute` know nothing more about it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labswitch.channel import Channel

Run = Callable[["Channel", str], Awaitable[None]]


@dataclass(frozen=True)
class App:
    """An application and what must hold before it runs."""

    name: str
    run: Run
    needs_media: bool = False
    """An incoming call is pre-answered first."""
    after_hangup: bool = False
    """Runs on a call that has ended, too; all others are skipped in silence."""


_TABLE: dict[str, App] = {}
_FAMILIES = ("call", "variables", "play", "digits", "record", "connect", "supervise", "sock")


def app(name: str, needs_media: bool = False, after_hangup: bool = False) -> Callable[[Run], Run]:
    """Register a coroutine as the application `name`."""

    def register(run: Run) -> Run:
        _TABLE[name] = App(name, run, needs_media, after_hangup)
        return run

    return register


def find(name: str) -> App | None:
    """The application of that name, None for an unknown one."""
    return _TABLE.get(name)


def load() -> None:
    """Import every family, so that the table is full."""
    for family in _FAMILIES:
        import_module(f"labswitch.apps.{family}")
