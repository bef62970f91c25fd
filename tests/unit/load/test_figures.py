"""Percentiles, calls at once, the rate."""

from __future__ import annotations

import pytest

from callwright.load.figures import Spread, Times, at_once, bins, percentile, reached_rate
from callwright.load.trace import CUT_OFF, Call, Failure
from tests.unit.load import captures


@pytest.mark.parametrize(("point", "value"), [(50, 5), (90, 9), (95, 10), (99, 10), (100, 10), (1, 1)])
def test_a_percentile_is_a_value_that_was_measured(point: float, value: int) -> None:
    assert percentile(range(1, 11), point) == value


def test_a_spread_in_ms() -> None:
    spread = Spread.of([0.0304, 0.010, 0.2])
    assert spread == Spread(calls=3, p50=30.4, p90=200.0, p95=200.0, p99=200.0, max=200.0)
    assert spread.as_json() == {
        "calls": 3, "p50_ms": 30.4, "p90_ms": 200.0, "p95_ms": 200.0, "p99_ms": 200.0, "max_ms": 200.0,
    }  # fmt: skip
    assert Spread.of([]) is None


def test_the_length_of_a_call_that_was_cut_off_does_not_count() -> None:
    found = captures.calls("cut_off")
    times = Times.of(found, captures.failures("cut_off"))
    assert times.answer is not None
    assert times.answer.calls == 11
    assert times.length is None


def test_captured_times() -> None:
    times = Times.of(captures.calls("good"), {})
    assert times.ringing is not None
    assert times.answer is not None
    assert times.length is not None
    assert times.ringing.max < 5
    assert 50 < times.answer.p50 < 60
    assert 450 < times.length.p50 < 470


def test_calls_at_once() -> None:
    calls = [Call("a", 1.0, ended_s=3.0), Call("b", 2.0, ended_s=4.0), Call("c", 3.0)]
    assert at_once(calls, 5.0) == [(1.0, 1), (2.0, 2), (3.0, 1), (3.0, 2), (4.0, 1), (5.0, 0)]


def test_the_rate_counts_from_the_end_of_the_ramp() -> None:
    calls = [Call(str(n), at) for n, at in enumerate([0.0, 5.0, 10.0, 10.1, 10.2, 10.3])]
    assert reached_rate(calls, 10.0) == pytest.approx(10)
    assert reached_rate(calls, 0.0) == pytest.approx(5 / 10.3)
    assert reached_rate(calls[:1], 0.0) is None


def test_the_time_axis_in_pieces() -> None:
    calls = [
        Call("a", 100.0, answered_s=100.02, ended_s=100.9),
        Call("b", 100.5, answered_s=100.54, ended_s=103.9),
        Call("c", 102.0),
    ]
    failed = {"c": Failure("SIP 503 Busy", 102.1), "d": Failure(CUT_OFF, 103.0)}
    found = bins(calls, failed, 104.0, 4)
    assert [each.at_s for each in found] == [0.0, 1.0, 2.0, 3.0]
    assert [each.at_once for each in found] == [2, 1, 2, 2]
    assert [each.failed for each in found] == [0, 0, 1, 1]
    assert found[0].median_ms == pytest.approx(20)
    assert found[0].max_ms == pytest.approx(40)
    assert found[1].median_ms is None
    assert bins([], {}, 1.0, 4) == []
