"""The virtual centre: callers of known times, and what becomes of them through the real matcher."""

from __future__ import annotations

import json
from typing import Any

import pytest

from callwright.simulate.callers import Chances, callers
from callwright.simulate.experiment import simulate
from callwright.simulate.floor import BEGINS_MS, Floor
from callwright.simulate.foretold import Foretold
from callwright.simulate.scenario import load, read
from callwright.simulate.tally import Tally
from engine.domain.acd import Strategy
from tests.unit.simulate.centres import caller, day, scenario


def answered_s(tally: Tally, queue: str = "q") -> list[float]:
    return [wait / 1000 for wait in tally.queues[queue].answered]


def abandoned_s(tally: Tally, queue: str = "q") -> list[float]:
    return [wait / 1000 for wait in tally.queues[queue].abandoned]


def test_one_after_the_other() -> None:
    tally = day(scenario(), caller(1, 0), caller(2, 10), caller(3, 20))
    assert answered_s(tally) == [0, 50, 100]
    assert tally.queues["q"].longest_line == 2
    assert tally.occupancy("a") == {"occupancy": 180 / 3600}


def test_wrap_up_and_the_time_to_answer_keep_the_next_one_waiting() -> None:
    slow = scenario(agents=[{"answer_s": {"kind": "constant", "s": 5}}], wrap_up_s=30)
    tally = day(slow, caller(1, 0), caller(2, 10))
    assert answered_s(tally) == [5, 5 + 60 + 30 - 10 + 5]
    assert tally.occupancy("a") == {"occupancy": 2 * (5 + 60 + 30) / 3600}


def test_who_gives_up_is_nobodys_call() -> None:
    tally = day(scenario(), caller(1, 0), caller(2, 10, patience_s=20), caller(3, 15))
    assert (answered_s(tally), abandoned_s(tally)) == ([0, 45], [20])
    figures = tally.queues["q"].figures(20_000)
    assert (figures["offered"], figures["abandoned"], figures["service_level"]) == (3, 1 / 3, 1 / 3)
    assert figures["wait_s"] == pytest.approx((0 + 45 + 20) / 3)


def test_who_gives_up_while_it_rings_leaves_the_agent_free() -> None:
    slow = scenario(agents=[{"answer_s": {"kind": "constant", "s": 8}}])
    tally = day(slow, caller(1, 0, patience_s=5), caller(2, 6))
    assert (answered_s(tally), abandoned_s(tally)) == ([8], [5])


@pytest.mark.req("R53")
def test_an_agent_who_lets_it_ring_is_away_and_the_caller_goes_first() -> None:
    deaf = {"id": "deaf", "queues": {"q": {}}, "answer_s": {"kind": "constant", "s": 99}, "away_s": 300}
    late = {"id": "late", "queues": {"q": {}}, "shifts": [{"from_h": 0.01}]}
    tally = day(scenario(agents=[deaf, late], ring_s=20), caller(1, 0), caller(2, 1))
    assert answered_s(tally) == [36, 36 + 60 - 1], "the first at once when somebody logs in, then the second"
    assert tally.present_ms["deaf"] == 3_600_000 - 300_000


def test_the_first_of_those_who_ring_takes_it() -> None:
    quick = {"id": "quick", "queues": {"q": {}}, "answer_s": {"kind": "constant", "s": 2}}
    slow = {"id": "slow", "queues": {"q": {}}, "answer_s": {"kind": "constant", "s": 9}}
    tally = day(scenario(agents=[slow, quick], strategy="ring_all"), caller(1, 0), caller(2, 3))
    assert answered_s(tally) == [2, 9]
    assert (tally.busy_ms["quick"], tally.busy_ms["slow"]) == (62_000, 2_000 + 9_000 + 60_000)


@pytest.mark.req("R50")
def test_shifts_and_breaks() -> None:
    shift = {"from_h": 0.1, "to_h": 0.5, "breaks": [{"at_h": 0.2, "minutes": 6}]}
    given = scenario(agents=[{"shifts": [shift]}])
    tally = day(given, caller(1, 0), caller(2, 700, handling_s=60), caller(3, 1750, handling_s=100), caller(4, 1800))
    # 1 waits for the shift; 2's call ends 40 s into the break's time, which begins then; 3 talks past the shift's end.
    assert answered_s(tally) == [360, 0, 0]
    assert tally.queues["q"].unserved == 1
    assert tally.present_ms["a"] == (1800 - 360 - 360 + 50) * 1000


def test_breaks_in_turn() -> None:
    shift = {"from_h": 0, "breaks": [{"at_h": 0.1, "minutes": 6, "stagger_min": 6}]}
    tally = day(scenario(agents=[{"count": 3, "shifts": [shift]}]), *(caller(n, 361 + 360 * n) for n in range(3)))
    assert answered_s(tally) == [0, 0, 0]
    assert tally.present_ms["a"] == 3 * (3600 - 360) * 1000


