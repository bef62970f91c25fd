"""The expected wait: what is learnt from events, what is told, and when nothing is."""

from __future__ import annotations

from math import exp, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.acd import wait
from engine.acd.wait import Basis, ExpectedWait, GroupWaits, PlaceTold, Rate
from tests.unit.acd.people import NOW

FOR_EVER = 10**15
"""A half-life in which nothing is forgotten."""


def told(line: GroupWaits, ahead: int, at_ms: int, head_waited_ms: int = 0) -> ExpectedWait:
    expected = line.expected(ahead, at_ms, head_waited_ms)
    assert expected is not None
    return expected


def working(agents: int, taken: int, every_ms: int, half_life_ms: int = FOR_EVER) -> tuple[GroupWaits, int]:
    """A line of two all the time: one is taken every so often, and another joins. Also the moment at the end."""
    line, now_ms = GroupWaits(NOW, half_life_ms), NOW
    line.staffed(agents, now_ms)
    line.joined(now_ms)
    line.joined(now_ms)
    for _ in range(taken):
        now_ms += every_ms
        line.taken(now_ms)
        line.joined(now_ms)
    return line, now_ms


@pytest.mark.req("R30")
def test_a_line_that_nobody_gives_up_moves_at_the_agents_pace() -> None:
    line, now_ms = working(agents=4, taken=1000, every_ms=10_000)
    assert line.mu_per_ms == pytest.approx(1 / 40_000, rel=1e-3)
    assert line.theta_per_ms == 0
    assert told(line, 0, now_ms).mean_ms == pytest.approx(10_000, rel=1e-3)
    assert told(line, 5, now_ms).mean_ms == pytest.approx(60_000, rel=1e-3)


@pytest.mark.req("R30")
def test_each_place_ahead_counts_by_what_agents_take_and_callers_give_up() -> None:
    line, now_ms = working(agents=4, taken=1000, every_ms=10_000)
    for _ in range(500):
        now_ms += 10_000
        line.taken(now_ms)
        line.gave_up(now_ms)
        line.joined(now_ms)
        line.joined(now_ms)
    # 500 of those who waited 2 x 15,000,000 ms in all gave up.
    assert line.theta_per_ms == pytest.approx(500 / 30_000_000, rel=1e-3)
    pace, theta = 1 / 10_000, 500 / 30_000_000
    assert told(line, 3, now_ms).mean_ms == pytest.approx(sum(1 / (pace + j * theta) for j in range(4)), rel=1e-3)


@pytest.mark.req("R30")
def test_agents_who_come_and_go_count_at_once() -> None:
    line, now_ms = working(agents=4, taken=1000, every_ms=10_000)
    line.staffed(2, now_ms)
    assert told(line, 0, now_ms).mean_ms == pytest.approx(20_000, rel=1e-3)
    line.staffed(0, now_ms)
    assert line.expected(0, now_ms) is None, "nobody is there: nothing can be told"


def test_time_without_a_line_says_nothing_of_the_pace() -> None:
    line, now_ms = working(agents=4, taken=100, every_ms=10_000)
    before = line.mu_per_ms
    line.left(now_ms)
    line.left(now_ms)
    now_ms += 3_600_000
    line.joined(now_ms)
    assert line.mu_per_ms == pytest.approx(before)


def test_those_who_go_another_way_waited_and_did_not_give_up() -> None:
    line = GroupWaits(NOW, FOR_EVER)
    for leave in (line.left, line.taken, line.gave_up, line.left):
        line.joined(NOW)
        leave(NOW)
    line.joined(NOW)
    line.gave_up(NOW + 60_000)
    assert line.theta_per_ms == pytest.approx(2 / 60_000)


@pytest.mark.req("R30")
def test_silence_until_the_pace_is_known() -> None:
    line, now_ms = working(agents=4, taken=wait.LEAST_TAKEN - 1, every_ms=10_000)
    assert line.expected(3, now_ms) is None
    for _ in range(2):  # a little of each is forgotten again
        now_ms += 10_000
        line.taken(now_ms)
    assert told(line, 3, now_ms).basis is Basis.QUEUE_LENGTH


