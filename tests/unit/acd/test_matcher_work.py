"""An event costs what it concerns, however many members and agents there are. Counted in lines run, not timed."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from callwright.bench.acd_stream import Stream

EVENTS = 300


def lines_of_an_event(agents: int) -> float:
    """Lines of the matcher's rooms that are run for an event, on average."""
    stream = Stream(agents, seed=3)
    events = stream.events()
    event = next(events)
    run = 0

    def trace(frame: FrameType, what: str, _: Any) -> Any:
        nonlocal run
        if "acd" not in frame.f_code.co_filename:
            return None
        run += what == "line"
        return trace

    before = sys.gettrace()
    for _ in range(EVENTS):
        sys.settrace(trace)
        try:
            offers = event()
        finally:
            sys.settrace(before)
        event = events.send(offers)
    return run / EVENTS


def test_thirty_times_the_members_and_agents_are_not_twice_the_work() -> None:
    small, large = lines_of_an_event(100), lines_of_an_event(3_000)
    assert small > 50, "nothing was counted"
    assert large < 2 * small
