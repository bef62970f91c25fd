"""`callwright load`: knocks, calls, measures, reports."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from callwright.bench import gauge
from callwright.load import chart, own, report, sipp
from callwright.load.figures import bins
from callwright.load.knock import knock
from callwright.load.plan import Plan, PlanError, Target
from callwright.load.results import Cpu, Results, answered
from callwright.local.stack import SwitchKind
from callwright.local.supervisor import interruptible
from sipp_scenarios.runner import find_sipp

PLAIN_EVERY_S = 5.0
"""How often a line of progress is written where there is no terminal."""
PLAIN_FIRST_S = 1.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asked for besides the plan. `target` None: the system that load starts itself."""

    target: Target | None
    scenario: str
    switch: SwitchKind
    state_dir: Path | None
    chart: Path | None
    as_json: bool
    knock: bool
    pids: tuple[int | None, int | None]
    """Engine and switch, to measure their CPU time."""


def run(plan: Plan, wishes: Wishes) -> int:
    """The load test; 0 when every call went well. Progress goes to standard error, results to standard output.

    Raises LoadFailed, PlanError, ChartError, SippError, and what `Stack` raises.
    """
    progress = Console(stderr=True, highlight=False)
    if wishes.chart is not None:
        chart.check_name(wishes.chart)
    sipp.scenario_text(wishes.scenario)
    find_sipp()
    with interruptible():
        results = _own(plan, wishes, progress) if wishes.target is None else _other(plan, wishes, progress)
    if wishes.as_json:
        print(json.dumps(results.as_json(), ensure_ascii=False), flush=True)
    else:
        report.show(results)
    if wishes.chart is not None:
        draw(results, wishes.chart)
        progress.print(f"chart: {wishes.chart}", soft_wrap=True)
    return 0 if results.ok else 1


def measure(system: own.Own, plan: Plan, scenario: str, switch: SwitchKind, progress: Console) -> Results:
    """Calls to the reference number; CPU time counts until the last record is written."""
    before = system.cpu()
    with shown(plan, progress) as told:
        outcome = sipp.run(system.target, plan, scenario, told)
    progress.print("waiting for the call records")
    records = system.records(answered(outcome.calls), outcome.began_s)
    after = system.cpu()
    used = Cpu(*(late - early for early, late in zip(before, after, strict=True)))
    return Results(system.target, switch, plan, outcome, used, records)


def _own(plan: Plan, wishes: Wishes, progress: Console) -> Results:
    place = {"switch": wishes.switch, "state_dir": wishes.state_dir}
    with own.system(plan=plan, progress=progress, **place) as system:  # type: ignore[arg-type]
        return measure(system, plan, wishes.scenario, wishes.switch, progress)


def _other(plan: Plan, wishes: Wishes, progress: Console) -> Results:
    target = wishes.target
    assert target is not None
    if wishes.knock:
        knock(target)
    meters = [None if pid is None else _Meter(pid) for pid in wishes.pids]
    with shown(plan, progress) as told:
        outcome = sipp.run(target, plan, wishes.scenario, told)
    engine, switch = (None if meter is None else meter.used() for meter in meters)
    return Results(target, None, plan, outcome, Cpu(engine, switch), None)


class _Meter:
    """CPU time of one process from now on. Raises PlanError when there is no such process."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        try:
            self._before = gauge.cpu_s(pid)
        except (OSError, OverflowError):
            raise PlanError(f"there is no process {pid} on this machine") from None

    def used(self) -> float | None:
        """Seconds; None when the process has ended meanwhile."""
        with contextlib.suppress(OSError):
            return gauge.cpu_s(self._pid) - self._before
        return None


def draw(results: Results, path: Path) -> None:
    """Write the chart. Raises OSError."""
    first = min((call.began_s for call in results.calls), default=results.until_s)
    pieces = bins(results.calls, results.failed, results.until_s, chart.SVG_BINS)
    title = f"{results.plan.words()}\nto {results.target}: {results.made} calls, {results.failures} failed"
    path.write_bytes(chart.svg(pieces, results.until_s - first, title))


@contextlib.contextmanager
def shown(plan: Plan, console: Console) -> Iterator[Callable[[sipp.Progress], None]]:
    """A bar on a terminal, else a line now and then."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    total = plan.calls if plan.calls is not None and plan.duration_s is None else None
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[words]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("calling", total=total or plan.calling_s, words="")

        def told(state: sipp.Progress) -> None:
            counts = state.counters
            done = counts.successful + counts.failed if total else min(state.at_s, plan.calling_s)
            what = "calling" if state.calling else "waiting for the last calls"
            bar.update(task, completed=done, description=what, words=_words(state))

        yield told


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = time.monotonic() + PLAIN_FIRST_S

    def __call__(self, state: sipp.Progress) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PLAIN_EVERY_S
            self._console.print(f"{state.at_s:5.0f} s  {_words(state)}")


def _words(state: sipp.Progress) -> str:
    counts = state.counters
    return f"{counts.created} calls, {counts.current} running, {counts.failed} failed"