@pytest.mark.req("R30")
def test_the_head_of_the_line_in_place_of_the_pace() -> None:
    line = GroupWaits(NOW)
    line.staffed(4, NOW)
    expected = told(line, 4, NOW, head_waited_ms=60_000)
    assert (expected.basis, expected.mean_ms) == (Basis.HEAD_OF_LINE, 75_000)
    assert expected.low_ms < 30_000
    assert expected.high_ms > 120_000
    assert line.expected(4, NOW, head_waited_ms=wait.LEAST_HEAD_MS - 1) is None
    assert line.expected(0, NOW, head_waited_ms=60_000) is None, "he would be the first himself"


@pytest.mark.req("R30")
def test_nothing_is_told_of_more_than_an_hour() -> None:
    line, now_ms = working(agents=1, taken=1000, every_ms=300_000)
    assert told(line, 3, now_ms).high_ms < wait.LONGEST_MS
    assert line.expected(12, now_ms) is None


@pytest.mark.req("R30")
def test_little_data_makes_the_range_wide() -> None:
    few, few_ms = working(agents=4, taken=wait.LEAST_TAKEN + 1, every_ms=10_000)
    many, many_ms = working(agents=4, taken=1000, every_ms=10_000)
    unsure, sure = told(few, 9, few_ms), told(many, 9, many_ms)
    assert unsure.mean_ms == pytest.approx(sure.mean_ms, rel=0.01)
    assert unsure.low_ms < sure.low_ms < sure.mean_ms < sure.high_ms < unsure.high_ms


@pytest.mark.parametrize("ahead", [0, 1, 4, 30])
def test_the_range_holds_as_often_as_it_says(ahead: int) -> None:
    """The steps of the line drawn as what they are, exponential times, with the rates known."""
    line, now_ms = working(agents=4, taken=100_000, every_ms=10_000)
    expected, chance = told(line, ahead, now_ms), Random(7)
    waits = [sum(chance.expovariate(1 / 10_000) for _ in range(ahead + 1)) for _ in range(20_000)]
    below = sum(each < expected.low_ms for each in waits) / len(waits)
    above = sum(each > expected.high_ms for each in waits) / len(waits)
    assert below == pytest.approx(wait.RANGE[0], abs=0.012)
    assert above == pytest.approx(1 - wait.RANGE[1], abs=0.012)


def test_what_was_seen_a_half_life_ago_counts_half() -> None:
    rate = Rate(NOW, half_life_ms=1000)
    rate.count()
    rate.advance(0, NOW + 1000)
    assert rate.events == pytest.approx(0.5)
    rate.count()
    rate.advance(0, NOW + 3000)
    assert rate.events == pytest.approx(1.5 / 4)


def test_exposure_decays_while_it_lasts() -> None:
    rate = Rate(NOW, half_life_ms=1000)
    rate.advance(2, NOW + 500)
    rate.advance(2, NOW + 1000)
    rate.count()
    whole = 2 * 1000 / log(2) * (1 - exp(-log(2)))
    assert rate.per_ms == pytest.approx(1 / whole)


def test_a_clock_that_went_back_adds_nothing() -> None:
    line, now_ms = working(agents=4, taken=100, every_ms=10_000)
    before = line.mu_per_ms
    line.joined(now_ms - 5000)
    assert line.mu_per_ms == before
    line.taken(now_ms + 10_000)
    assert line.mu_per_ms == pytest.approx(before, rel=0.02)


def test_more_leave_than_were_there() -> None:
    """An engine that took the line over begins with an empty one."""
    line = GroupWaits(NOW)
    line.staffed(1, NOW)
    line.taken(NOW)
    line.gave_up(NOW + 10)
    line.joined(NOW + 20)
    line.gave_up(NOW + 60_000)
    assert line.theta_per_ms > 0


@pytest.mark.req("R30")
@given(st.lists(st.integers(1, 500), min_size=1))
def test_the_place_told_never_grows_and_is_never_too_far_back(positions: list[int]) -> None:
    member = PlaceTold()
    told_ones = [member.place(each) for each in positions]
    assert told_ones == sorted(told_ones, reverse=True)
    assert all(one <= real for one, real in zip(told_ones, positions, strict=True))
    assert told_ones[-1] == min(positions)
