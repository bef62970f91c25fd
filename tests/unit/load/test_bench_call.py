"""Goals and exit codes of the comparison with Lua."""

from __future__ import annotations

from dataclasses import replace

from callwright.load.bench_call import Comparison, Round, Side
from tests.unit.load import captures


def _side(name: str, answer_s: float, run: str = "good") -> Side:
    """The captured calls, each answered so long after its INVITE."""
    outcome = captures.results(run).outcome
    calls = [replace(call, answered_s=call.began_s + answer_s) for call in outcome.calls]
    return Side(name, [Round(replace(outcome, calls=calls), 0.1, 0.1)])


def test_both_goals_met_is_exit_code_0() -> None:
    found = Comparison(_side("engine", 0.045), _side("lua", 0.004))
    assert [goal.met for goal in found.goals()] == [True, True]
    assert found.exit_code() == 0


def test_a_goal_missed_or_a_failed_call_is_exit_code_1() -> None:
    assert Comparison(_side("engine", 0.046), _side("lua", 0.004)).exit_code() == 1
    assert Comparison(_side("engine", 0.04, "busy"), _side("lua", 0.004)).exit_code() == 1


def test_a_goal_that_was_not_measured_is_exit_code_3() -> None:
    without_lua = Comparison(_side("engine", 0.04), None, "no mod_lua")
    assert [goal.met for goal in without_lua.goals()] == [True, None]
    assert without_lua.exit_code() == 3
    assert Comparison(_side("engine", 0.04), Side("lua", [])).exit_code() == 3
