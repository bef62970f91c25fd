"""`callwright bench queue`: from an agent's becoming free to the creation of his leg on the switch."""

from __future__ import annotations

import contextlib
import json
import queue
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from callwright.bench import gauge
from callwright.client import ApiError, Client, path
from callwright.load import sipp
from callwright.load.figures import Spread
from callwright.load.plan import SCENARIO, Plan, Target
from callwright.load.queue_watch import Moment, Watch, watching
from callwright.local.provision import provision
from callwright.local.stack import Stack
from callwright.local.supervisor import interruptible
from callwright.up import Steps
from engine.config import Config
from labswitch.phone import Phone
from sipp_scenarios.runner import find_sipp

NUMBER = "+420221234501"
QUEUE = "bench"
AGENT = "alice"
GOAL_MS = 20.0
"""From free to the creation of the leg, at the median."""
CALLCENTER_MS, CALLCENTER_WORST_MS = 63, 123
"""mod_callcenter, one queue, one agent, FreeSWITCH 1.11.3-dev: from `status Available` to the creation of his leg."""
WAITING = 3
"""Callers at once, where nothing else is asked for: there is always one who waits."""
MOST_WAITING = 200
RATE = 20
"""New callers a second, at most."""
WARM_UP = 5
"""Conversations before the first that counts."""
LONG_WRAP_UP_S = 600
WITHIN_S = 30.0
AT_REST_S = 5.0
"""So long the engine's CPU is looked at while all wait."""
API, CALL = "ready", "call over"
STAGES = ("asked", "free", "reserving", "offered", "read", "invited")
"""What a round passes, in this order. `asked`: the request to the API was sent, or he hung up."""
STAGE_WORDS = (
    "until the change is in Redis",
    "owner hears, decides",
    "reservation",
    "member's engine hears",
    "originate, INVITE at his phone",
)


class BenchFailed(Exception):
    """Nothing can be measured; `str` says why."""


@dataclass(frozen=True, slots=True)
class Round:
    """When each of STAGES was passed, in s of the epoch."""

    at_s: Mapping[str, float]

    def took_s(self, since: str, until: str = "invited") -> float:
        """From one stage to another."""
        return self.at_s[until] - self.at_s[since]


def rounds_of(moments: Iterable[Moment], by: str) -> list[Round]:
    """The whole rounds among these moments, which may come in any order. `by`: `asked` or `hung_up` begins one."""
    done: list[Round] = []
    now: dict[str, float] = {}
    for moment in sorted(moments):
        if moment.what == by:
            now = {"asked": moment.at_s}
        elif moment.what == "state":
            if moment.state == "ready" and "asked" in now:
                now["free"] = moment.at_s
        elif now and moment.what in STAGES[len(now) : len(now) + 1]:
            now[moment.what] = moment.at_s
        if len(now) == len(STAGES):
            done.append(Round(now))
            now = {}
    return done


@dataclass(frozen=True, slots=True)
class Side:
    """What was measured of one kind. `cores`: the engine's CPU, in cores, while all wait and nobody is free."""

    rounds: Sequence[Round]
    cores: float
    calls: int
    failed: int

    def spread(self, since: str, until: str = "invited") -> Spread | None:
        """Of all rounds."""
        return Spread.of(each.took_s(since, until) for each in self.rounds)

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None: not measured."""
        spread = self.spread("free")
        return None if spread is None else spread.p50 <= GOAL_MS

    def as_json(self) -> dict[str, Any]:
        """Its figures."""
        stages = {until: self.spread(since, until) for since, until in pairwise(STAGES)}
        spreads = {"free_to_leg": self.spread("free"), "asked_to_leg": self.spread("asked")}
        return {
            **{name: each and each.as_json() for name, each in spreads.items()},
            "stages": {name: each and each.as_json() for name, each in stages.items()},
            "engine_cores_while_waiting": round(self.cores, 3),
            "calls": {"made": self.calls, "failed": self.failed},
            "met": self.met,
        }


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured, by what made the agent free."""

    sides: Mapping[str, Side]
    waiting: int

    def exit_code(self) -> int:
        """0: the goal is met; 1: it is missed, or calls failed; 3: not measured."""
        met = [each.met for each in self.sides.values()]
        if False in met or any(each.failed for each in self.sides.values()):
            return 1
        return 3 if None in met else 0

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "results": [{"free_by": kind, **side.as_json()} for kind, side in self.sides.items()],
            "waiting": self.waiting,
            "goal_ms": GOAL_MS,
            "ok": self.exit_code() == 0,
            "mod_callcenter": {"p50_ms": CALLCENTER_MS, "max_ms": CALLCENTER_WORST_MS},
        }


