"""A call centre with a queue of each kind, for tests of races, and how to see that they left nothing behind."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import freeswitch_conf
from callwright.client import path
from callwright.local.event_socket import ask
from callwright.local.plan import TRUNK
from callwright.local.provision import provision
from dialplan.render import render
from engine.acd.store import POOL, PoolState
from engine.acd.store_redis import RedisStore
from labswitch.phone import Phone
from labswitch.phone_call import CallOver, PhoneCall, PhoneTimeout
from tests.sip.centre import AGENT_HZ, Centre, queue_flow
from tests.sip.conftest import WITHIN_S, System

WHISPER, WHISPER_HZ = "whisper.wav", 900
WRAP_UP_S = 60
MOST_S = 5
"""The longest wait of the queue `hasty`."""
RELAXED_S = 2
"""After so much waiting a caller of the queue `skilled` takes anybody."""
OPERATOR_NUMBER = "+420601222333"
MOBILE = "+420601222334"
AT_ONCE_S = 2.0
"""So soon a phone must stop that nobody wants to ring any more."""

QUEUES: Mapping[str, Mapping[str, Any]] = {
    "support": {},
    "orders": {},
    "brisk": {"ring_s": 5},
    "everybody": {"strategy": "ring_all"},
    "by-key": {"accept": "key", "whisper": WHISPER},
    "at-once": {"accept": "at_once", "whisper": WHISPER},
    "resting": {"wrap_up_s": WRAP_UP_S},
    "faithful": {"sticky_wait_s": 30},
    "skilled": {},
    "daytime": {"calendar": "daytime"},
    "small": {"max_waiting": 1, "overflow": {"full": {"kind": "queue", "target": "orders"}}},
    "hasty": {"max_wait_s": MOST_S, "overflow": {"timeout": {"kind": "number", "target": OPERATOR_NUMBER}}},
    "nobodys": {"overflow": {"no_agents": {"kind": "flow", "target": "sorry"}}},
}
NODES: Mapping[str, Mapping[str, Any]] = {
    "faithful": {"sticky_s": 3600},
    "skilled": {"skills": {"czech": 5}, "relax": [{"after_s": RELAXED_S, "skills": {}}]},
}
NUMBERS = {queue: f"+4202212346{index:02d}" for index, queue in enumerate(QUEUES)}
OPEN_ALWAYS = {day: ["00:00-24:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}


def sorry_flow() -> dict[str, Any]:
    """Where callers of the queue `nobodys` go."""
    return {
        "schema": "callwright/flow/1",
        "id": "sorry",
        "name": "Nobody is there",
        "kind": "inbound",
        "languages": ["en"],
        "entry": "hangup",
        "nodes": {"hangup": {"type": "hangup", "reason": "sorry"}},
    }


class BusyCentre(Centre):
    """Alice and bob in every queue but `nobodys`; a number leads to each queue."""

    _is_set_up = False

    def set_up_all(self) -> None:
        """All queues; nobody is logged in. The queues are made once for all tests, and are never changed."""
        if not BusyCentre._is_set_up:
            self._make_queues()
            BusyCentre._is_set_up = True
        mine = {queue: {} for queue in QUEUES if queue != "nobodys"}
        for name in AGENT_HZ:
            self.log_out(name)
            self.set_agent(name, queues=mine, mobile="", mobile_in=[])

    def _make_queues(self) -> None:
        tone = 0.3 * np.sin(2 * np.pi * WHISPER_HZ * np.arange(8000) / 8000)
        sounds = Path(self.system.stack.config.engine.prompts_dir)
        sounds.mkdir(parents=True, exist_ok=True)
        soundfile.write(sounds / WHISPER, tone, 8000, subtype="PCM_16")
        self.api.put(path("trunks", TRUNK), {"proxy": str(self.system.stack.operator)})
        self.open_hours(OPEN_ALWAYS)
        provision(self.api, (), "+420221234699", flow=sorry_flow(), language="en")
        for queue, settings in QUEUES.items():
            self.api.put(path("queues", queue), {"name": queue.title(), "ring_s": 10, **settings})
        for queue, number in NUMBERS.items():
            flow = queue_flow(queue=queue, **NODES.get(queue, {})) | {"id": f"into-{queue}"}
            provision(self.api, (), number, flow=flow, language="en")
        self.decided_anew()

    def set_agent(self, name: str, **settings: Any) -> None:
        """His settings, once they are in the shared state."""
        body = self.api.get(path("agents", name))
        if body | settings == body:
            return
        self.api.put(path("agents", name), body | settings)
        wanted = sorted((body | settings)["queues"])
        self.system.wait_until(f"{name} is in his queues", lambda: self.state(name)["assigned"] == wanted)

    def open_hours(self, weekly: Mapping[str, Sequence[str]]) -> None:
        """Of the queue `daytime`."""
        self.api.put(path("calendars", "daytime"), {"time_zone": "Europe/Prague", "weekly": weekly})

    def decided_anew(self) -> None:
        """Until the owner of the queues has looked at their settings as they are now: he does so each second."""
        figures = path("queues", "nobodys", "figures")
        seen = {self.api.get(figures)["at"]}

        def twice_more() -> bool:
            now = self.api.get(figures)
            seen.add(now["at"])
            return now["is_led"] and len(seen) > 3

        self.system.wait_until("the queues' owner knows the settings", twice_more)

    def comes_to(self, queue: str, caller: str | None = None) -> PhoneCall:
        """Somebody calls, and hears that he waits."""
        call = self.calls(queue, caller)
        call.wait_answered(WITHIN_S)
        call.wait_heard_any(WITHIN_S)
        return call

    def calls(self, queue: str, caller: str | None = None) -> PhoneCall:
        """Somebody calls."""
        return self.system.call(NUMBERS[queue], caller=caller)

    def talks(self, name: str, theirs: PhoneCall, call: PhoneCall) -> None:
        """The agent answers, and the caller hears him."""
        theirs.answer()
        theirs.wait_answered(WITHIN_S)
        theirs.talk(AGENT_HZ[name])
        call.wait_heard_tone(AGENT_HZ[name], WITHIN_S)

    def visit(self, caller: str) -> dict[str, Any]:
        """The only visit of a queue in the record of the caller's call."""
        (visit,) = self.system.record(caller)["queues"]
        return visit

    def events(self, name: str) -> list[dict[str, Any]]:
        """What happened to the agent since he logged in, the oldest first, once all of it is in the database."""
        latest = self.state(name)["version"]
        mine = path("agents", name, "events")
        self.system.wait_until(
            f"{name}'s events are written", lambda: self.api.get(mine, limit="1")["events"][0]["version"] >= latest
        )
        events = self.api.get(mine, limit="200")["events"]
        until = next(index for index, each in enumerate(events) if each["what"] == "log_in")
        return events[until::-1]

    def is_back(self, name: str, *states: str) -> None:
        """The agent is as he was, after the shared state was lost: he may not be there yet."""

        def there() -> bool:
            agents = self.api.get("/agents/states")["agents"]
            return any(each["id"] == name and each["state"] in states for each in agents)

        self.system.wait_until(f"{name} is {' or '.join(states)}", there, 2 * WITHIN_S)

    # The shared state

    def at(self, ms: float) -> None:
        """Until this moment of the shared clock."""
        with self.system.redis() as client:
            seconds, micros = client.time()
        threading.Event().wait(max(0.0, ms / 1000 - seconds - micros / 1e6))

    def pool(self) -> PoolState:
        """What the queues' shared state holds."""
        with self.system.redis() as client:
            store = RedisStore(client)
            store.attach()
            return store.load(POOL)

    def decided(self) -> bool:
        """Whether somebody decides for the queues."""
        return bool(self.api.get(path("queues", "support", "figures"))["is_led"])

    def dump(self) -> Path:
        """What Redis loads when it starts, where there is one."""
        return self.system.stack.state_dir / "valkey" / "dump.rdb"

    def leads(self) -> int:
        """Which engine decides for the queues."""
        with self.system.redis() as client:
            generation = client.get("cw:acd:generation").decode()
            owner = client.hget(f"cw:acd:{generation}:lease:{POOL}", "owner")
        index = self.system.stack.engine_index(owner.decode())
        assert index is not None
        return index

    def engine_of(self, caller: str) -> int | None:
        """Which engine has the caller's call."""
        with self.system.redis() as client:
            for call_id, engine in client.hgetall("cw:open").items():
                if caller.encode() in b"".join(client.xrange(f"cw:journal:{call_id.decode()}", count=1)[0][1].values()):
                    return self.system.stack.engine_index(engine.decode())
        return None

    @contextmanager
    def first_engine(self, index: int) -> Iterator[None]:
        """The switch offers calls to this engine first."""
        engines = self.system.stack.plan.settings.engines
        self._render(replace(self.system.stack.plan.settings, engines=(*engines[index:], *engines[:index])))
        try:
            yield
        finally:
            self._render(self.system.stack.plan.settings)

    def _render(self, settings: Any) -> None:
        render(settings, freeswitch_conf.template_dir(), self.system.stack.plan.conf_dir)
        assert self.ask("reloadxml").startswith("+OK")

    def ask(self, command: str) -> str:
        at = self.system.stack.plan.settings.event_socket
        return ask(at.ip, at.port, at.password, command)

    # Afterwards

    def nothing_is_left(self) -> None:
        """No call on the switch, nobody held by one, nobody waiting, no offer out."""
        until = self.system.wait_until
        until("no channel on the switch", lambda: self.ask("show channels count").startswith("0 total"))
        until("nobody waits, nobody is offered", lambda: not (self.pool().members or self.pool().offers))
        for name in AGENT_HZ:
            self.wait_state(name, "ready", "break", "logged_out")


