"""Waiting for something that comes once."""

from __future__ import annotations

import gevent
import pytest

from engine.switch.waiting import Once


def test_everyone_who_waits_gets_it_and_a_second_value_is_dropped() -> None:
    once: Once[str] = Once()
    waiting = [gevent.spawn(once.wait, 5), gevent.spawn(once.wait, None)]
    gevent.idle()
    once.set("first")
    once.set("second")
    assert [each.get(timeout=5) for each in waiting] == [True, True]
    assert once.wait(0) is True
    assert once.value == "first"


def test_it_may_be_set_from_the_event_loop() -> None:
    once: Once[int] = Once()
    gevent.get_hub().loop.run_callback(once.set, 1)
    assert once.wait(5) is True


def test_a_wait_has_a_limit_and_leaves_nothing_behind() -> None:
    once: Once[int] = Once()
    assert once.wait(0.01) is False
    assert once.wait(-1) is False
    assert once._waiters == []


def test_a_waiter_that_is_stopped_from_outside_is_not_woken_in_another_wait() -> None:
    once: Once[int] = Once()
    other: Once[int] = Once()

    def wait() -> bool:
        with pytest.raises(gevent.Timeout):
            once.wait(5)
        return other.wait(0.05)

    waiting = gevent.spawn(wait)
    gevent.idle()
    waiting.kill(gevent.Timeout(60), block=False)
    once.set(1)
    assert waiting.get(timeout=5) is False, "the second wait was ended by the first one's value"
