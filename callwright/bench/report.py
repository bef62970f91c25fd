"""What the comparison found: ratios, goals, the table and the JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

OURS = "callwright"
CPU_GOALS = {"greenswitch": 1 / 2, "genesis": 1 / 5}
"""Our CPU time a call, at most this part of theirs."""
MOST_KB = 100.0
"""What one waiting call of ours may take."""
LATE_S = 0.1
"""A player that is later than this with a call it had planned was itself short of CPU."""


@dataclass(frozen=True, slots=True)
class Result:
    """One controller. `calls` that were played to it, those that ran to their end as they should, faults by kind."""

    name: str
    cpu_ms_per_call: float
    """CPU time of the controller's process, median of the rounds."""
    events_per_s: float
    """Events in a burst for each second of the controller's CPU time, median of the rounds."""
    kb_per_idle_call: float
    """Growth of resident memory (KB of 1024 bytes) with calls that wait in the menu, for each of them."""
    calls: int
    completed: int
    faults: Mapping[str, int] = field(default_factory=dict)
    cpu_ms_of_rounds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal. `value` and `met` are None where it could not be measured."""

    text: str
    value: float | None
    limit: float
    unit: str

    @property
    def met(self) -> bool | None:
        return None if self.value is None else self.value <= self.limit


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found. `left_out`: controllers that could not be measured, with the reason."""

    results: Sequence[Result]
    left_out: Mapping[str, str]
    player_late_s: float
    records: tuple[int, int] | None
    """Call records in PostgreSQL, and calls that our engine was given; None where it was not measured."""

    def result(self, name: str) -> Result | None:
        """The controller's result, None where it has none."""
        return next((each for each in self.results if each.name == name), None)

    def ratios(self) -> dict[str, dict[str, float]]:
        """Our figures divided by each rival's."""
        ours = self.result(OURS)
        if ours is None:
            return {}
        return {
            other.name: {
                "cpu_per_call": ours.cpu_ms_per_call / other.cpu_ms_per_call,
                "events_per_s": ours.events_per_s / other.events_per_s,
                "kb_per_idle_call": ours.kb_per_idle_call / other.kb_per_idle_call,
            }
            for other in self.results
            if other is not ours and other.kb_per_idle_call > 0
        }

    def goals(self) -> list[Goal]:
        """The goals with what was measured."""
        ours, ratios = self.result(OURS), self.ratios()
        goals = [
            Goal(f"CPU of a call, whole engine to bare {name}", ratios.get(name, {}).get("cpu_per_call"), most, "×")
            for name, most in CPU_GOALS.items()
        ]
        return [*goals, Goal("memory of a waiting call", ours.kb_per_idle_call if ours else None, MOST_KB, "KB")]

    def faults(self) -> list[str]:
        """What makes the figures worthless, in words."""
        found = [
            f"{each.name}: {times} of {each.calls} calls: {fault}"
            for each in self.results
            for fault, times in each.faults.items()
        ]
        if self.records is not None and self.records[0] != self.records[1]:
            found.append(f"{OURS}: {self.records[0]} call records for {self.records[1]} calls")
        return found

    def exit_code(self) -> int:
        """0: every goal measured and met; 1: calls failed or a goal is missed; 3: a goal could not be measured."""
        met = [goal.met for goal in self.goals()]
        if self.faults() or False in met:
            return 1
        return 3 if None in met else 0

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "results": [_rounded(each) for each in self.results],
            "units": {"events_per_s": "events for each second of the controller's CPU time"},
            "ratios": {
                name: {what: round(ratio, 3) for what, ratio in found.items()} for name, found in self.ratios().items()
            },
            "goals": [
                {**asdict(goal), "value": None if goal.value is None else round(goal.value, 3), "met": goal.met}
                for goal in self.goals()
            ],
            "left_out": dict(self.left_out),
            "faults": self.faults(),
            "player_late_ms": round(self.player_late_s * 1000, 1),
            "records": self.records and {"written": self.records[0], "calls": self.records[1]},
        }

    def rows(self) -> list[tuple[str, ...]]:
        """The table's rows: controller, CPU, ours against it, events, memory, calls."""
        ratios = self.ratios()
        rows = []
        for each in self.results:
            share = ratios.get(each.name, {}).get("cpu_per_call")
            rows.append((
                each.name,
                f"{each.cpu_ms_per_call:.2f}",
                "" if share is None else f"{share:.2f} ×",
                f"{each.events_per_s:,.0f}",
                f"{each.kb_per_idle_call:.0f}",
                f"{each.completed} of {each.calls}",
            ))  # fmt: skip
        return [*rows, *((name, "left out", "", "", "", reason) for name, reason in self.left_out.items())]

    def lines(self) -> list[str]:
        """What stands below the table."""
        said = {True: "met", False: "MISSED", None: "not measured"}
        lines = [
            f"{said[goal.met]:<13} {goal.text}: "
            + ("–" if goal.value is None else f"{goal.value:.2f}")
            + f" {goal.unit}, at most {goal.limit:g} {goal.unit}"
            for goal in self.goals()
        ]
        if self.player_late_s > LATE_S:
            lines.append(f"The player was up to {self.player_late_s * 1000:.0f} ms late: the machine is too busy.")
        return [*lines, *self.faults()]


def summarise(name: str, rounds: Sequence[float], events: Sequence[float], idle_kb: float, calls: int,
              faults: Sequence[str]) -> Result:  # fmt: skip
    """A controller's result from its rounds: CPU s a call, events a CPU second."""
    counted = {fault: faults.count(fault) for fault in dict.fromkeys(faults)}
    in_ms = tuple(round(each * 1000, 3) for each in rounds)
    return Result(name, median(in_ms), median(events), idle_kb, calls, calls - len(faults), counted, in_ms)


def _rounded(result: Result) -> dict[str, Any]:
    values = asdict(result)
    for name in ("cpu_ms_per_call", "events_per_s", "kb_per_idle_call"):
        values[name] = round(values[name], 2)
    return values
