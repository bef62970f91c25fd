"""Callers wait in a queue and are answered in order, on either switch (R1, R5, R30–R32, R50–R53)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labswitch.phone import Behaviour
from tests.sip.centre import AGENT_HZ, QUEUE, Centre
from tests.sip.conftest import WITHIN_S, System


@pytest.fixture
def centre(system: System) -> Iterator[Centre]:
    made = Centre(system)
    yield made
    system.put_down_phones()
    for name in AGENT_HZ:
        made.log_out(name)


@pytest.mark.req("R10")
@pytest.mark.req("R30")
def test_callers_are_answered_in_the_order_in_which_they_came(centre: Centre) -> None:
    centre.set_up()
    alice = centre.ready("alice")
    callers = [centre.system.new_caller() for _ in range(3)]
    first = centre.comes(callers[0])
    theirs = alice.wait_call(WITHIN_S)
    first.wait_heard_tone(AGENT_HZ["alice"], WITHIN_S)
    second = centre.comes(callers[1])
    centre.waiting(1)
    third = centre.comes(callers[2])
    centre.waiting(2)
    theirs.hangup()
    second.wait_heard_tone(AGENT_HZ["alice"], WITHIN_S)
    first.wait_ended(WITHIN_S)
    alice.wait_call(WITHIN_S).hangup()
    third.wait_heard_tone(AGENT_HZ["alice"], WITHIN_S)
    third.hangup()
    records = [centre.system.record(each) for each in callers]
    assert [each["result"] for each in records] == ["handled"] * 3
    visits = [each["queues"][0] for each in records]
    assert [(each["queue"], each["outcome"], each["agent"]) for each in visits] == [(QUEUE, "answered", "alice")] * 3
    centre.wait_state("alice", "ready")


@pytest.mark.req("R53")
def test_an_agent_who_lets_it_ring_goes_on_a_break_and_the_next_one_is_asked(centre: Centre) -> None:
    centre.set_up(ring_s=5)
    centre.ready("alice", Behaviour.silent())
    centre.ready("bob")
    caller = centre.system.new_caller()
    call = centre.comes(caller)
    call.wait_heard_tone(AGENT_HZ["bob"], WITHIN_S)
    assert centre.state("alice")["on_break"]["reason"] == "no_answer"
    call.hangup()
    visit = centre.system.record(caller)["queues"][0]
    assert (visit["agent"], visit["offers"]) == ("bob", 2)
