"""The whole system under test, once for the run, on the switch of the run; callers and agents are real SIP phones."""

from __future__ import annotations

import io
import itertools
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
import soundfile

from callwright.client import Client, path
from callwright.demo.calls import INTO_THE_MENU_S
from callwright.demo.run import demo_flow
from callwright.local.provision import provision
from callwright.local.stack import Stack, SwitchKind
from labswitch.phone import Behaviour, Phone
from labswitch.phone_call import PhoneCall
from tests.sip import flows

MAIN_NUMBER = "+420221234567"
BROKEN_NUMBER = "+420221234568"
SHORT_NUMBER = "+420221234570"
RINGING_NUMBER = "+420221234571"
LONG_NUMBER = "+420221234569"
LONG_S = 90
UNRECORDED_PREFIX = "+42060199"
"""With these numbers nothing is recorded."""
UNKNOWN_NUMBER = "+420221234999"
WITHIN_S = 15.0

Ready = Callable[[dict[str, Any]], bool]
"""Whether a record says already what a test waits for: a recording that is stored, say."""


def broken_flow() -> dict[str, Any]:
    """A flow whose first prompt was never uploaded."""
    return {
        "schema": "callwright/flow/1",
        "id": "broken",
        "name": "A prompt is missing",
        "kind": "inbound",
        "languages": ["en"],
        "entry": "answer",
        "prompts": {"gone": {"en": "prompts/gone.wav"}, "bye": {"en": "general/en/goodbye.wav"}},
        "nodes": {
            "answer": {"type": "answer", "exits": {"next": "gone"}},
            "gone": {"type": "play", "prompts": ["gone"], "exits": {"done": "hangup", "error": "sorry"}},
            "sorry": {"type": "play", "prompts": ["bye"], "exits": {"done": "hangup", "error": "hangup"}},
            "hangup": {"type": "hangup"},
        },
    }


_CALLERS = itertools.count(1)


class System:
    """The running system, and the people on its phones."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.api = Client(stack.api_url, stack.api_key)
        self._phones: list[Phone] = []

    def new_caller(self) -> str:
        """A number that no other test calls from."""
        return f"+4206020{next(_CALLERS):05d}"

    def phone(self, number: str) -> Phone:
        """A caller's phone; hung up and closed at the end of the test."""
        phone = Phone(number, domain="trunk.invalid")
        self._phones.append(phone)
        return phone

    def call(self, number: str = MAIN_NUMBER, caller: str | None = None, **options: Any) -> PhoneCall:
        """Somebody calls in over the trunk."""
        line = self.stack.sip_external
        return self.phone(caller or self.new_caller()).call(number, to=(line.host, line.port), **options)

    def agent(self, behaviour: Behaviour, index: int = 0) -> Phone:
        """An agent's phone, registered."""
        account = self.stack.agents[index]
        inside = self.stack.sip_internal
        phone = Phone(
            account.id,
            domain=self.stack.config.dialplan.domain,
            registrar=(inside.host, inside.port),
            password=account.password,
            behaviour=behaviour,
        )
        self._phones.append(phone)
        phone.register()
        return phone

    def operator(self, behaviour: Behaviour) -> Phone:
        """Whoever is called over the trunk."""
        at = self.stack.operator
        phone = Phone("operator", at.host, at.port, domain="trunk.invalid", behaviour=behaviour)
        self._phones.append(phone)
        return phone

    def talk(self, caller: str, tone_hz: float = 700, **options: Any) -> tuple[PhoneCall, PhoneCall]:
        """The caller talks with the agent, who stays until told to hang up: the caller's call and the agent's."""
        agent = self.agent(Behaviour.answering(0.1, tone_hz=tone_hz))
        call = self.call(caller=caller, **options)
        chooses(call, "1")
        theirs = agent.wait_call(WITHIN_S)
        call.talk(440)
        call.wait_heard_tone(tone_hz, WITHIN_S)
        theirs.wait_heard_tone(440, WITHIN_S)
        return call, theirs

    def redis(self) -> redis.Redis:
        """A client of the system's Redis, to look what is in it."""
        return redis.Redis.from_url(self.stack.redis_url, socket_timeout=WITHIN_S)

    def wait_until(self, what: str, true: Callable[[], Any], within_s: float = WITHIN_S) -> None:
        """Wait for something that nobody announces."""
        deadline = time.monotonic() + within_s
        pause = threading.Event()
        while not true():
            assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
            pause.wait(0.05)

    def put_down_phones(self) -> None:
        for phone in self._phones:
            if phone.registered:
                phone.unregister()
            phone.close()
        self._phones.clear()

    def take_out_of_queues(self) -> None:
        """Agents work in no queue, as tests find them: who does can't have two calls at once."""
        for account in self.stack.agents:
            agent = self.api.get(path("agents", account.id))
            if agent["queues"] or agent["mobile"]:
                self.api.put(path("agents", account.id), agent | {"queues": {}, "mobile": "", "mobile_in": []})
                state = path("agents", account.id, "state")
                self.wait_until(
                    f"{account.id} is in no queue",
                    lambda state=state: not self.api.get(state)["assigned"],  # type: ignore[misc]
                )

    def record(self, caller: str, ready: Ready = lambda call: True, within_s: float = WITHIN_S) -> dict[str, Any]:
        """The one record of the caller's call, once it is there and `ready`. Fails when there is more than one."""
        return self.records(1, ready, within_s, caller=caller)[0]

    def records(
        self,
        count: int,
        ready: Ready = lambda call: True,
        within_s: float = WITHIN_S,
        *,
        sip_call_id: str | None = None,
        **query: str,
    ) -> list[dict[str, Any]]:
        """The records that the query finds, once there are `count` and all are `ready`. Fails when there are more."""
        deadline = time.monotonic() + within_s
        pause = threading.Event()
        while True:
            listed = self.api.get("/calls", **query)["calls"]
            listed = [call for call in listed if sip_call_id in (None, call["sip_call_id"])]
            assert len(listed) <= count, f"{len(listed)} records of {count} calls"
            if len(listed) == count:
                calls = [self.api.get(path("calls", call["call_id"])) for call in listed]
                if all(ready(call) for call in calls):
                    return calls
            sought = {**query, "sip_call_id": sip_call_id}
            assert time.monotonic() < deadline, f"not {count} records of {sought} within {within_s} s: {listed}"
            pause.wait(0.1)  # the API tells nobody that a record has come


