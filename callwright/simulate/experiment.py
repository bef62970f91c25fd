"""Runs of a scenario, and their figures with the range that chance leaves open."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

from callwright.simulate.callers import HOUR_MS, Chances, callers
from callwright.simulate.draws import Exponential
from callwright.simulate.erlang import NeverSteady, Steady, erlang_a, erlang_c
from callwright.simulate.floor import BEGINS_MS, Floor
from callwright.simulate.foretold import Foretold
from callwright.simulate.scenario import Scenario, Shift
from callwright.simulate.tally import Figures, Tally

CONFIDENCE = 0.95
ALL = "all"


@dataclass(frozen=True, slots=True)
class Estimate:
    """The mean over runs. In 95 of 100 experiments the long-run mean is within mean ± `half_width` (None: one run)."""

    mean: float
    half_width: float | None


Table = dict[str, dict[str, Estimate]]
"""Estimates by row and figure. A figure that no run had is left out."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a simulation shows. `foretold` is empty where the expected wait was not asked for."""

    runs: int
    seed: int
    queues: Table
    agents: Table
    foretold: Table
    formula: tuple[str, Steady] | None
    simulated_h: float
    took_s: float


def simulate(
    scenario: Scenario,
    runs: int,
    seed: int,
    *,
    expected_wait: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> Result:
    """So many runs, each with chances of its own. `progress` hears after each run how many are done."""
    queues: list[dict[str, Figures]] = []
    agents: list[dict[str, Figures]] = []
    foretold: list[dict[str, Figures]] = []
    began_s = time.perf_counter()
    for run in range(runs):
        tally, heard = _run(scenario, Chances(seed, run), expected_wait)
        within_ms = scenario.service_level_s * 1000
        queues.append({name: each.figures(within_ms) for name, each in tally.queues.items()})
        agents.append({group.id: tally.occupancy(group.id) for group in scenario.agents})
        queues[-1][ALL] = tally.everything().figures(within_ms)
        agents[-1][ALL] = tally.occupancy(*(group.id for group in scenario.agents))
        if heard is not None:
            foretold.append({name: each.figures() for name, each in heard.outcomes.items()})
        progress(run + 1)
    return Result(
        runs=runs,
        seed=seed,
        queues=_table(queues),
        agents=_table(agents),
        foretold=_table(foretold),
        formula=formula(scenario),
        simulated_h=runs * scenario.hours,
        took_s=time.perf_counter() - began_s,
    )


def _run(scenario: Scenario, chances: Chances, expected_wait: bool) -> tuple[Tally, Foretold | None]:
    from_ms, to_ms = round(scenario.warm_up_h * HOUR_MS), round(scenario.hours * HOUR_MS)
    names = [queue.id for queue in scenario.queues], [group.id for group in scenario.agents]
    tally = Tally(*names, from_ms, to_ms, BEGINS_MS)
    foretold = Foretold(scenario, BEGINS_MS, from_ms) if expected_wait else None
    Floor(scenario, chances, tally, foretold).run(callers(scenario, chances, expected_wait))
    return tally, foretold


def formula(scenario: Scenario) -> tuple[str, Steady] | None:
    """Erlang C or Erlang A with its name, where the scenario is what it holds for: one queue, one rate, handling (and
    patience) exponential, agents all alike, there all the time, and nothing between two calls."""
    if len(scenario.queues) != 1 or len(scenario.agents) != 1:
        return None
    queue, agents = scenario.queues[0], scenario.agents[0]
    skilled = len(queue.callers) > 1 or any(ring.skills for ring in queue.callers[0].rings)
    limits = queue.max_waiting is not None or queue.max_wait_s is not None
    pauses = queue.wrap_up_s or agents.answer_s is not None or agents.shifts != (Shift(),)
    if skilled or limits or pauses or len(queue.arrivals) != 1 or not isinstance(queue.handling_s, Exponential):
        return None
    rate, handling = queue.arrivals[0].per_hour / 3600, queue.handling_s.mean_s
    if rate <= 0:
        return None
    if isinstance(queue.patience_s, Exponential):
        within = scenario.service_level_s
        return "Erlang A", erlang_a(rate, handling, agents.count, queue.patience_s.mean_s, within)
    if queue.patience_s is not None:
        return None
    try:
        return "Erlang C", erlang_c(rate, handling, agents.count, scenario.service_level_s)
    except NeverSteady:
        return None


def _table(runs: Iterable[Mapping[str, Figures]]) -> Table:
    found: dict[str, dict[str, list[float]]] = {}
    for rows in runs:
        for row, figures in rows.items():
            columns = found.setdefault(row, {})
            for name, value in figures.items():
                if value is not None:
                    columns.setdefault(name, []).append(value)
    return {row: {name: estimate(values) for name, values in columns.items()} for row, columns in found.items()}


def estimate(values: list[float]) -> Estimate:
    """The mean of independent runs and its confidence interval, by Student's t."""
    if len(values) < 2:
        return Estimate(values[0], None)
    return Estimate(fmean(values), _student(len(values) - 1) * stdev(values) / len(values) ** 0.5)


_FEW = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}


def _student(freedom: int) -> float:
    """Student's t for 95 %, by Cornish and Fisher from the normal quantile; from a table where that is too coarse."""
    if freedom in _FEW:
        return _FEW[freedom]
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
