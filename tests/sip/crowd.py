"""Five queues, their agents and their callers, many of each, all played by SIPp."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callwright.client import Client, path
from callwright.local.event_socket import ask
from callwright.local.stack import Stack
from engine.acd.store import POOL, PoolState
from engine.acd.store_redis import RedisStore
from sipp_scenarios.runner import Account, Sipp, SippResult, start_uac, start_uas
from tests.sip.centre import queue_flow
from tests.sip.conftest import System
from tests.sip.sipp import inside, outside, sip_call_ids

QUEUES = tuple(f"queue-{number}" for number in range(1, 6))
RINGING = QUEUES[-1]
"""Its callers hear the ringing tone until an agent answers; in the others they are answered and hear music."""
RING_S = 5
STAYS_MS = 2000
"""How long a caller of the queue `RINGING` talks."""
PATIENCE_MS = 3000
"""How long those wait who give up."""
RATE = 8
"""New calls a second of each kind in each queue."""
WITHIN_S = 60.0
PATIENT, HASTY = "patient", "hasty"
PRIORITY = {PATIENT: 50, HASTY: 0}
"""The patient ones go first: while one of them waits, nobody is free for the others."""


@dataclass(frozen=True, slots=True)
class Size:
    """Callers in each queue, agents in all. Those who talk are in two queues each, the others in one."""

    patient: int
    hasty: int
    talk: int
    silent: int
    reject: int

    @property
    def agents(self) -> tuple[str, ...]:
        """Their ids."""
        return tuple(f"agent-{number}" for number in range(1, self.talk + self.silent + self.reject + 1))

    def queues_of(self, index: int) -> tuple[str, ...]:
        """Of the agent of that index."""
        home = QUEUES[index % len(QUEUES)]
        return (home, QUEUES[(index + 1) % len(QUEUES)]) if index < self.talk else (home,)


def number(queue: str, kind: str) -> str:
    """What these callers dial."""
    return f"+42022123500{2 * QUEUES.index(queue) + (PRIORITY[kind] == 0)}"


class Crowd:
    """The centre on a running stack whose agents are the size's."""

    def __init__(self, stack: Stack, size: Size) -> None:
        self.size = size
        self.system = System(stack)
        self.api: Client = self.system.api
        domain = stack.config.dialplan.domain
        self._accounts = [Account(each.id, each.password, domain) for each in stack.agents]

    def set_up(self) -> None:
        """Queues, numbers, agents; nobody is logged in."""
        for queue in QUEUES:
            self.api.put(path("queues", queue), {"name": queue, "ring_s": RING_S})
            for kind, priority in PRIORITY.items():
                flow = queue_flow(queue=queue, priority=str(priority)) | {"id": f"{queue}-{kind}"}
                if queue == RINGING:
                    flow["nodes"]["answer"]["mode"] = "ringing"
                version = self.api.post("/flows", flow)["version"]
                self.api.put(path("flows", flow["id"], "active"), {"version": version})
                self.api.put(path("numbers", number(queue, kind)), {"flow": flow["id"], "language": "en"})
        for index, account in enumerate(self.system.stack.agents):
            body = {"name": account.name, "number": account.number, "sip_password": account.password}
            queues: dict[str, Any] = {queue: {} for queue in self.size.queues_of(index)}
            self.api.put(path("agents", account.id), body | {"queues": queues})

    @contextmanager
    def phones(self) -> Iterator[Sequence[Sipp]]:
        """The phones of those who talk, those who let it ring, those who reject; all registered."""
        line, size = inside(self.system), self.size
        silent_from, reject_from = size.talk, size.talk + size.silent
        with contextlib.ExitStack() as block:
            yield [
                block.enter_context(start_uas(scenario, registrar=line, phones=phones, timeout_s=2 * WITHIN_S))
                for scenario, phones in (
                    ("uas_agent_answers_stays_hangs_up", self._accounts[:silent_from]),
                    ("uas_agent_silent", self._accounts[silent_from:reject_from]),
                    ("uas_agent_rejects", self._accounts[reject_from:]),
                )
            ]

    def begin_work(self) -> None:
        """Everybody logs in, and then all at once are ready."""
        self.system.wait_until(
            "all agents can be reached", lambda: all(each["reachable"] for each in self.states().values()), WITHIN_S
        )
        for what in ("log-in", "ready"):
            for agent in self.size.agents:
                self.api.post(path("agents", agent, what), {})

    def states(self) -> dict[str, dict[str, Any]]:
        """What the agents do, by id; all of them are there."""
        found = {each["id"]: each for each in self.api.get("/agents/states")["agents"]}
        return {agent: found.get(agent, {"reachable": False, "state": None}) for agent in self.size.agents}

    @contextmanager
    def callers(self, kind: str) -> Iterator[Mapping[str, Sipp]]:
        """Calls of this kind, by queue."""
        count = self.size.patient if kind == PATIENT else self.size.hasty
        with contextlib.ExitStack() as block:
            yield {
                queue: block.enter_context(
                    start_uac(
                        _scenario(queue, kind),
                        outside(self.system),
                        number(queue, kind),
                        calls=count,
                        rate=RATE,
                        pause_ms=STAYS_MS if kind == PATIENT else PATIENCE_MS,
                        timeout_s=2 * WITHIN_S,
                    )
                )
                for queue in QUEUES
            }

    def have_come(self, count: int) -> None:
        """Until so many calls have been served or are."""
        with self.system.redis() as redis:
            self.system.wait_until(f"{count} calls", lambda: len(redis.keys("cw:journal:*")) >= count, WITHIN_S)

    def records(self, queue: str, kind: str, calls: SippResult) -> list[dict[str, Any]]:
        """One record of each of these calls, and no other. Fails else."""
        expected = sip_call_ids(calls)

        def listed() -> list[Mapping[str, Any]]:
            return list(self.api.calls(10_000, did=number(queue, kind)))

        self.system.wait_until(f"records of {number(queue, kind)}", lambda: len(listed()) >= len(expected), WITHIN_S)
        found = listed()
        assert sorted(each["sip_call_id"] for each in found) == sorted(expected)
        return [self.api.get(path("calls", each["call_id"])) for each in found]

    # Afterwards

    def pool(self) -> PoolState:
        """What the queues' shared state holds."""
        with self.system.redis() as client:
            store = RedisStore(client)
            store.attach()
            return store.load(POOL)

    def channels(self) -> str:
        """What the switch says of its channels."""
        at = self.system.stack.plan.settings.event_socket
        return ask(at.ip, at.port, at.password, "show channels count")

    def left_over(self) -> list[str]:
        """Keys in Redis of members and offers, and calls that are open."""
        with self.system.redis() as client:
            generation = client.get("cw:acd:generation").decode()
            kinds = ("members", "waiting", "refused", "offered", "offers", "offer", "asked", "engines")
            keys = [key.decode() for kind in kinds for key in client.keys(f"cw:acd:{generation}:{kind}:*")]
            return [*keys, *(call.decode() for call in client.hkeys("cw:open"))]


def _scenario(queue: str, kind: str) -> str:
    if kind == PATIENT:
        return "uac_stays_hangs_up_expect_ok" if queue == RINGING else "uac_load_expect_goodbye"
    return "uac_cancels_while_ringing_expect_487" if queue == RINGING else "uac_stays_hangs_up_expect_ok"


def ms(at: str) -> int:
    """A time of the API in ms of the epoch."""
    return round(datetime.fromisoformat(at).timestamp() * 1000)
