"""The adapter on a running switch (the lab switch, or FreeSWITCH with `--switch=freeswitch`); people are SIP phones."""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import gevent
import numpy as np
import pytest
from gevent.event import Event
from gevent.queue import Queue

from callwright.local.stack import SwitchKind
from dialplan.settings import RenderSettings, Rtp
from engine.switch.adapter import SwitchChannel
from engine.switch.control import SwitchControl
from engine.switch.port import ChannelEnd, DialTarget
from engine.switch.server import OutboundServer
from engine.switch.session import Sessions
from labswitch.phone import Behaviour, Phone, PhoneCall
from tests.plugins.switches import started
from tests.unit.freeswitch_conf.real_switch import AGENT_PASSWORD, DOMAIN, PASSWORD, settings_in

WITHIN_S = 10.0
CALLER = "+420601234567"
T = TypeVar("T")


def off(call: Callable[..., T], *args: Any, **options: Any) -> T:
    """Do what blocks (phones do) in a thread, so that the adapter's greenlets go on."""
    result: T = gevent.get_hub().threadpool.apply(call, args, options)
    return result


def at_once(call: Callable[..., T], *args: Any, **options: Any) -> gevent.Greenlet:
    """Start something that waits for the switch; `get(timeout=…)` its result."""
    return gevent.spawn(call, *args, **options)


def tone(path: Path, seconds: float, hz: float = 425) -> str:
    """A sound file at 8 kHz."""
    samples = (8000 * np.sin(np.arange(int(8000 * seconds)) * 2 * np.pi * hz / 8000)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    return str(path)


class Ground:
    """A running switch, and an engine that hands its calls to the test."""

    def __init__(self, settings: RenderSettings) -> None:
        self.settings = settings
        prompts = Path(settings.prompts_dir)
        self.short = tone(prompts / "short.wav", 0.3)
        self.long = tone(prompts / "long.wav", 8)
        self.missing = str(prompts / "nosuch.wav")
        self.recordings = Path(settings.recordings_dir)
        self.calls: Queue = Queue()
        self.sessions = Sessions()
        self.server = self.serve(0, self._hold)
        self.control = SwitchControl("127.0.0.1", settings.event_socket.port, PASSWORD, sessions=self.sessions)
        self.control.start()
        assert self.control.wait_connected(WITHIN_S), self.control.fault
        self.ends: list[ChannelEnd] = []
        self.control.on_channel_end(self.ends.append)
        self.registrations: Queue = Queue()
        """What `on_registration` told since the beginning of the test."""
        self.control.on_registration(lambda user, registered: self.registrations.put((user, registered)))
        self._phones: list[Phone] = []
        self._over: list[Event] = []
        self._handed: list[str] = []

    def serve(self, index: int, handler: Callable[[SwitchChannel], None], **options: Any) -> OutboundServer:
        """Listen where the dialplan expects engine number `index`."""
        host, _, port = self.settings.engines[index].rpartition(":")
        server = OutboundServer((host, int(port)), handler, sessions=self.sessions, **options)
        server.start()
        return server

    def _hold(self, channel: SwitchChannel) -> None:
        over = Event()
        self._over.append(over)
        self.calls.put(channel)
        over.wait()

    def phone(self, number: str, **options: Any) -> Phone:
        made = off(Phone, number, **options)
        self._phones.append(made)
        return made

    def dial(self) -> PhoneCall:
        """Somebody calls in."""
        to = (self.settings.sip_external.ip, self.settings.sip_external.port)
        return off(self.phone(CALLER, domain="127.0.0.1").call, "+420221111000", to=to)

    def next_call(self) -> SwitchChannel:
        channel: SwitchChannel = self.calls.get(timeout=WITHIN_S)
        self._handed.append(channel.info.uuid)
        return channel

    def call(self) -> tuple[PhoneCall, SwitchChannel]:
        caller = self.dial()
        return caller, self.next_call()

    def agent(self, behaviour: Behaviour, user: str = "jana") -> Phone:
        """A registered phone."""
        inside = (self.settings.sip_internal.ip, self.settings.sip_internal.port)
        made = self.phone(user, domain=DOMAIN, registrar=inside, password=AGENT_PASSWORD, behaviour=behaviour)
        off(made.register)
        return made

    def api(self, command: str) -> str:
        """The switch's answer to a command that the port does not know."""
        return self.control._send(f"api {command}").reply

    def ring(self, leg: str, user: str = "jana", ring_timeout_s: int = 20, auto_answer: bool = False) -> Any:
        return self.control.originate(
            DialTarget("user", user, DOMAIN),
            leg=leg,
            ring_timeout_s=ring_timeout_s,
            caller_id_number=CALLER,
            caller_id_name="Jan Novák",
            variables={"cw_leg_of": "x"},
            auto_answer=auto_answer,
        )

    def until(self, true: Callable[[], bool], within_s: float = WITHIN_S) -> None:
        """Wait for what the switch tells nobody."""
        with gevent.Timeout(within_s):
            while not true():
                gevent.sleep(0.02)

    def clear(self) -> None:
        """End whatever a test left."""
        for channel in {*self._handed, *self.control.channels()}:
            self.control.kill(channel)
        self._handed.clear()
        for over in self._over:
            over.set()
        for phone in self._phones:
            if phone.registered:
                off(phone.unregister)
                while self.registrations.get(timeout=WITHIN_S) != (phone.user, False):
                    pass
            off(phone.close)
        self._phones.clear()
        self._over.clear()
        self.until(lambda: not self.control.channels())
        while not self.calls.empty():
            self.calls.get()
        self.ends.clear()

    def close(self) -> None:
        self.server.close()
        self.control.close()


@pytest.fixture(scope="session")
def running_switch(switch: SwitchKind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RenderSettings]:
    base = tmp_path_factory.mktemp("switch")
    settings = settings_in(base, rtp=Rtp("127.0.0.1", 26000, 26400))
    with started(switch, settings, base):
        yield settings


@pytest.fixture(scope="session")
def whole_ground(running_switch: RenderSettings) -> Iterator[Ground]:
    made = Ground(running_switch)
    yield made
    made.close()


@pytest.fixture
def ground(whole_ground: Ground) -> Iterator[Ground]:
    yield whole_ground
    whole_ground.clear()