def test_limits_of_the_queue() -> None:
    given = scenario(max_waiting=2, max_wait_s=30)
    tally = day(given, caller(1, 0), caller(2, 1, patience_s=10), caller(3, 2), caller(4, 3), caller(5, 12))
    queue = tally.queues["q"]
    assert answered_s(tally) == [0]
    assert abandoned_s(tally) == [10]
    assert queue.overflowed == 3, "4 found two who waited, 3 and 5 waited for 30 s"
    assert queue.figures(1)["overflowed"] == 3 / 5


@pytest.mark.req("R1")
def test_skills_that_relax_and_tiers() -> None:
    rings = [{"after_s": 0, "skills": {"en": 5}}, {"after_s": 40, "skills": {"en": 1}}]
    weak = {"id": "weak", "queues": {"q": {}}, "skills": {"en": 2}}
    tally = day(scenario(agents=[weak], callers=[{"rings": rings}]), caller(1, 0))
    assert answered_s(tally) == [40]
    second = {"id": "second", "queues": {"q": {"level": 2}}}
    tally = day(scenario(agents=[{}, second], tier_wait_s=25), caller(1, 0), caller(2, 1))
    assert answered_s(tally) == [0, 25]


def test_priorities() -> None:
    kinds = [{"priority": 0}, {"priority": 50}]
    tally = day(scenario(callers=kinds), caller(1, 0), caller(2, 1), caller(3, 2, kind=1))
    assert answered_s(tally) == [0, 58, 119]


def probed(**queue: Any) -> tuple[Tally, Tally, Foretold]:
    """The same day without and with probes."""
    given = scenario(hours=20, agents=[{"count": 3}], patience_s={"kind": "exponential", "mean_s": 120}, **queue)
    tallies = [Tally(["q"], ["a"], 0, 72_000_000, BEGINS_MS) for _ in range(2)]
    foretold = Foretold(given, BEGINS_MS, 0)
    chances = Chances(1, 0)
    Floor(given, chances, tallies[0]).run(callers(given, chances, probes=False))
    Floor(given, chances, tallies[1], foretold).run(callers(given, chances, probes=True))
    return tallies[0], tallies[1], foretold


def test_probes_change_nothing() -> None:
    without, having, foretold = probed()
    assert len(foretold.outcomes["q"].probes) > 20
    assert having.queues["q"].answered == without.queues["q"].answered
    assert having.queues["q"].abandoned == without.queues["q"].abandoned
    assert having.busy_ms == without.busy_ms


def test_the_same_callers_whatever_the_agents_do() -> None:
    few, many = (scenario(agents=[{"count": count}]) for count in (1, 9))
    assert list(callers(few, Chances(3, 1), False)) == list(callers(many, Chances(3, 1), False))
    assert list(callers(few, Chances(3, 1), False)) != list(callers(few, Chances(3, 2), False))


def test_callers_come_at_the_moments_that_are_given() -> None:
    given = scenario().model_dump(mode="json", exclude={"queues": {0: {"arrivals"}}})
    given["queues"][0] |= {"arrivals_s": [7.5, 3, 7.5], "patience_s": {"kind": "constant", "s": 9}}
    found = list(callers(read(json.dumps(given)), Chances(1, 0), True))
    assert [each.at_ms for each in found if not each.probe] == [3_000, 7_500, 7_500]
    assert {each.patience_ms for each in found if not each.probe} == {9_000}


def test_arrivals_follow_their_rates() -> None:
    rates = [{"from_h": 0, "per_hour": 1000}, {"from_h": 10, "per_hour": 0}, {"from_h": 20, "per_hour": 500}]
    found = [each.at_ms / 3_600_000 for each in callers(scenario(hours=30, arrivals=rates), Chances(1, 0), False)]
    assert found == sorted(found)
    assert sum(at < 10 for at in found) == pytest.approx(10_000, abs=300)
    assert not [at for at in found if 10 <= at < 20]
    assert sum(at >= 20 for at in found) == pytest.approx(5_000, abs=210)


@pytest.mark.parametrize("strategy", Strategy)
def test_every_caller_and_every_agent_is_accounted_for(strategy: Strategy) -> None:
    """The shipped centre with its tiers, skills, breaks and late answers, by each strategy."""
    shipped = load("contact-centre").model_dump(mode="json") | {"hours": 6}
    limits = {"strategy": strategy, "ring_s": 8, "max_wait_s": 120, "max_waiting": 6}
    shipped["queues"] = [queue | limits for queue in shipped["queues"]]
    given = read(json.dumps(shipped))
    result = simulate(given, runs=1, seed=2, expected_wait=True)
    for name, row in result.queues.items():
        figures = {figure: each.mean for figure, each in row.items()}
        lost = figures["abandoned"] + figures["overflowed"] + figures["unserved"] / figures["offered"]
        assert figures["answered"] + lost == pytest.approx(1), name
        assert figures["service_level"] <= figures["answered"]
        assert figures["longest_line"] <= 6
        assert figures["p95_s"] <= 120
    assert all(0 < row["occupancy"].mean <= 1 for row in result.agents.values())
    assert result.queues["all"]["offered"].mean == pytest.approx(1230, abs=140)
