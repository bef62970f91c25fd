"""A `SwitchChannel` and the scripted switch behind it, for the tests of the channel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gevent.event import Event

from engine.switch.adapter import SwitchChannel
from engine.switch.outbound import OutboundSession
from tests.unit.switch.peer import (
    Command,
    FakeCall,
    api,
    complete,
    key,
    pair,
)

A, B, C = "/srv/a.wav", "/srv/b.wav", "/srv/c.wav"
OPTIONS: dict[str, Any] = {"max_digits": 4, "timeout_ms": 100, "interdigit_timeout_ms": 60, "terminators": "#"}


class Bench:
    """A channel and the switch behind it."""

    def __init__(self, call: FakeCall, channel: SwitchChannel) -> None:
        self.call = call
        self.channel = channel
        self.breaks = 0
        self._holding: Command | None = None
        call.apps["playback"] = self.play
        call.apis["uuid_break"] = self.break_off
        self.missing: set[str] = set()
        self.endless: set[str] = set()
        self.started = Event()

    def play(self, command: Command) -> bytes:
        self.started.set()
        if command.arg in self.missing:
            return complete(command, "FILE NOT FOUND")
        if command.arg in self.endless:
            self._holding = command
            return b""
        return complete(command, "FILE PLAYED")

    def break_off(self, rest: str) -> bytes:
        self.breaks += 1
        held, self._holding = self._holding, None
        return api("+OK\n") + (complete(held, "FILE PLAYED") if held else b"")

    def press(self, *digits: str) -> None:
        """Keys; what plays is broken off by the first of them, as FreeSWITCH does for its terminators."""
        held, self._holding = self._holding, None
        self.call.send(key(digits[0]), complete(held, "FILE PLAYED") if held else b"", *(key(d) for d in digits[1:]))

    def sync(self) -> None:
        """Return when everything that the switch sent so far has been read."""
        self.channel._session.send("api sync")

    @property
    def played(self) -> list[str]:
        return [command.arg for command in self.call.said("playback")]


@contextmanager
def bench_of(headers: dict[str, str]) -> Iterator[Bench]:
    with pair() as (sock, peer):
        call = FakeCall(peer, headers)
        channel = SwitchChannel(OutboundSession(("127.0.0.1", 1), sock))
        yield Bench(call, channel)
        channel.close()
        call.stop()