def queued_flow() -> dict[str, Any]:
    """Answers and waits in the queue."""
    exits = ("finished", "timeout", "no_agents", "full", "closed")
    return {
        "schema": "callwright/flow/1",
        "id": "bench-queue",
        "name": "Into a queue",
        "kind": "inbound",
        "languages": ["en"],
        "entry": "answer",
        "nodes": {
            "answer": {"type": "answer", "exits": {"next": "queue"}},
            "queue": {"type": "queue", "queue": QUEUE, "exits": dict.fromkeys(exits, "hangup")},
            "hangup": {"type": "hangup"},
        },
    }


def run(*, rounds: int, waiting: int, as_json: bool) -> int:
    """Measure and print; the exit code. Raises BenchFailed, LoadFailed, SippError, what `Stack` raises, ApiError."""
    progress = Console(stderr=True, highlight=False)
    find_sipp()
    with interruptible(), _system(progress) as stack:
        found = measure(stack, rounds, waiting, progress)
    if as_json:
        print(json.dumps(found.as_json(), ensure_ascii=False), flush=True)
    else:
        show(found)
    return found.exit_code()


@contextmanager
def _system(progress: Console) -> Iterator[Stack]:
    """One engine, one agent, on a FreeSWITCH. The configuration of this machine is not looked at."""
    with tempfile.TemporaryDirectory(prefix="callwright-bench-") as temporary:
        stack = Stack(
            switch="freeswitch", state_dir=Path(temporary), config=Config(), agents=(AGENT,), progress=Steps(progress)
        )
        with stack:
            yield stack
            stack.check()


def measure(stack: Stack, rounds: int, waiting: int, progress: Console) -> Found:
    """So many rounds of each kind on a running system whose first agent is AGENT. Raises BenchFailed, ApiError."""
    client = Client(stack.api_url, stack.api_key)
    account, inside = stack.agents[0], stack.sip_internal
    client.put(path("queues", QUEUE), {"name": "Bench"})
    provision(client, [account], NUMBER, flow=queued_flow(), language="en")
    client.put(path("agents", AGENT), client.get(path("agents", AGENT)) | {"queues": {QUEUE: {}}})
    sides: dict[str, Side] = {}
    with (
        Phone(
            AGENT,
            domain=stack.config.dialplan.domain,
            registrar=(inside.host, inside.port),
            password=account.password,
        ) as phone,
        watching(phone, stack.redis_url) as watch,
    ):
        phone.register()
        _until("the agent can be reached", lambda: _is_there(client))
        for kind, wrap_up_s in ((API, LONG_WRAP_UP_S), (CALL, 0)):
            progress.print(f"{rounds} rounds, {waiting} callers at once, free by: {kind}")
            client.put(path("queues", QUEUE), {"name": "Bench", "wrap_up_s": wrap_up_s})
            work = _Agent(stack, client, watch, kind, rounds, waiting)
            sides[kind] = work.measure()
        phone.unregister()
    return Found(sides, waiting)


def _is_there(client: Client) -> bool:
    with contextlib.suppress(ApiError):  # not known yet
        state = client.get(path("agents", AGENT, "state"))
        return state["reachable"] and QUEUE in state["assigned"]
    return False


def _until(what: str, true: Callable[[], bool]) -> None:
    """Raises BenchFailed."""
    deadline = time.monotonic() + WITHIN_S
    pause = threading.Event()
    while not true():
        if time.monotonic() > deadline:
            raise BenchFailed(f"not within {WITHIN_S:g} s: {what}; is the machine too busy for it?")
        pause.wait(0.1)


