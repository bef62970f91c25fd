"""`callwright bench esl`: the same calls to three controllers, turn by turn, so that noise of the machine meets all.

Of each controller the CPU time and the memory of its own process are measured, never the player's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from callwright.bench import CONTROLLERS, controllers, gauge
from callwright.bench.controllers import CallwrightController, Controller
from callwright.bench.environment import EnvironmentMissing
from callwright.bench.player import Played, PlayedSwitch
from callwright.bench.report import Report, summarise
from callwright.local import ports
from callwright.up import Steps

WARM_UP_CALLS = 30
"""Calls before anything is measured: what is loaded and cached at the first call is no call's cost."""
BURST_CALLS = 10
REST_S = 0.3
"""After a round, before the clock is read: what a call's end set off is its cost too."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `calls` a round, `per_second` of them begun; `waiting` calls for the memory."""

    names: tuple[str, ...] = CONTROLLERS
    calls: int = 400
    rounds: int = 3
    per_second: float = 40.0
    waiting: int = 1000
    burst_events: int = 1000


@dataclass(slots=True)
class _Contender:
    """A controller with what was found of it so far."""

    controller: Controller
    switch: PlayedSwitch
    played: Played = field(default_factory=Played)
    cpu_s: list[float] = field(default_factory=list)
    events: list[float] = field(default_factory=list)
    idle_kb: float = 0.0


def run(plan: Plan, cache_dir: Path, *, as_json: bool) -> int:
    """Measure, print, and return the exit code. Progress goes to standard error. Raises ProcessFailed, WheelMissing."""
    console = Console(stderr=True, highlight=False)
    with tempfile.TemporaryDirectory(prefix="callwright-bench-") as temporary:
        report = asyncio.run(_Comparison(plan, cache_dir, Path(temporary), console).run())
    if as_json:
        print(json.dumps(report.as_json()))
    else:
        show(report, Console(highlight=False))
    return report.exit_code()


def show(report: Report, console: Console) -> None:
    """The table, and below it the goals."""
    table = Table(title="one call: answer, three variables, a prompt, a menu of one key, hangup")
    table.add_column("controller")
    for title in ("CPU ms a call", "callwright takes", "events a CPU second", "KB a waiting call", "calls completed"):
        table.add_column(title, justify="right")
    for row in report.rows():
        table.add_row(*row)
    console.print(table)
    for line in report.lines():
        console.print(line, markup=False)


class _Comparison:
    def __init__(self, plan: Plan, cache_dir: Path, work_dir: Path, console: Console) -> None:
        self._plan = plan
        self._cache_dir = cache_dir
        self._work_dir = work_dir
        self._console = console
        self._steps = Steps(console)
        self._left_out: dict[str, str] = {}
        self._late_s = 0.0

    async def run(self) -> Report:
        contenders: list[_Contender] = []
        try:
            for name in self._plan.names:
                with self._step(f"{name} starts"):
                    await self._start(name, contenders)
            for each in contenders:
                with self._step(f"{each.controller.name}: memory of {self._plan.waiting} waiting calls"):
                    await self._memory(each)
            for number in range(1, self._plan.rounds + 1):
                for each in contenders:
                    with self._step(f"round {number} of {self._plan.rounds}: {each.controller.name}"):
                        await self._round(each)
            for number in range(1, self._plan.rounds + 1):
                for each in contenders:
                    with self._step(f"burst {number} of {self._plan.rounds}: {each.controller.name}"):
                        await self._burst(each)
            return self._report(contenders)
        finally:
            self._steps.stop()
            for each in contenders:
                each.controller.stop()
                await each.switch.close()

    async def _start(self, name: str, contenders: list[_Contender]) -> None:
        # In this thread, though it holds the event loop up: the kernel ends a child together with the thread it is of.
        controller: Controller
        if name == "callwright":
            port = ports.take()
            controller = CallwrightController(self._work_dir, port, self._console.print)
        else:
            try:
                controller = controllers.start_rival(name, self._cache_dir, self._work_dir, self._console.print)
            except EnvironmentMissing as missing:
                self._left_out[name] = str(missing)
                self._console.print(f"[yellow]left out[/] {name}: {missing}")
                return
        contender = _Contender(controller, PlayedSwitch(controller.address, controller.variables))
        contenders.append(contender)
        if name == "callwright":
            await contender.switch.listen(port)
        self._count(contender, await contender.switch.play(WARM_UP_CALLS, self._plan.per_second))

    async def _memory(self, each: _Contender) -> None:
        await self._rest(each)
        before = gauge.resident_kb(each.controller.process.pid)
        played = Played()
        calls = await each.switch.open(self._plan.waiting, played)
        await asyncio.sleep(REST_S)
        each.idle_kb = (gauge.resident_kb(each.controller.process.pid) - before) / max(len(calls), 1)
        await each.switch.hang_up(calls, played)
        self._count(each, played)
        await self._rest(each)

    async def _round(self, each: _Contender) -> None:
        before = gauge.cpu_s(each.controller.process.pid)
        self._count(each, await each.switch.play(self._plan.calls, self._plan.per_second))
        await self._rest(each)
        each.cpu_s.append((gauge.cpu_s(each.controller.process.pid) - before) / self._plan.calls)

    async def _burst(self, each: _Contender) -> None:
        played = Played()
        calls = await each.switch.open(BURST_CALLS, played)
        before = gauge.cpu_s(each.controller.process.pid)
        await each.switch.burst(calls, self._plan.burst_events, played)
        used = gauge.cpu_s(each.controller.process.pid) - before
        each.events.append(len(calls) * self._plan.burst_events / used)
        self._count(each, played)
        await self._rest(each)

    async def _rest(self, each: _Contender) -> None:
        await asyncio.sleep(REST_S)
        await asyncio.to_thread(each.controller.settle)

    def _count(self, each: _Contender, played: Played) -> None:
        each.played.add(played)
        self._late_s = max(self._late_s, played.late_s)
        each.controller.process.check()

    def _report(self, contenders: Sequence[_Contender]) -> Report:
        results, records = [], None
        for each in contenders:
            name, played = each.controller.name, each.played
            results.append(summarise(name, each.cpu_s, each.events, each.idle_kb, played.calls, played.faults))
            recorded = each.controller.recorded()
            if recorded is not None:
                records = (recorded, played.calls)
        return Report(results, self._left_out, self._late_s, records)

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self._steps(name, None)
        began = time.monotonic()
        yield
        self._steps(name, time.monotonic() - began)
