"""The simulation against the formulas, and the expected wait against the truth.

Seeds are fixed, so a run either holds or doesn't. A figure has to lie within 2 % of the formula, or, where so few calls
can't show that, within its 99 % confidence interval, which must be narrow itself. That the command's usual runs of the
shipped scenarios are long enough to show it is foreseen from these shorter ones. docs/simulation.md has the usual runs.
"""

from __future__ import annotations

import json

import pytest

from callwright.simulate.command import simulate as simulate_command
from callwright.simulate.experiment import Estimate, Result, formula, simulate
from callwright.simulate.scenario import Scenario, load, read
from engine.acd.wait import RANGE

WITHIN = 0.02
WIDER = 1.55
"""99 % in place of 95 %, for six runs: Student's t 4.03 in place of 2.57."""


def agrees(found: Estimate, expected: float, narrow: float) -> bool:
    """Narrow: how wide half the interval may be, of the expected value."""
    assert found.half_width is not None
    if abs(found.mean / expected - 1) <= WITHIN:
        return True
    half_width = WIDER * found.half_width
    return half_width <= narrow * expected and abs(found.mean - expected) <= half_width


def shorter(name: str, hours: float) -> Scenario:
    return load(name).model_copy(update={"hours": hours})


def usual(found: Estimate, expected: float, scenario: Scenario, result: Result) -> float:
    """Half the interval that the command's usual runs of the shipped scenario will have, of the expected value: it goes
    with the root of how much is simulated."""
    assert found.half_width is not None
    runs: int = next(each.default for each in simulate_command.params if each.name == "runs")
    counted_h = result.simulated_h - result.runs * scenario.warm_up_h
    return found.half_width / expected * (counted_h / (runs * (scenario.hours - scenario.warm_up_h))) ** 0.5


def compared(result: Result, name: str) -> None:
    assert result.formula is not None
    said, steady = result.formula
    assert said == name
    queue, agents = result.queues["calls"], result.agents["agents"]
    assert abs(agents["occupancy"].mean / steady.occupancy - 1) <= WITHIN
    assert agrees(queue["service_level"], steady.service_level, 0.03)
    assert agrees(queue["waited"], steady.waited, 0.05)
    assert agrees(queue["asa_s"], steady.asa, 0.12)
    assert agrees(queue["wait_s"], steady.wait, 0.12)
    if steady.abandoned:
        assert agrees(queue["abandoned"], steady.abandoned, 0.06)


@pytest.mark.parametrize(
    ("name", "hours", "formula_name", "most"),
    [("erlang-c", 500, "Erlang C", 0.03), ("erlang-a", 150, "Erlang A", 0.015)],
)
def test_the_shipped_scenarios(name: str, hours: float, formula_name: str, most: float) -> None:
    """`most`: how wide half the interval of the mean wait may be in the usual runs. Mean waits need the most calls."""
    result = simulate(shorter(name, hours), runs=6, seed=1)
    compared(result, formula_name)
    assert result.formula is not None
    steady = result.formula[1]
    for figure, expected in (("asa_s", steady.asa), ("wait_s", steady.wait), ("abandoned", steady.abandoned)):
        if expected:
            assert usual(result.queues["calls"][figure], expected, load(name), result) <= most, figure


def test_a_queue_with_more_callers_than_its_agents_can_take() -> None:
    compared(simulate(shorter("overload-10", 40), runs=6, seed=1), "Erlang A")


@pytest.mark.req("R30")
@pytest.mark.parametrize(("name", "hours", "most"), [("overload-100", 12, 0.28), ("overload-10", 60, 0.56)])
def test_the_expected_wait_against_the_truth(name: str, hours: float, most: float) -> None:
    """In an overloaded queue of patience 180 s, all of it learnt from events."""
    scenario = shorter(name, hours)
    patience = scenario.queues[0].patience_s
    assert patience is not None
    assert patience.model_dump() == {"kind": "exponential", "mean_s": 180}
    found = simulate(scenario, runs=1, seed=1, expected_wait=True).foretold["calls"]
    assert found["probes"].mean > 500
    assert found["told"].mean > 0.95
    assert found["relative_rmse"].mean <= most
    assert abs(found["bias"].mean) < 0.1
    assert found["within"].mean == pytest.approx(RANGE[1] - RANGE[0], abs=0.06)


@pytest.mark.parametrize(
    "change",
    [
        {"wrap_up_s": 5},
        {"max_wait_s": 60},
        {"max_waiting": 5},
        {"patience_s": None, "arrivals": [{"from_h": 0, "per_hour": 200}]},
        {"arrivals": [{"from_h": 0, "per_hour": 100}, {"from_h": 1, "per_hour": 120}]},
        {"handling_s": {"kind": "constant", "s": 240}},
        {"patience_s": {"kind": "constant", "s": 180}},
        {"callers": [{"rings": [{"after_s": 0, "skills": {"en": 1}}]}]},
    ],
)
def test_no_formula_where_none_holds(change: dict[str, object]) -> None:
    found = load("overload-10").model_dump(mode="json")
    found["queues"][0] |= change
    assert formula(read(json.dumps(found))) is None
    assert formula(load("overload-10")) is not None
    assert formula(load("contact-centre")) is None
