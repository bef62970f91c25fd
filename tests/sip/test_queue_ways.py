"""The ways into and out of a queue, each on a call with real phones, on either switch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labswitch.phone import Behaviour
from tests.sip.busy_centre import (
    AT_ONCE_S,
    MOBILE,
    OPEN_ALWAYS,
    OPERATOR_NUMBER,
    WHISPER_HZ,
    BusyCentre,
    at_most_one,
    no_other_call,
    opened,
    presses_to_leave,
)
from tests.sip.centre import AGENT_HZ
from tests.sip.conftest import WITHIN_S, System, nodes


@pytest.fixture
def centre(system: System) -> Iterator[BusyCentre]:
    yield from opened(system)


@pytest.mark.req("R5")
def test_an_agent_whose_phone_is_not_registered_is_not_rung(centre: BusyCentre) -> None:
    alice = centre.ready("alice", Behaviour.silent())
    alice.unregister()
    centre.system.wait_until("he has no phone", lambda: not centre.state("alice")["reachable"])
    call = centre.comes_to("support")
    centre.waiting(1, "support")
    no_other_call(centre, alice)
    alice.register()
    centre.talks("alice", alice.wait_call(WITHIN_S), call)
    call.hangup()


@pytest.mark.req("R5")
def test_a_phone_that_is_gone_though_registered_puts_its_agent_on_a_break(centre: BusyCentre) -> None:
    alice = centre.ready("alice")
    alice.close()
    bob = centre.ready("bob")
    caller = centre.system.new_caller()
    call = centre.comes_to("brisk", caller)
    call.wait_heard_tone(AGENT_HZ["bob"], WITHIN_S)
    assert centre.state("alice")["on_break"]["reason"] in ("no_answer", "phone_failed")
    bob.wait_call(WITHIN_S).hangup()
    call.wait_ended(WITHIN_S)
    visit = centre.visit(caller)
    assert (visit["outcome"], visit["agent"], visit["offers"]) == ("answered", "bob", 2)
    centre.system.agent(Behaviour.silent())  # which unregisters in its place


@pytest.mark.req("R53")
def test_by_a_key_a_mailbox_gets_nobody_and_who_presses_it_hears_the_queue_first(centre: BusyCentre) -> None:
    mailbox = centre.ready("alice", Behaviour.answering(0.0))
    bob = centre.ready("bob", Behaviour.answering(0.0))
    caller = centre.system.new_caller()
    call = centre.comes_to("by-key", caller)
    answered = mailbox.wait_call(WITHIN_S)
    answered.wait_heard_tone(WHISPER_HZ, WITHIN_S)
    answered.wait_ended(2 * WITHIN_S)
    assert centre.wait_state("alice", "break")["on_break"]["reason"] == "no_answer"
    theirs = bob.wait_call(WITHIN_S)
    theirs.wait_heard_tone(WHISPER_HZ, WITHIN_S)
    assert centre.state("bob")["state"] == "ringing"
    theirs.press("1")
    theirs.talk(AGENT_HZ["bob"])
    call.wait_heard_tone(AGENT_HZ["bob"], WITHIN_S)
    call.hangup()
    visit = centre.visit(caller)
    assert (visit["outcome"], visit["agent"], visit["offers"]) == ("answered", "bob", 2)


@pytest.mark.req("R53")
def test_a_phone_answers_by_itself_and_the_agent_hears_the_queue_first(centre: BusyCentre) -> None:
    alice = centre.ready("alice", Behaviour.auto_answering(tone_hz=AGENT_HZ["alice"]))
    call = centre.comes_to("at-once")
    theirs = alice.wait_call(WITHIN_S)
    theirs.wait_heard_tone(WHISPER_HZ, WITHIN_S)
    call.wait_heard_tone(AGENT_HZ["alice"], WITHIN_S)
    call.hangup()
    theirs.wait_ended(WITHIN_S)


@pytest.mark.req("R14")
def test_an_agent_on_his_mobile_is_rung_over_the_trunk(centre: BusyCentre) -> None:
    operator = centre.system.operator(Behaviour.answering(0.1, tone_hz=AGENT_HZ["alice"]))
    centre.set_agent("alice", mobile=MOBILE, mobile_in=["ready"])
    centre.system.wait_until("he can be reached", lambda: centre.state("alice")["reachable"])
    centre.does("alice", "log-in")
    centre.does("alice", "ready")
    caller = centre.system.new_caller()
    call = centre.comes_to("support", caller)
    assert operator.wait_call(WITHIN_S).number == MOBILE
    call.wait_heard_tone(AGENT_HZ["alice"], WITHIN_S)
    assert centre.state("alice")["state"] == "on_call"
    call.hangup()
    assert centre.visit(caller)["agent"] == "alice"
    centre.wait_state("alice", "ready")


@pytest.mark.req("R51")
def test_wrap_up_keeps_the_next_caller_waiting_until_the_agent_ends_it(centre: BusyCentre) -> None:
    alice = centre.ready("alice", Behaviour.silent())
    call = centre.comes_to("resting")
    theirs = alice.wait_call(WITHIN_S)
    centre.talks("alice", theirs, call)
    theirs.hangup()
    assert centre.wait_state("alice", "wrap_up")["wrap_up_until"]
    call = centre.comes_to("resting")
    centre.waiting(1, "resting")
    no_other_call(centre, alice)
    centre.does("alice", "wrap-up", left_s=1)
    theirs = at_most_one(alice, theirs)
    centre.talks("alice", theirs, call)
    call.hangup()
    centre.wait_state("alice", "wrap_up")
    centre.does("alice", "wrap-up", left_s=0)
    assert centre.state("alice")["state"] == "ready"


@pytest.mark.req("R8")
def test_two_calls_of_one_number_wait_for_the_agent_who_spoke_with_it(centre: BusyCentre) -> None:
    alice = centre.ready("alice", Behaviour.silent())
    caller = centre.system.new_caller()
    call = centre.comes_to("faithful", caller)
    theirs = alice.wait_call(WITHIN_S)
    centre.talks("alice", theirs, call)
    bob = centre.ready("bob", Behaviour.silent())
    call.hangup()
    centre.system.record(caller)
    first, second = centre.comes_to("faithful", caller), centre.comes_to("faithful", caller)
    for call in (first, second):
        theirs = at_most_one(alice, theirs)
        centre.talks("alice", theirs, call)
        call.hangup()
    no_other_call(centre, bob)
    records = centre.system.records(3, caller=caller)
    assert [each["queues"][0]["agent"] for each in records] == ["alice"] * 3


@pytest.mark.req("R32")
def test_who_waits_when_the_queue_closes_is_served(centre: BusyCentre) -> None:
    early, late = (centre.system.new_caller() for _ in range(2))
    alice = centre.ready("alice", Behaviour.silent())
    centre.does("alice", "break", reason="lunch")
    call = centre.comes_to("daytime", early)
    centre.open_hours({})
    try:
        centre.decided_anew()
        centre.calls("daytime", late).wait_ended(WITHIN_S)
        assert centre.visit(late)["outcome"] == "closed"
        centre.does("alice", "ready")
        centre.talks("alice", alice.wait_call(WITHIN_S), call)
    finally:
        centre.open_hours(OPEN_ALWAYS)
        centre.decided_anew()
    call.hangup()
    assert centre.visit(early)["outcome"] == "answered"


@pytest.mark.req("R32")
def test_whose_longest_wait_is_over_while_an_agent_rings_may_be_answered(centre: BusyCentre) -> None:
    alice = centre.ready("alice", Behaviour.silent())
    caller = centre.system.new_caller()
    call = centre.comes_to("hasty", caller)
    theirs = alice.wait_call(WITHIN_S)
    (member,) = centre.pool().members
    centre.at(member.wait_until_ms + 500)
    assert centre.state("alice")["state"] == "ringing"
    centre.talks("alice", theirs, call)
    call.hangup()
    assert centre.visit(caller)["outcome"] == "answered"


@pytest.mark.req("R32")
def test_whose_longest_wait_is_over_goes_on_to_a_number(centre: BusyCentre) -> None:
    operator = centre.system.operator(Behaviour.answering(0.1, tone_hz=1000))
    centre.ready("alice", Behaviour.silent())
    centre.does("alice", "break", reason="lunch")
    caller = centre.system.new_caller()
    call = centre.comes_to("hasty", caller)
    assert operator.wait_call(WITHIN_S).number == OPERATOR_NUMBER
    call.wait_heard_tone(1000, WITHIN_S)
    call.hangup()
    assert centre.visit(caller)["outcome"] == "timeout"


@pytest.mark.req("R32")
def test_who_finds_the_queue_full_goes_on_to_another_queue(centre: BusyCentre) -> None:
    alice = centre.ready("alice", Behaviour.silent())
    callers = [centre.system.new_caller() for _ in range(2)]
    waits = centre.comes_to("small", callers[0])
    theirs = alice.wait_call(WITHIN_S)
    goes_on = centre.comes_to("small", callers[1])
    centre.waiting(1, "orders")
    centre.talks("alice", theirs, waits)
    waits.hangup()
    centre.talks("alice", at_most_one(alice, theirs), goes_on)
    goes_on.hangup()
    visits = centre.system.record(callers[1])["queues"]
    assert [(each["queue"], each["outcome"]) for each in visits] == [("small", "full"), ("orders", "answered")]


@pytest.mark.req("R31")
def test_where_nobody_is_logged_in_the_call_goes_on_to_a_flow(centre: BusyCentre) -> None:
    caller = centre.system.new_caller()
    centre.calls("nobodys", caller).wait_ended(WITHIN_S)
    record = centre.system.record(caller)
    assert (nodes(record)[-1], record["reason"]) == ("hangup", "sorry")
    assert [each["outcome"] for each in record["queues"]] == ["no_agents"]


@pytest.mark.req("R32")
def test_a_key_ends_the_waiting_and_stops_the_phone(centre: BusyCentre) -> None:
    alice = centre.ready("alice", Behaviour.silent())
    caller = centre.system.new_caller()
    call = centre.comes_to("support", caller)
    theirs = alice.wait_call(WITHIN_S)
    presses_to_leave(call)
    theirs.wait_ended(AT_ONCE_S)
    call.wait_ended(WITHIN_S)
    visit = centre.visit(caller)
    assert (visit["outcome"], visit["key"]) == ("key", "5")
    centre.wait_state("alice", "ready")
