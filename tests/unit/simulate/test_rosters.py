"""What an agent's events say of his day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callwright.simulate.rosters import Day, day

BEGINS = datetime(2026, 11, 23, 6, tzinfo=UTC)


def events(*happened: tuple[float, str, str] | tuple[float, str, str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """As the API lists them, oldest first, of (hour, what, to_state) and what else there is."""
    found: list[dict[str, Any]] = []
    before = "logged_out"
    for hour, what, state, *more in happened:
        at = (BEGINS + timedelta(hours=hour)).isoformat(timespec="milliseconds")
        found.append({"at": at, "what": what, "from_state": before, "to_state": state, "reason": "", "queue": ""})
        found[-1] |= more[0] if more else {}
        before = state
    return found


def told(*happened: Any) -> Day:
    return day(events(*happened), round(BEGINS.timestamp() * 1000), 4)


LUNCH = {"reason": "lunch"}
MISSED = {"reason": "no_answer", "queue": "sales"}
SALES = {"queue": "sales"}


@pytest.mark.parametrize(
    ("happened", "shifts"),
    [
        ([], []),
        ([(1, "log_in", "ready")], [(1, None, [])]),
        ([(-9, "log_in", "ready")], [(0, None, [])]),
        ([(-9, "log_in", "ready"), (-1, "log_out", "logged_out")], []),
        ([(1, "log_in", "ready"), (2, "log_out", "logged_out"), (3, "log_in", "ready")], [(1, 2, []), (3, None, [])]),
        (
            [(0, "log_in", "ready"), (1, "take_break", "break", LUNCH), (1.5, "ready", "ready")],
            [(0, None, [(1, 30)])],
        ),
        # one that nothing follows is the end of the shift, one before anything else no part of it
        ([(0, "log_in", "ready"), (1, "take_break", "break", LUNCH)], [(0, 1, [])]),
        ([(-1, "take_break", "break", LUNCH), (1, "ready", "ready")], [(1, None, [])]),
        # a call of his own, and his phone away: nothing could be offered to him
        (
            [(0, "log_in", "ready"), (1, "conversation_began", "on_call"), (1.25, "conversation_ended", "ready")],
            [(0, None, [(1, 15)])],
        ),
        ([(0, "log_in", "ready"), (1, "phone_gone", "ready"), (2, "phone_back", "ready")], [(0, None, [(1, 60)])]),
        # what he does for the queue is none, nor what follows a call that he let ring
        (
            [(0, "log_in", "ready"), (1, "reserved", "ringing", SALES), (2, "not_answered", "break", MISSED),
             (2.1, "ready", "ready")],
            [(0, None, [])],
        ),
    ],
)  # fmt: skip
def test_shifts(happened: list[Any], shifts: list[tuple[float, float | None, list[tuple[float, float]]]]) -> None:
    found = told(*happened).shifts
    assert [
        (each["from_h"], each["to_h"], [(rest["at_h"], rest["minutes"]) for rest in each["breaks"]]) for each in found
    ] == shifts


def test_a_break_of_more_than_a_day_is_no_break() -> None:
    happened = events((0, "log_in", "ready"), (1, "take_break", "break", LUNCH), (40, "ready", "ready"))
    found = day(happened, round(BEGINS.timestamp() * 1000), 48)
    assert [(each["from_h"], each["to_h"], each["breaks"]) for each in found.shifts] == [(0, 1, []), (40, None, [])]


def test_work() -> None:
    found = told(
        (0, "log_in", "ready"),
        (0.5, "reserved", "ringing", SALES),
        (0.6, "accepted", "on_call", SALES),
        (1, "conversation_ended", "wrap_up", SALES),
        (1.1, "wrap_up_set", "wrap_up", SALES),
        (1.2, "wrap_up_over", "ready", SALES),
        (2, "reserved", "ringing", SALES),
        (2.1, "not_answered", "break", MISSED),
        (2.2, "ready", "ready"),
        (3, "log_out", "logged_out"),
    )
    assert found.wrap_ups == {"sales": [pytest.approx(720)]}
    assert found.no_answers == ["sales"]
    assert found.recoveries == [pytest.approx(360)]
    assert found.busy_ms == pytest.approx(0.8 * 3_600_000)
    assert found.present_ms == pytest.approx(2.9 * 3_600_000)
