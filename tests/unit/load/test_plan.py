"""What can be asked for, and what can't."""

from __future__ import annotations

from typing import Any

import pytest

from callwright.load.plan import Plan, PlanError, address, duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("60s", 60), ("1.5s", 1.5), ("500ms", 0.5), ("2m", 120), ("1h", 3600), (" 3 s", 3)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5x", "-1s", "s", "1d"])
def test_no_durations(text: str) -> None:
    with pytest.raises(PlanError, match="is not a duration; write 60s"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [("pbx.example", ("pbx.example", 5060)), ("10.0.0.1:5080", ("10.0.0.1", 5080)), ("[::1]:5070", ("::1", 5070))],
)
def test_addresses(text: str, found: tuple[str, int]) -> None:
    assert address(text) == found


@pytest.mark.parametrize("text", ["", "a b", "host:0", "host:65536", "host:sip", "-sf;x", "sip:a@b"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(PlanError, match="is not host or host:port"):
        address(text)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rate": 0}, "--rate 0: give a number above 0"),
        ({"rate": -5}, "--rate -5"),
        ({"concurrent": 200_000}, "--concurrent 200000"),
        ({"calls": 0}, "--calls 0"),
        ({"duration_s": 0}, "--duration: give more than 0s"),
        ({"duration_s": 5, "ramp_s": 5}, "--ramp 5s is not shorter than --duration 5s"),
        ({"ramp_s": 10}, "--ramp 10s is not shorter than the 10s of a test without --duration and --calls"),
        ({"rate": 20, "calls": 100, "ramp_s": 6}, "not shorter than the 5s that 100 calls at 20 a second take"),
        ({"rate": 20, "calls": 100, "duration_s": 60, "ramp_s": 6}, "not shorter than the 5s that 100 calls"),
        ({"rate": 0.001, "calls": 1000}, "take longer than a day"),
        ({"call_timeout_s": 0}, "--call-timeout 0"),
    ],
)
def test_plans_without_sense(options: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        Plan(**options)


def test_a_plan_always_ends() -> None:
    assert Plan().calling_s == 10
    assert Plan(rate=20, calls=400).calling_s == 35
    assert Plan(rate=20, calls=400, duration_s=5).calling_s == 5
    assert Plan(concurrent=50, calls=100, call_timeout_s=30).calling_s == 62


def test_how_many_at_once() -> None:
    assert Plan(concurrent=50).limit == 50
    assert Plan(rate=20).limit == 1200
    assert Plan(rate=100_000).limit == 60_000
    assert (Plan(concurrent=50).full_rate, Plan(concurrent=2).full_rate, Plan(concurrent=50, rate=5).full_rate) == (
        50,
        10,
        5,
    )


def test_a_ramp_rises_to_the_full_load() -> None:
    plan = Plan(rate=40, duration_s=20, ramp_s=10)
    shares = [plan.share(second) for second in range(12)]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.05
    assert shares[5] == pytest.approx(0.5, abs=0.01)
    assert shares[10:] == [1, 1]
    assert Plan().share(0) == 1


def test_a_plan_in_words() -> None:
    assert Plan(rate=20, calls=400).words() == "20 new calls a second, 400 calls in all"
    assert Plan(concurrent=50, duration_s=60, ramp_s=10).words() == "50 calls at once, for 60 s, rising for 10 s"
