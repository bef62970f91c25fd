"""A queue with two agents on a running system, and what tests of queues do to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callwright.client import path
from callwright.local.provision import provision
from labswitch.phone import Behaviour, Phone
from labswitch.phone_call import PhoneCall
from tests.sip.conftest import WITHIN_S, System

NUMBER = "+420221234580"
QUEUE = "support"
OTHER_QUEUE = "orders"
AGENT_HZ = {"alice": 700, "bob": 500}
USUAL: Mapping[str, Any] = {"name": "Support", "ring_s": 10}


def queue_flow(**fields: Any) -> dict[str, Any]:
    """Answers, waits in the queue; each exit hangs up with its name as reason, key 5 is `message`."""
    exits = ("finished", "timeout", "no_agents", "full", "closed", "message")
    return {
        "schema": "callwright/flow/1",
        "id": "queued",
        "name": "Into a queue",
        "kind": "inbound",
        "languages": ["en"],
        "entry": "answer",
        "nodes": {
            "answer": {"type": "answer", "exits": {"next": "queue"}},
            "queue": {
                "type": "queue",
                "queue": QUEUE,
                "keys": {"5": "message"},
                "exits": dict.fromkeys(exits, "") | {each: f"was-{each.replace('_', '-')}" for each in exits},
                **fields,
            },
            **{f"was-{each.replace('_', '-')}": {"type": "hangup", "reason": each} for each in exits},
        },
    }


class Centre:
    """Two agents, alice and bob, in one queue; a second queue has both as well."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.api = system.api

    def set_up(self, flow: Mapping[str, Any] | None = None, **settings: Any) -> None:
        """The queues as the test wants them; nobody is logged in. Ready when every engine has it."""
        for queue in (QUEUE, OTHER_QUEUE):
            self.api.put(path("queues", queue), {**USUAL, **settings, "name": queue.title()})
        for name in AGENT_HZ:
            body = self.api.get(path("agents", name))
            self.api.put(path("agents", name), body | {"queues": {QUEUE: {}, OTHER_QUEUE: {}}})
            self.system.wait_until(f"{name} is in the queues", lambda name=name: self._knows(name))
            self.log_out(name)
        provision(self.api, (), NUMBER, flow=flow or queue_flow(), language="en")

    def _knows(self, name: str) -> bool:
        states = {each["id"]: each for each in self.api.get("/agents/states")["agents"]}
        return name in states and set(states[name]["assigned"]) == {QUEUE, OTHER_QUEUE}

    def state(self, name: str) -> dict[str, Any]:
        return self.api.get(path("agents", name, "state"))

    def does(self, name: str, what: str, **body: Any) -> None:
        """`log-in`, `ready`, `break` …"""
        self.api.post(path("agents", name, what), body)

    def log_out(self, name: str) -> None:
        if self.state(name)["state"] != "logged_out":
            self.does(name, "log-out", forced=True)
        self.wait_state(name, "logged_out")

    def wait_state(self, name: str, *states: str, within_s: float = WITHIN_S) -> dict[str, Any]:
        """The agent's state, once it is one of these."""
        self.system.wait_until(
            f"{name} is {' or '.join(states)}", lambda: self.state(name)["state"] in states, within_s
        )
        return self.state(name)

    def ready(self, name: str, behaviour: Behaviour | None = None) -> Phone:
        """The agent's phone registered, and he is logged in."""
        answers = Behaviour.answering(0.1, tone_hz=AGENT_HZ[name])
        phone = self.system.agent(behaviour or answers, index=list(AGENT_HZ).index(name))
        self.system.wait_until(f"{name} can be reached", lambda: self.state(name)["reachable"])
        self.does(name, "log-in")
        self.does(name, "ready")
        return phone

    def waiting(self, count: int, queue: str = QUEUE) -> None:
        """Until so many wait."""
        figures = path("queues", queue, "figures")
        self.system.wait_until(f"{count} wait", lambda: self.api.get(figures)["waiting"] == count)

    def comes(self, caller: str | None = None) -> PhoneCall:
        """Somebody calls, and hears that he waits."""
        call = self.system.call(NUMBER, caller=caller)
        call.wait_answered(WITHIN_S)
        call.wait_heard_any(WITHIN_S)
        return call
