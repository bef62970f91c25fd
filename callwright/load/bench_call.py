"""`callwright bench call`: the reference call by our engine and by the switch's own Lua, turn by turn on one switch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from rich.table import Table

from callwright.load import lua, own, sipp
from callwright.load.figures import Times
from callwright.load.plan import SCENARIO, Plan
from callwright.load.results import answered
from callwright.load.run import shown
from callwright.load.trace import by_kind
from callwright.local.supervisor import interruptible
from sipp_scenarios.runner import find_sipp

ANSWER_MS = 45.0
"""Goal: INVITE to 200 at the median, by our engine."""
LONGER_MS = 60.0
"""Goal: how much longer our call may be than Lua's, at the median."""
WARM_UP = 5
"""Calls of each side before the first round, which are not counted."""
ENGINE, LUA = "engine", "lua"


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one side: the calls, why some failed, CPU time in s of engine and switch."""

    outcome: sipp.Outcome
    engine_s: float
    switch_s: float


@dataclass(frozen=True, slots=True)
class Side:
    """All rounds of one side."""

    name: str
    rounds: Sequence[Round]

    @property
    def times(self) -> Times:
        """Of all rounds together."""
        # The Call-IDs of one SIPp hold its process number, so those of several rounds differ.
        failed = {call_id: why for each in self.rounds for call_id, why in each.outcome.failed.items()}
        return Times.of([call for each in self.rounds for call in each.outcome.calls], failed)

    @property
    def calls(self) -> int:
        """Calls made."""
        return sum(len(each.outcome.calls) for each in self.rounds)

    @property
    def failures(self) -> dict[str, int]:
        """Failed calls by kind."""
        found: dict[str, int] = {}
        for each in self.rounds:
            for kind, count in by_kind(each.outcome.counters, each.outcome.failed).items():
                found[kind] = found.get(kind, 0) + count
        return found

    def cpu_ms(self, part: str) -> float:
        """CPU time a call of `engine` or `switch`."""
        used = sum(each.engine_s if part == ENGINE else each.switch_s for each in self.rounds)
        return round(used / max(1, self.calls) * 1000, 2)

    def as_json(self) -> dict[str, Any]:
        """Its figures."""
        times = self.times
        return {
            "name": self.name,
            "calls": self.calls,
            "failures": self.failures,
            "answer": times.answer and times.answer.as_json(),
            "length": times.length and times.length.as_json(),
            # an idle engine beside Lua's calls costs Lua nothing
            "engine_cpu_ms_per_call": self.cpu_ms(ENGINE) if self.name == ENGINE else None,
            "switch_cpu_ms_per_call": self.cpu_ms("switch"),
        }


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal with what was measured; None where it could not be."""

    text: str
    value_ms: float | None
    limit_ms: float

    @property
    def met(self) -> bool | None:
        """None: not measured."""
        return None if self.value_ms is None else self.value_ms <= self.limit_ms


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found. `left_out`: why there is no Lua side; `lost`: calls of the engine without exactly one record."""

    engine: Side
    lua: Side | None
    left_out: str = ""
    lost: int = 0
    interrupted: bool = False

    @property
    def longer_ms(self) -> float | None:
        """How much longer the engine's call is, at the median."""
        ours = self.engine.times.length
        theirs = self.lua.times.length if self.lua is not None else None
        return None if ours is None or theirs is None else round(ours.p50 - theirs.p50, 1)

    def goals(self) -> list[Goal]:
        """The goals, judged."""
        answer = self.engine.times.answer
        return [
            Goal("INVITE to 200, engine, median", None if answer is None else answer.p50, ANSWER_MS),
            Goal("call length, engine over Lua, medians", self.longer_ms, LONGER_MS),
        ]

    def exit_code(self) -> int:
        """0: every goal measured and met; 1: calls failed or a goal was missed; 3: a goal could not be measured."""
        failed = self.engine.failures or self.lost or self.interrupted or (self.lua is not None and self.lua.failures)
        met = [goal.met for goal in self.goals()]
        if failed or False in met:
            return 1
        return 3 if None in met else 0

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "engine": self.engine.as_json(),
            "lua": self.lua and self.lua.as_json(),
            "left_out": {LUA: self.left_out} if self.left_out else {},
            "longer_ms": self.longer_ms,
            "goals": [
                {"text": goal.text, "value_ms": goal.value_ms, "limit_ms": goal.limit_ms, "met": goal.met}
                for goal in self.goals()
            ],
            "records_lost_or_double": self.lost,
            "interrupted": self.interrupted,
        }


