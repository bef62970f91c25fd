"""The circuit breaker."""

from __future__ import annotations

from engine.web.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def broken(clock: Clock) -> Breaker:
    breaker = Breaker(clock, failures=3, rest_s=30)
    for _ in range(3):
        assert breaker.lets_through()
        breaker.failed()
    return breaker


def test_after_some_failures_in_a_row_nobody_asks() -> None:
    assert not broken(Clock()).lets_through()


def test_a_success_in_between_begins_the_count_anew() -> None:
    breaker = Breaker(Clock(), failures=3, rest_s=30)
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert breaker.lets_through()


def test_after_the_rest_one_tries_and_the_others_wait() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 30
    assert breaker.lets_through()
    assert not breaker.lets_through()
    breaker.succeeded()
    assert breaker.lets_through()


def test_a_trial_that_fails_begins_the_rest_anew() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 30
    assert breaker.lets_through()
    breaker.failed()
    clock.now += 29
    assert not breaker.lets_through()
    clock.now += 1
    assert breaker.lets_through()


def test_a_trial_that_never_ends_is_followed_by_another() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 30
    assert breaker.lets_through()
    clock.now += 30
    assert breaker.lets_through()