def presses_to_leave(call: PhoneCall) -> None:
    """The caller presses the key; the flow may hang up before he has let go of it."""
    with suppress(CallOver):
        call.press("5")


def at_most_one(phone: Phone, before: PhoneCall | None) -> PhoneCall:
    """The next call that the phone gets; the one before must be over when it comes."""
    call = phone.wait_call(WITHIN_S)
    assert before is None or before.end is not None, "two calls at once on one phone"
    return call


def no_other_call(centre: BusyCentre, phone: Phone) -> None:
    """The phone is rung by nobody else, even after the queues' owner has decided anew."""
    centre.decided_anew()
    try:
        other = phone.wait_call(0)
    except PhoneTimeout:
        return
    raise AssertionError(f"a second call, from {other.caller_number}")


def offsets(seed: int, rounds: int, least_ms: int, most_ms: int) -> list[float]:
    """Random moments around that of a race, in seconds: the same ones in each run."""
    chance = random.Random(seed)
    return [chance.randint(least_ms, most_ms) / 1000 for _ in range(rounds)]


def apart(first: Any, then: Any, by_s: float) -> None:
    """Do both, the second so much later; below 0 the other way round."""
    if by_s < 0:
        first, then = then, first
    beginning = threading.Thread(target=first)
    beginning.start()
    threading.Event().wait(abs(by_s))
    then()
    beginning.join(WITHIN_S)


def opened(system: System) -> Iterator[BusyCentre]:
    """A centre for one test, which must leave nothing behind."""
    made = BusyCentre(system)
    made.set_up_all()
    yield made
    made.nothing_is_left()
    system.put_down_phones()
    for name in AGENT_HZ:
        made.log_out(name)
