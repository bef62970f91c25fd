"""What a simulation shows, for people and for machines."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

from callwright.simulate.erlang import Steady
from callwright.simulate.experiment import ALL, Estimate, Result, Table
from callwright.simulate.recorded import Recorded
from callwright.simulate.scenario import Scenario
from callwright.simulate.tally import Figures

# Heading, figure, factor, digits.
Column = tuple[str, str, float, int]
QUEUES: tuple[Column, ...] = (
    ("calls", "offered", 1, 0),
    ("level %", "service_level", 100, 1),
    ("gave up %", "abandoned", 100, 1),
    ("overflow %", "overflowed", 100, 1),
    ("asa s", "asa_s", 1, 1),
    ("p50 s", "p50_s", 1, 1),
    ("p90 s", "p90_s", 1, 1),
    ("p95 s", "p95_s", 1, 1),
    ("line", "longest_line", 1, 0),
)
AGENTS: tuple[Column, ...] = (("occupancy %", "occupancy", 100, 1),)
FORETOLD: tuple[Column, ...] = (
    ("probes", "probes", 1, 0),
    ("told %", "told", 100, 1),
    ("waited s", "true_wait_s", 1, 1),
    ("error", "relative_rmse", 1, 3),
    ("bias", "bias", 1, 3),
    ("in range %", "within", 100, 1),
)
FORMULA: tuple[Column, ...] = (
    ("waited %", "waited", 100, 2),
    ("gave up %", "abandoned", 100, 2),
    ("level %", "service_level", 100, 2),
    ("asa s", "asa_s", 1, 2),
    ("wait s", "wait_s", 1, 2),
    ("occupancy %", "occupancy", 100, 2),
)


def as_text(scenario: Scenario, result: Result, recorded: Recorded | None = None) -> str:
    """The tables; before them, how it was, where the scenario comes from records."""
    runs = "1 run" if result.runs == 1 else f"{result.runs} runs"
    lines = [scenario.name, *([scenario.about] if scenario.about else [])]
    spread = "" if result.runs == 1 else "; mean ± half the width of the 95 % confidence interval"
    lines += [f"{runs} of {scenario.hours:g} h, seed {result.seed}{spread}", ""]
    if recorded is not None:
        lines += [*_lines("as it was", _once(recorded.queues), QUEUES), ""]
        lines += [*_lines("agents then", _once(recorded.agents), AGENTS), ""]
    lines += [*_lines("queue", result.queues, QUEUES), ""]
    lines += [*_lines("agents", result.agents, AGENTS), ""]
    left = result.queues[ALL].get("unserved", Estimate(0, None)).mean
    if left:
        lines += [f"{left:g} callers a run still waited when nobody was left to take them", ""]
    if result.foretold:
        lines += [*_lines("expected wait", result.foretold, FORETOLD), ""]
    if result.formula:
        lines += [*_compared(result, *result.formula), ""]
    return "\n".join([*lines, _speed(result)])


def as_json(scenario: Scenario, result: Result, recorded: Recorded | None = None) -> str:
    """One line of JSON."""
    content = {
        "scenario": scenario.name,
        "runs": result.runs,
        "seed": result.seed,
        "hours": scenario.hours,
        "queues": _plain(result.queues),
        "agents": _plain(result.agents),
    }
    if recorded is not None:
        content["recorded"] = {"queues": recorded.queues, "agents": recorded.agents, "notes": recorded.notes}
    if result.foretold:
        content["expected_wait"] = _plain(result.foretold)
    if result.formula:
        name, steady = result.formula
        differ = {"deviation": deviations(result, steady), "within_chance": within_chance(result, steady)}
        content["formula"] = {"name": name, **dataclasses.asdict(steady), **differ}
    speed = {"simulated_h": result.simulated_h, "took_s": round(result.took_s, 3)}
    content["speed"] = {**speed, "simulated_h_per_s": round(result.simulated_h / result.took_s, 3)}
    return json.dumps(content, ensure_ascii=False)


def deviations(result: Result, steady: Steady) -> dict[str, float]:
    """By what share of the formula's value the simulated one differs, by figure; nothing where the formula has 0."""
    simulated = _simulated(result)
    expected = _expected(steady)
    return {
        name: simulated[name].mean / expected[name] - 1
        for _, name, _, _ in FORMULA
        if name in simulated and expected[name]
    }


def within_chance(result: Result, steady: Steady) -> dict[str, bool]:
    """Whether the formula's value lies in the confidence interval, by figure; nothing of one run, which has none."""
    expected = _expected(steady)
    return {
        name: abs(each.mean - expected[name]) <= each.half_width
        for name, each in _simulated(result).items()
        if name in deviations(result, steady) and each.half_width is not None
    }


def _expected(steady: Steady) -> dict[str, float]:
    found = dataclasses.asdict(steady)
    return {**found, "asa_s": steady.asa, "wait_s": steady.wait}


def _simulated(result: Result) -> Mapping[str, Estimate]:
    return {**result.queues[ALL], **result.agents[ALL]}


def _compared(result: Result, name: str, steady: Steady) -> list[str]:
    expected, simulated, differ = _expected(steady), _simulated(result), deviations(result, steady)
    chance = within_chance(result, steady)
    lines = [f"{name:<14}{'formula':>12}{'simulated':>20}{'differs by':>12}{'within ±' if chance else '':>10}".rstrip()]
    for heading, figure, factor, digits in FORMULA:
        if figure in differ:
            shown = _shown(simulated[figure], factor, digits)
            formula = f"{expected[figure] * factor:.{digits}f}"
            within = {True: "yes", False: "no", None: ""}[chance.get(figure)]
            percent = f"{differ[figure] * 100:+.2f} %"
            lines.append(f"{heading:<14}{formula:>12}{shown:>20}{percent:>12}{within:>10}".rstrip())
    return lines


def _once(figures: Mapping[str, Figures]) -> Table:
    return {
        row: {name: Estimate(value, None) for name, value in columns.items() if value is not None}
        for row, columns in figures.items()
    }


def _lines(title: str, table: Table, columns: tuple[Column, ...]) -> list[str]:
    rows = [(title, [heading for heading, *_ in columns])]
    for name, figures in table.items():
        if name == ALL and len(table) == 2:
            continue  # the same as its only part
        cells = [_shown(figures.get(figure), factor, digits) for _, figure, factor, digits in columns]
        rows.append((name, cells))
    first = max(len(name) for name, _ in rows)
    widths = [max(len(cells[number]) for _, cells in rows) for number in range(len(columns))]
    return [
        f"{name:<{first}}" + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        for name, cells in rows
    ]


def _shown(estimate: Estimate | None, factor: float, digits: int) -> str:
    if estimate is None:
        return "-"
    mean = f"{estimate.mean * factor:,.{digits}f}"
    if estimate.half_width is None:
        return mean
    return f"{mean} ± {estimate.half_width * factor:,.{max(digits, 1)}f}"


def _speed(result: Result) -> str:
    times = result.simulated_h * 3600 / result.took_s
    hours = result.simulated_h / result.took_s
    took = f"{result.simulated_h:,g} h simulated in {result.took_s:.1f} s"
    return f"{took}: {hours:,.1f} h a second, {times:,.0f} times as fast as life"


def _plain(table: Table) -> dict[str, dict[str, dict[str, float | None]]]:
    return {row: {name: dataclasses.asdict(each) for name, each in figures.items()} for row, figures in table.items()}
