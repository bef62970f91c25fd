"""A switch with an event loop of its own, phones to call it, and what its legs told."""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from labswitch.clock import Beat
from labswitch.leg import NO_EXTRAS, Extras, Invitation, LegEnd
from labswitch.phone import Behaviour, Phone
from labswitch.rtp import PortRange
from labswitch.sip import Gateway, Profile, SipStack

WAIT_S = 8.0
DIRECTORY = {"alice": "wonderland", "bob": "builder"}
DOMAIN = "lab.example"


class Told:
    """A leg's listener that remembers, and lets a test wait for what it was told."""

    def __init__(self) -> None:
        self.queue: queue.Queue[tuple[Any, ...]] = queue.Queue()

    def on_ringing(self) -> None:
        self.queue.put(("ringing",))

    def on_early_media(self) -> None:
        self.queue.put(("early_media",))

    def on_answered(self) -> None:
        self.queue.put(("answered",))

    def on_dtmf(self, digit: str, duration_ms: int, source: str) -> None:
        self.queue.put(("dtmf", digit, duration_ms, source))

    def on_hold(self, held: bool) -> None:
        self.queue.put(("hold", held))

    def on_ended(self, end: LegEnd) -> None:
        self.queue.put(("ended", end))

    def next(self, kind: str) -> tuple[Any, ...]:
        """The next thing told, which must be of that kind."""
        told = self.queue.get(timeout=WAIT_S)
        assert told[0] == kind, told
        return told

    def end(self) -> LegEnd:
        """How the leg ended, skipping what was told before."""
        while True:
            told = self.queue.get(timeout=WAIT_S)
            if told[0] == "ended":
                return told[1]


class Taken:
    """An incoming call as the switch got it."""

    def __init__(self, switch: LabSwitch, invitation: Invitation, leg: Any, told: Told) -> None:
        self.invitation = invitation
        self.leg = leg
        self.told = told
        self._switch = switch

    def do(self, method: str, *args: Any) -> Any:
        """Call a method of the leg on the switch's loop."""
        return self._switch.run(lambda: getattr(self.leg, method)(*args))

    def answer(self) -> None:
        """Answer, and wait for the ACK."""
        self.do("answer")
        self.told.next("answered")

    def echo(self) -> None:
        """Say what is heard, from now on."""
        self._switch.run(lambda: self._switch.echoes.append(self.leg))


class LabSwitch:
    """A `SipStack` on a loop in a thread."""

    def __init__(self, gateways: tuple[Gateway, ...] = (), ports: PortRange | None = None) -> None:
        self.loop = asyncio.new_event_loop()
        self.invited: queue.Queue[Taken] = queue.Queue()
        self.registered: queue.Queue[tuple[Any, ...]] = queue.Queue()
        self.echoes: list[Any] = []
        self._thread = threading.Thread(target=self.loop.run_forever, name="switch")
        self._thread.start()
        profiles = (Profile("external"), Profile("internal", authenticate=True))
        self.stack = SipStack(
            self.loop,
            profiles,
            DIRECTORY,
            gateways,
            self._invite,
            domain=DOMAIN,
            rtp_ports=ports,
            on_registration=lambda *told: self.registered.put(told),
        )
        self.stack.start()
        self._beat = self.run(lambda: Beat(self._tick))
        self.run(self._beat.start)

    def run(self, function: Callable[[], Any]) -> Any:
        """Run something on the switch's loop and wait for its result."""

        async def call() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(WAIT_S)

    def taken(self) -> Taken:
        """The next call that came in."""
        return self.invited.get(timeout=WAIT_S)

    def dial(self, target: str, number: str = "100", name: str = "Lab", extras: Extras = NO_EXTRAS) -> Taken:
        """Call out."""
        told = Told()
        leg = self.run(lambda: self.stack.dial(target, number, name, told, extras))
        return Taken(self, None, leg, told)  # type: ignore[arg-type]

    def close(self) -> None:
        self.run(self.stack.close)
        self.run(self._beat.stop)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(WAIT_S)
        self.loop.close()

    def _invite(self, invitation: Invitation, leg: Any) -> None:
        told = Told()
        leg.listener = told
        self.invited.put(Taken(self, invitation, leg, told))

    def _tick(self) -> bool:
        for leg in self.echoes:
            leg.write(leg.read())
        return True


@pytest.fixture
def make_switch() -> Iterator[Callable[..., LabSwitch]]:
    """Makes switches, and closes them after the test."""
    made: list[LabSwitch] = []

    def make(*args: Any, **kwargs: Any) -> LabSwitch:
        made.append(LabSwitch(*args, **kwargs))
        return made[-1]

    yield make
    for switch in made:
        switch.close()


@pytest.fixture
def switch(make_switch: Callable[..., LabSwitch]) -> LabSwitch:
    """A switch without gateways."""
    return make_switch()


@pytest.fixture
def make_phone() -> Iterator[Callable[..., Phone]]:
    """Makes phones, and closes them after the test."""
    made: list[Phone] = []

    def make(user: str = "caller", behaviour: Behaviour | None = None, **kwargs: Any) -> Phone:
        made.append(Phone(user, domain=DOMAIN, behaviour=behaviour, **kwargs))
        return made[-1]

    yield make
    for phone in made:
        phone.close()


@pytest.fixture
def external(switch: LabSwitch) -> tuple[str, int]:
    """Where trunks call the switch."""
    return switch.stack.address("external")


@pytest.fixture
def agent(switch: LabSwitch, make_phone: Callable[..., Phone]) -> Phone:
    """Alice's phone, registered."""
    phone = make_phone("alice", registrar=switch.stack.address("internal"), password="wonderland")
    phone.register(WAIT_S)
    return phone


@pytest.fixture
def plain() -> Iterator[socket.socket]:
    """A bare UDP socket, for what no decent phone sends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(WAIT_S)
        yield sock