@pytest.fixture(scope="session")
def stack(switch: SwitchKind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything, with two engines."""
    # A connection that names no call is dropped sooner than usual: tests wait for it.
    patience = {"CALLWRIGHT_ENGINE__CONNECT_DEADLINE_S": "4"}
    private = {"CALLWRIGHT_ENGINE__UNRECORDED_NUMBERS": f"{UNRECORDED_PREFIX}*"}
    directory = tmp_path_factory.mktemp("system")
    with Stack(switch=switch, state_dir=directory, engines=2, engine_env=patience | private) as running:
        client = Client(running.api_url, running.api_key)
        provision(client, running.agents, MAIN_NUMBER, flow=demo_flow(), language="en")
        provision(client, (), BROKEN_NUMBER, flow=broken_flow(), language="en")
        provision(client, (), SHORT_NUMBER, flow=flows.short_flow(), language="en")
        provision(client, (), RINGING_NUMBER, flow=flows.ringing_flow(), language="en")
        yield running
        running.check()


@pytest.fixture
def system(stack: Stack) -> Iterator[System]:
    """The system; phones that a test leaves behind are put down."""
    stack.check()
    running = System(stack)
    yield running
    running.put_down_phones()
    running.take_out_of_queues()


@pytest.fixture
def a_long_prompt(system: System) -> None:
    """700 Hz for a second, then 500 Hz."""
    moments = np.arange(LONG_S * 8000) / 8000
    hz = np.where(moments < 1, 700, 500)
    sound = Path(system.stack.config.engine.prompts_dir) / "prompts" / "long.wav"
    sound.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(sound, 0.3 * np.sin(2 * np.pi * hz * moments), 8000, subtype="PCM_16")
    provision(system.api, (), LONG_NUMBER, flow=flows.long_flow(), language="en")


def nodes(call: dict[str, Any]) -> list[str]:
    """The path of a call, node by node."""
    return [visit["node"] for visit in call["path"]]


def listens_to_the_welcome(call: PhoneCall) -> None:
    """Until the first prompt can be heard."""
    call.wait_answered(WITHIN_S)
    call.wait_heard_any(WITHIN_S)


def chooses(call: PhoneCall, key: str) -> None:
    """Hears the welcome out, and presses a key in the middle of the menu."""
    call.wait_answered(WITHIN_S)
    call.wait_heard_s(INTO_THE_MENU_S, WITHIN_S)
    call.press(key)


def fetch_audio(link: str) -> tuple[Any, int]:
    """The stored recording behind a link: samples (frames by channels, -1 to 1) and their rate in Hz."""
    with urllib.request.urlopen(link) as answer:
        return soundfile.read(io.BytesIO(answer.read()), always_2d=True)
