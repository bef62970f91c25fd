"""The commands behind `api` and `bgapi`, one file per family.

A command is a coroutine that takes the switch and the text after its name, and answers with the text that FreeSWITCH
would print, line break included.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labswitch.switch import Switch

Run = Callable[["Switch", str], Awaitable[str]]

NO_CHANNEL = "-ERR No such channel!\n"

_TABLE: dict[str, Run] = {}
_FAMILIES = ("call", "channel", "info", "inside", "sofia")


def command(name: str) -> Callable[[Run], Run]:
    """Register a coroutine as the API command `name`."""

    def register(run: Run) -> Run:
        _TABLE[name] = run
        return run

    return register


async def run(switch: Switch, name: str, arguments: str) -> str | None:
    """The answer, None for a command that doesn't exist."""
    found = _TABLE.get(name.lower())
    return await found(switch, arguments.strip()) if found is not None else None


def run_now(switch: Switch, name: str, arguments: str) -> str | None:
    """The answer of a command that needs not wait, for `${name(arguments)}`; None for all others."""
    found = _TABLE.get(name.lower())
    if found is None:
        return None
    working = found(switch, arguments.strip())
    try:
        working.send(None)  # type: ignore[attr-defined]
    except StopIteration as done:
        return str(done.value)
    working.close()  # type: ignore[attr-defined]
    return None


def load() -> None:
    """Import every family, so that the table is full."""
    for family in _FAMILIES:
        import_module(f"labswitch.api.{family}")
