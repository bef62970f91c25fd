"""Two things happen to one caller or one agent in the same moment: what comes of it, on either switch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labswitch.phone import Behaviour
from labswitch.phone_call import PhoneCall
from tests.sip.busy_centre import (
    AT_ONCE_S,
    RELAXED_S,
    BusyCentre,
    apart,
    at_most_one,
    no_other_call,
    offsets,
    opened,
    presses_to_leave,
)
from tests.sip.centre import AGENT_HZ
from tests.sip.conftest import WITHIN_S, System

pytestmark = pytest.mark.req("R1")


@pytest.fixture
def centre(system: System) -> Iterator[BusyCentre]:
    yield from opened(system)


def test_a_caller_who_hangs_up_while_the_phone_rings_leaves_no_ghost_call(centre: BusyCentre) -> None:
    alice = centre.ready("alice", Behaviour.silent())
    callers = [centre.system.new_caller() for _ in range(2)]
    call = centre.comes_to("support", callers[0])
    theirs = alice.wait_call(WITHIN_S)
    call.hangup()
    theirs.wait_ended(AT_ONCE_S)
    centre.wait_state("alice", "ready", within_s=AT_ONCE_S)
    second = centre.comes_to("support", callers[1])
    again = at_most_one(alice, theirs)
    centre.talks("alice", again, second)
    again.hangup()
    second.wait_ended(WITHIN_S)
    visits = [centre.visit(each) for each in callers]
    assert [(each["outcome"], each["agent"]) for each in visits] == [("abandoned_ringing", None), ("answered", "alice")]


def test_an_agent_answers_as_the_caller_leaves(centre: BusyCentre) -> None:
    """Whoever is first: no leg is left, he is free, and the record says one of the two."""
    alice = centre.ready("alice", Behaviour.silent())
    before = None
    callers = []
    for by_s in offsets(seed=1, rounds=10, least_ms=-60, most_ms=60):
        callers.append(centre.system.new_caller())
        call = centre.comes_to("support", callers[-1])
        before = at_most_one(alice, before)
        apart(call.hangup, before.answer, by_s)
        before.wait_ended(WITHIN_S)
        centre.wait_state("alice", "ready")
    for caller in callers:
        record = centre.system.record(caller)
        (visit,) = record["queues"]
        talked = [leg["party"] for leg in record["legs"] if leg["result"] == "talked"]
        if visit["outcome"] == "answered":
            assert (record["result"], visit["agent"], talked) == ("handled", "alice", ["alice"])
        else:
            assert (record["result"], visit["outcome"], talked) == ("lost_ringing", "abandoned_ringing", [])
        assert all(leg["ended_at"] for leg in record["legs"])


@pytest.mark.req("R32")
def test_an_agent_answers_as_the_caller_presses_the_key_to_leave(centre: BusyCentre) -> None:
    alice = centre.ready("alice", Behaviour.silent())
    before = None
    callers = []
    for by_s in offsets(seed=2, rounds=8, least_ms=-80, most_ms=80):
        callers.append(centre.system.new_caller())
        call = centre.comes_to("support", callers[-1])
        before = at_most_one(alice, before)
        apart(lambda call=call: presses_to_leave(call), before.answer, by_s)
        centre.system.wait_until(
            "one of the two was first", lambda call=call: call.end or centre.state("alice")["state"] == "on_call"
        )
        call.hangup()
        before.wait_ended(WITHIN_S)
        centre.wait_state("alice", "ready")
    for caller in callers:
        visit = centre.visit(caller)
        assert (visit["outcome"], visit["key"]) in (("key", "5"), ("answered", None), ("abandoned_ringing", None))


def test_two_engines_have_callers_for_one_agent(centre: BusyCentre) -> None:
    alice = centre.ready("alice", Behaviour.silent())
    callers = [centre.system.new_caller() for _ in range(6)]
    calls = []
    for index, caller in enumerate(callers):
        with centre.first_engine(index % 2):
            calls.append(centre.comes_to(("support", "orders")[index // 3], caller))
    assert [centre.engine_of(each) for each in callers] == [0, 1, 0, 1, 0, 1]
    before = None
    for call in calls:
        before = at_most_one(alice, before)
        centre.talks("alice", before, call)
        before.hangup()
    assert [centre.visit(each)["agent"] for each in callers] == ["alice"] * 6
    centre.wait_state("alice", "ready")
    events = centre.events("alice")
    assert [each["from_state"] for each in events[1:]] == [each["to_state"] for each in events[:-1]]
    assert [each["call"] for each in events if each["what"] == "reserved"] == [
        centre.system.record(each)["call_id"] for each in callers
    ]


def test_two_queues_want_the_agent_in_the_same_moment(centre: BusyCentre) -> None:
    alice = centre.ready("alice")
    before = None
    for by_s in offsets(seed=3, rounds=3, least_ms=-10, most_ms=10):
        first, second = (centre.system.new_caller() for _ in range(2))
        calls: dict[str, PhoneCall] = {}
        apart(
            lambda calls=calls, first=first: calls.update({first: centre.calls("support", first)}),
            lambda calls=calls, second=second: calls.update({second: centre.calls("orders", second)}),
            by_s,
        )
        while calls:
            before = at_most_one(alice, before)
            call = calls.pop(before.caller_number)
            call.wait_heard_tone(AGENT_HZ["alice"], WITHIN_S)
            before.hangup()
            call.wait_ended(WITHIN_S)
    no_other_call(centre, alice)


@pytest.mark.req("R50")
def test_a_break_that_he_takes_while_his_phone_rings_begins_afterwards(centre: BusyCentre) -> None:
    alice = centre.ready("alice", Behaviour.silent())
    call = centre.comes_to("support")
    theirs = alice.wait_call(WITHIN_S)
    centre.does("alice", "break", reason="lunch")
    state = centre.state("alice")
    assert (state["state"], state["break_next"]["reason"]) == ("ringing", "lunch")
    centre.talks("alice", theirs, call)
    assert centre.state("alice")["state"] == "on_call"
    theirs.hangup()
    assert centre.wait_state("alice", "break")["on_break"]["reason"] == "lunch"
    waits = centre.comes_to("support")
    centre.does("alice", "ready")
    theirs = at_most_one(alice, theirs)
    centre.does("alice", "break", reason="lunch")
    waits.hangup()
    theirs.wait_ended(AT_ONCE_S)
    assert centre.wait_state("alice", "break")["on_break"]["reason"] == "lunch"


def test_two_answer_in_the_same_moment_where_all_are_rung(centre: BusyCentre) -> None:
    phones = {name: centre.ready(name, Behaviour.silent()) for name in AGENT_HZ}
    for by_s in offsets(seed=4, rounds=4, least_ms=-5, most_ms=5):
        caller = centre.system.new_caller()
        call = centre.comes_to("everybody", caller)
        theirs = {name: phone.wait_call(WITHIN_S) for name, phone in phones.items()}
        apart(theirs["alice"].answer, theirs["bob"].answer, by_s)
        centre.system.wait_until(
            "one has him, the other is free",
            lambda: sorted(centre.state(name)["state"] for name in AGENT_HZ) == ["on_call", "ready"],
        )
        (taker,) = (name for name in AGENT_HZ if centre.state(name)["state"] == "on_call")
        (other,) = AGENT_HZ.keys() - {taker}
        theirs[other].wait_ended(AT_ONCE_S)
        theirs[taker].talk(AGENT_HZ[taker])
        call.wait_heard_tone(AGENT_HZ[taker], WITHIN_S)
        call.hangup()
        theirs[taker].wait_ended(WITHIN_S)
        visit = centre.visit(caller)
        assert (visit["outcome"], visit["agent"], visit["offers"]) == ("answered", taker, 2)
        centre.wait_state(taker, "ready")


@pytest.mark.req("R4")
def test_the_wishes_relax_in_the_moment_in_which_an_agent_is_free(centre: BusyCentre) -> None:
    """He who asks for Czech may be answered by anybody from then on, and is, once."""
    alice = centre.ready("alice", Behaviour.answering(0.0, tone_hz=AGENT_HZ["alice"]))
    before = None
    for by_s in offsets(seed=5, rounds=3, least_ms=-30, most_ms=30):
        other = centre.comes_to("support")
        before = at_most_one(alice, before)
        other.wait_heard_tone(AGENT_HZ["alice"], WITHIN_S)
        caller = centre.system.new_caller()
        call = centre.comes_to("skilled", caller)
        (member,) = (each for each in centre.pool().members if each.queue == "skilled")
        centre.at(member.joined_ms + RELAXED_S * 1000 + by_s * 1000)
        before.hangup()
        before = at_most_one(alice, before)
        call.wait_heard_tone(AGENT_HZ["alice"], WITHIN_S)
        call.hangup()
        before.wait_ended(WITHIN_S)
        visit = centre.visit(caller)
        assert (visit["outcome"], visit["agent"], visit["offers"]) == ("answered", "alice", 1)
        assert visit["wait_ms"] >= RELAXED_S * 1000
    no_other_call(centre, alice)
