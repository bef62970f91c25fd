"""Ratios, goals, exit codes."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest

from callwright.bench import gauge
from callwright.bench.played import Done
from callwright.bench.report import Report, Result, summarise

OURS = Result("callwright", 2.0, 50_000, 40.0, 10, 10)
GREENSWITCH = Result("greenswitch", 8.0, 5_000, 80.0, 10, 10)
GENESIS = Result("genesis", 20.0, 2_500, 160.0, 10, 10)
GOOD = Report((OURS, GREENSWITCH, GENESIS), {}, 0.01, (10, 10))


def test_ratios_are_ours_to_theirs() -> None:
    assert GOOD.ratios() == {
        "greenswitch": {"cpu_per_call": 0.25, "events_per_s": 10.0, "kb_per_idle_call": 0.5},
        "genesis": {"cpu_per_call": 0.1, "events_per_s": 20.0, "kb_per_idle_call": 0.25},
    }


def test_all_goals_met_is_exit_code_0() -> None:
    assert [goal.met for goal in GOOD.goals()] == [True, True, True]
    assert GOOD.exit_code() == 0


@pytest.mark.parametrize(
    ("ours", "missed"),
    [
        (replace(OURS, cpu_ms_per_call=4.01), [False, False, True]),
        (replace(OURS, cpu_ms_per_call=4.0), [True, True, True]),
        (replace(OURS, kb_per_idle_call=100.1), [True, True, False]),
    ],
)
def test_a_goal_is_missed_just_above_its_limit(ours: Result, missed: list[bool]) -> None:
    report = replace(GOOD, results=(ours, GREENSWITCH, GENESIS))
    assert [goal.met for goal in report.goals()] == missed
    assert report.exit_code() == (0 if all(missed) else 1)


def test_who_is_left_out_is_named_and_his_goal_not_claimed() -> None:
    report = Report((OURS, GREENSWITCH), {"genesis": "no network"}, 0.01, (10, 10))
    assert report.as_json()["left_out"] == {"genesis": "no network"}
    assert [goal.met for goal in report.goals()] == [True, None, True]
    assert ("genesis", "left out", "", "", "", "no network") in report.rows()
    assert any(line.startswith("not measured") and "genesis" in line for line in report.lines())
    assert report.exit_code() == 3
    assert replace(report, left_out={}).exit_code() == 3, "left out by --only: not measured either"


def test_calls_that_failed_make_the_figures_worthless() -> None:
    failed = summarise("greenswitch", [0.008], [5000.0], 80.0, 10, ["not answered", "not answered"])
    report = replace(GOOD, results=(OURS, failed, GENESIS))
    assert failed.completed == 8
    assert report.faults() == ["greenswitch: 2 of 10 calls: not answered"]
    assert report.exit_code() == 1


def test_a_record_too_few_is_a_fault() -> None:
    assert replace(GOOD, records=(9, 10)).faults() == ["callwright: 9 call records for 10 calls"]


def test_the_median_of_the_rounds_counts() -> None:
    result = summarise("callwright", [0.003, 0.002, 0.009], [10.0, 30.0, 20.0], 40.0, 30, [])
    assert (result.cpu_ms_per_call, result.events_per_s) == (3.0, 20.0)
    assert result.cpu_ms_of_rounds == (3.0, 2.0, 9.0)


def test_a_late_player_is_told() -> None:
    assert not any("late" in line for line in GOOD.lines())
    assert any("250 ms late" in line for line in replace(GOOD, player_late_s=0.25).lines())


def test_what_a_call_lacks_is_said() -> None:
    whole = Done(answered=True, variables=3, prompt=True, menu=True, ordered_to_hang_up=True)
    assert whole.missing(3) == ""
    assert replace(whole, variables=2, menu=False).missing(3) == "2 of 3 variables set, menu without a key"
    assert replace(whole, faults="unknown application bridge").missing(3) == "unknown application bridge"


def test_the_cpu_clock_of_a_process_is_the_kernels() -> None:
    before = time.process_time()
    measured = gauge.cpu_s(os.getpid())
    assert before <= measured <= time.process_time()
    assert gauge.resident_kb(os.getpid()) > 1000
