"""Calls share one thread: none may keep the others waiting."""

from __future__ import annotations

import gevent
import pytest

from ivr_flows.flow import Variable
from ivr_flows.program import SILENT_NODES
from tests.unit.session.bench import Bench
from tests.unit.session.fake_switch import FakeChannel
from tests.unit.session.test_instructions import BYE, made, ran


@pytest.mark.req("R124")
def test_a_flow_that_computes_for_long_lets_others_have_their_turn() -> None:
    count = {"type": "set", "variables": {"n": "n + 1"}, "exits": {"next": "enough"}}
    enough = {
        "type": "branch",
        "cases": [{"when": "n >= 400", "exit": "yes"}],
        "exits": {"yes": "bye", "default": "count"},
    }
    bench = Bench(made({"count": count, "enough": enough, "bye": BYE}, variables={"n": Variable("number", 0)}))
    turns = 0

    def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0)

    beside = gevent.spawn(other)
    try:
        assert len(ran(bench, FakeChannel()).path) == 801
    finally:
        beside.kill()
    assert turns >= 800 // SILENT_NODES