def run(*, rate: float, calls: int, rounds: int, as_json: bool) -> int:
    """Measure and print; the exit code. Raises what `load` raises."""
    progress = Console(stderr=True, highlight=False)
    plan = Plan(rate=rate, calls=calls)
    find_sipp()
    with (
        interruptible(),
        own.system(switch="freeswitch", state_dir=None, plan=plan, progress=progress) as system,
    ):
        found = compare(system, plan, rounds, progress)
    if as_json:
        print(json.dumps(found.as_json(), ensure_ascii=False), flush=True)
    else:
        show(found)
    return found.exit_code()


def compare(system: own.Own, plan: Plan, rounds: int, progress: Console) -> Comparison:
    """Both sides turn by turn; Ctrl-C ends it with the rounds so far."""
    left_out = ""
    try:
        lua.install(system, system.stack.config.engine.prompts_dir / own.PROMPT)
    except lua.LuaMissing as missing:
        left_out = f"{lua.MODULE} can't be used ({missing})"
        progress.print(f"[yellow]lua is left out:[/] {left_out}")
    sides: dict[str, list[Round]] = {ENGINE: []} if left_out else {ENGINE: [], LUA: []}
    warm_up = replace(plan, calls=WARM_UP)
    lost, interrupted = 0, False
    for number in range(rounds + 1):
        for name, done in sides.items():
            progress.print(f"round {number} of {rounds}, {name}" if number else f"warming up, {name}")
            one, own_lost, interrupted = _round(system, name, plan if number else warm_up, progress)
            if number:
                done.append(one)
                lost += own_lost
            if interrupted:
                break
        if interrupted:
            break
    theirs = Side(LUA, sides[LUA]) if LUA in sides else None
    return Comparison(Side(ENGINE, sides[ENGINE]), theirs, left_out, lost, interrupted)


def _round(system: own.Own, name: str, plan: Plan, progress: Console) -> tuple[Round, int, bool]:
    """The round, how many records are not as they should be, whether it was interrupted."""
    target = system.target if name == ENGINE else replace(system.target, number=lua.NUMBER)
    before = system.cpu()
    with shown(plan, progress) as told:
        outcome = sipp.run(target, plan, SCENARIO, told)
    lost = 0
    if name == ENGINE:
        records = system.records(answered(outcome.calls), outcome.began_s)
        lost = len(records.lost) + len(records.double)
    engine_s, switch_s = (late - early for early, late in zip(before, system.cpu(), strict=True))
    return Round(outcome, engine_s, switch_s), lost, outcome.interrupted


def show(found: Comparison) -> None:
    """The table, the goals, what went wrong."""
    out = Console(highlight=False)
    table = Table("", "calls", "failed", "INVITE to 200", "call length", "engine\nCPU", "switch\nCPU")
    for side in (found.engine, found.lua):
        if side is not None:
            table.add_row(*_cells(side))
    out.print(table)
    out.print("INVITE to 200, call length: median / 99th percentile in ms")
    out.print("CPU time in ms a call, all threads")
    if found.longer_ms is not None:
        out.print(f"a call of the engine's is {found.longer_ms:.1f} ms longer than Lua's")
    said = {True: "[green]met[/]", False: "[red]MISSED[/]", None: "not measured"}
    for goal in found.goals():
        value = "–" if goal.value_ms is None else f"{goal.value_ms:.1f} ms"
        out.print(f"{said[goal.met]}: {goal.text}: {value}, at most {goal.limit_ms:g} ms")
    if found.left_out:
        out.print(f"[yellow]left out:[/] lua: {found.left_out}")
    for side in (found.engine, found.lua):
        for kind, count in (side.failures if side is not None else {}).items():
            out.print(f"[red]failed:[/] {side.name if side else ''}: {count} calls: {kind}")
    if found.lost:
        out.print(f"[red]records:[/] {found.lost} calls have none or several")
    if found.interrupted:
        out.print("[yellow]interrupted:[/] these are the rounds so far")


def _cells(side: Side) -> list[str]:
    answer, length = side.times.answer, side.times.length
    cells = [side.name, str(side.calls), str(sum(side.failures.values()))]
    for spread in (answer, length):
        cells.append("–" if spread is None else f"{spread.p50:.1f} / {spread.p99:.1f}")
    engine = f"{side.cpu_ms(ENGINE):.1f}" if side.name == ENGINE else "–"
    return [*cells, engine, f"{side.cpu_ms('switch'):.1f}"]