class _Agent:
    """The rounds of one kind. SIPp's callers wait; the agent talks with one after the other, then logs out, and those
    who are left are sent away.
    """

    def __init__(self, stack: Stack, client: Client, watch: Watch, kind: str, rounds: int, waiting: int) -> None:
        self._stack, self._client, self._watch = stack, client, watch
        self._asks = kind == API
        self._rounds, self._waiting = rounds, waiting
        self._moments: list[Moment] = []
        self._over = threading.Event()
        self._cores = 0.0

    def measure(self) -> Side:
        """Raises BenchFailed, LoadFailed, ApiError."""
        target = Target(self._stack.sip_external.host, self._stack.sip_external.port, NUMBER)
        most_s = WITHIN_S + self._rounds + self._waiting
        talks = self._rounds + WARM_UP + 1
        plan = Plan(concurrent=self._waiting, rate=RATE, calls=talks + self._waiting, call_timeout_s=most_s)
        with ThreadPoolExecutor(1) as beside:
            work = beside.submit(self._work, talks)
            try:
                outcome = sipp.run(target, plan, SCENARIO)
            finally:
                self._over.set()
            work.result()
        found = rounds_of(self._moments, "asked" if self._asks else "hung_up")
        return Side(found[WARM_UP:], self._cores, len(outcome.calls), outcome.counters.failed)

    def _work(self, talks: int) -> None:
        self._does("log-in")
        self._does("break", reason="bench")
        figures = path("queues", QUEUE, "figures")
        _until("all callers wait", lambda: self._client.get(figures)["waiting"] >= self._waiting or self._over.is_set())
        self._look_at_cpu()
        self._does("ready")
        while not self._over.is_set() and talks:
            with contextlib.suppress(queue.Empty):
                moment = self._watch.moments.get(timeout=0.2)
                self._moments.append(moment)
                talks -= moment.what == "hung_up"
                if self._asks and moment.what == "state" and moment.state == "wrap_up":
                    # Not in step with the owner's second, and the call before is over.
                    self._over.wait(random.uniform(0.1, 0.3))
                    self._watch.now("asked")
                    self._does("ready")
        self._does("log-out", forced=True)

    def _look_at_cpu(self) -> None:
        pid = self._stack.engines[0].pid
        before_s, began_s = gauge.cpu_s(pid), time.monotonic()
        self._over.wait(AT_REST_S)
        self._cores = (gauge.cpu_s(pid) - before_s) / (time.monotonic() - began_s)

    def _does(self, what: str, **body: Any) -> None:
        self._client.post(path("agents", AGENT, what), body)


def show(found: Found) -> None:
    """The table, the goal, the comparison."""
    out = Console(highlight=False)
    table = Table("ms: median / 99th percentile", *(f"free by: {kind}" for kind in found.sides))
    sides = list(found.sides.values())
    for (since, until), words in zip(pairwise(STAGES), STAGE_WORDS, strict=True):
        table.add_row(words, *(_cell(each.spread(since, until)) for each in sides))
    table.add_section()
    table.add_row("free to leg", *(_cell(each.spread("free")) for each in sides))
    table.add_row("with the first line", *(_cell(each.spread("asked")) for each in sides))
    table.add_row("rounds", *(str(len(each.rounds)) for each in sides))
    out.print(table)
    out.print(f"engine while {found.waiting} wait: {max(each.cores for each in sides) * 100:.0f} % of a core")
    said = {True: "[green]met[/]", False: "[red]MISSED[/]", None: "not measured"}
    for kind, side in found.sides.items():
        spread = side.spread("free")
        value = "–" if spread is None else f"{spread.p50:.1f} ms"
        out.print(f"{said[side.met]}: free by {kind}, to leg, median: {value}, at most {GOAL_MS:g} ms")
        if side.failed:
            out.print(f"[red]failed:[/] {side.failed} of {side.calls} calls")
    out.print(
        f"mod_callcenter, one queue, one agent, `status Available` to his leg, measured once on FreeSWITCH 1.11.3-dev: "
        f"{CALLCENTER_MS} ms at the median, {CALLCENTER_WORST_MS} ms at worst"
    )


def _cell(spread: Spread | None) -> str:
    return "–" if spread is None else f"{spread.p50:.1f} / {spread.p99:.1f}"
