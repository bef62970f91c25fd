"""Engines are killed and Redis goes away while callers wait, are offered, and talk. On either switch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from callwright.local.stack import Stack
from labswitch.phone import Behaviour, Phone
from labswitch.phone_call import PhoneCall
from tests.sip.busy_centre import BusyCentre, at_most_one, no_other_call, opened
from tests.sip.centre import AGENT_HZ
from tests.sip.conftest import WITHIN_S, System

pytestmark = pytest.mark.req("R124")

OFFERED_AGAIN_S = 2 * WITHIN_S
"""Within so much a caller is offered again whose engine, or whose queue's owner, was killed."""
MINUTE_S = 60.0
"""How long redis is away in the longest case: beyond all that the engines wait for."""
CLOSED_WITHIN_S = 10.0
"""Within so much nobody waits any more where nobody decides."""


@pytest.fixture
def centre(system: System, stack: Stack) -> Iterator[BusyCentre]:
    """Whatever a test took away is there again when it is looked for what it left behind."""
    opening = opened(system)
    made = next(opening)
    yield made
    if not stack.service_runs("valkey"):
        stack.start_service("valkey")
    for index, engine in enumerate(stack.engines):
        if not engine.running():
            stack.start_engine(index)
    made.dump().unlink(missing_ok=True)
    next(opening, None)


@contextmanager
def starts_again(centre: BusyCentre, index: int) -> Iterator[None]:
    """The engine is killed, and comes back in the end."""
    centre.system.stack.kill_engine(index)
    yield
    centre.system.stack.start_engine(index)


@pytest.mark.parametrize("has_the_call", [True, False], ids=["with-the-call", "without-it"])
def test_the_queues_owner_is_killed_while_the_phone_rings(centre: BusyCentre, has_the_call: bool) -> None:
    alice = centre.ready("alice", Behaviour.silent())
    caller = centre.system.new_caller()
    owner = centre.leads()
    with centre.first_engine(owner if has_the_call else 1 - owner):
        call = centre.comes_to("support", caller)
    theirs = alice.wait_call(WITHIN_S)
    assert (centre.engine_of(caller) == owner) is has_the_call
    with starts_again(centre, owner):
        if has_the_call:
            again = alice.wait_call(OFFERED_AGAIN_S)
            theirs.wait_ended(WITHIN_S)
            theirs = again
        centre.talks("alice", theirs, call)
        assert centre.state("alice")["state"] == "on_call"
        no_other_call(centre, alice)
        theirs.hangup()
        call.wait_ended(WITHIN_S)
        centre.wait_state("alice", "ready")
        # The other one decides by now, and somebody who comes is answered at once.
        call = centre.comes_to("support")
        centre.talks("alice", at_most_one(alice, theirs), call)
        call.hangup()
    visit = centre.visit(caller)
    assert (visit["outcome"], visit["agent"]) == ("answered", "alice")


def test_the_owner_is_killed_as_an_agent_gets_free(centre: BusyCentre) -> None:
    """Nobody decides until another engine has the lease; then he is offered to who waits."""
    alice = centre.ready("alice", Behaviour.silent())
    centre.does("alice", "break", reason="lunch")
    owner = centre.leads()
    with centre.first_engine(1 - owner):
        call = centre.comes_to("support")
    with starts_again(centre, owner):
        centre.does("alice", "ready")
        centre.talks("alice", alice.wait_call(OFFERED_AGAIN_S), call)
        call.hangup()


def test_the_engine_with_the_waiting_calls_is_killed(centre: BusyCentre) -> None:
    """They keep their places: they are answered in the order in which they came."""
    alice = centre.ready("alice", Behaviour.silent())
    centre.does("alice", "break", reason="lunch")
    callers = [centre.system.new_caller() for _ in range(3)]
    with centre.first_engine(0):
        calls = [centre.comes_to("support", each) for each in callers]
    joined = {each.id: each.joined_ms for each in centre.pool().members}
    with starts_again(centre, 0):
        centre.system.wait_until(
            "the other engine has them", lambda: {centre.engine_of(each) for each in callers} == {1}, 2 * WITHIN_S
        )
        assert {each.id: each.joined_ms for each in centre.pool().members} == joined
        centre.does("alice", "ready")
        answered_in_order(centre, alice, calls)


def test_the_only_engine_is_killed_while_the_phone_rings_and_comes_back(centre: BusyCentre) -> None:
    """The offer is in its inbox, which it may have read before the call is back."""
    alice = centre.ready("alice", Behaviour.silent())
    call = centre.comes_to("support")
    theirs = alice.wait_call(WITHIN_S)
    with starts_again(centre, 1):
        with starts_again(centre, 0):
            pass
        again = alice.wait_call(WITHIN_S)
        theirs.wait_ended(WITHIN_S)
        centre.talks("alice", again, call)
        call.hangup()


def test_the_engine_is_killed_while_they_talk(centre: BusyCentre) -> None:
    alice = centre.ready("alice", Behaviour.silent())
    caller = centre.system.new_caller()
    with centre.first_engine(0):
        call = centre.comes_to("resting", caller)
    theirs = alice.wait_call(WITHIN_S)
    centre.talks("alice", theirs, call)
    with starts_again(centre, 0):
        theirs.hangup()
        call.wait_ended(WITHIN_S)
        centre.wait_state("alice", "wrap_up")
        centre.does("alice", "wrap-up", left_s=0)
    assert centre.visit(caller)["outcome"] == "answered"


# Redis


def forgotten(centre: BusyCentre) -> None:
    """Redis comes back empty."""
    centre.system.stack.stop_service("valkey")
    centre.system.stack.start_service("valkey")


def remembered(centre: BusyCentre) -> None:
    """Redis comes back with what it knew, but for what was written in the last few ms."""
    with centre.system.redis() as client:
        client.save()
    forgotten(centre)


def remembered_from_before(centre: BusyCentre) -> None:
    """Redis comes back with what it knew when the test began."""
    forgotten(centre)


@pytest.mark.parametrize("restarts", [forgotten, remembered, remembered_from_before])
def test_redis_restarts(centre: BusyCentre, restarts: Callable[[BusyCentre], None]) -> None:
    """Who waits keeps his place, who talks is offered nobody, agents come back as they were."""
    with centre.system.redis() as client:
        if restarts is remembered_from_before:
            client.save()
    alice = centre.ready("alice", Behaviour.silent())
    bob = centre.ready("bob", Behaviour.silent())
    centre.does("bob", "break", reason="lunch")
    talker = centre.comes_to("support")
    talks = alice.wait_call(WITHIN_S)
    centre.talks("alice", talks, talker)
    callers = [centre.system.new_caller() for _ in range(2)]
    calls = [centre.comes_to("support", each) for each in callers]
    centre.waiting(2, "support")
    joined = [each.joined_ms for each in centre.pool().members]
    restarts(centre)
    is_back(centre, waiting=2)
    assert sorted(each.joined_ms for each in centre.pool().members) == sorted(joined)
    centre.is_back("bob", "break")
    assert centre.state("bob")["on_break"]["reason"] == "lunch"
    centre.is_back("alice", "on_call")
    centre.does("bob", "ready")
    theirs = bob.wait_call(WITHIN_S)
    centre.talks("bob", theirs, calls[0])
    no_other_call(centre, alice)
    talker.skip_heard()
    talker.wait_heard_tone(AGENT_HZ["alice"], WITHIN_S)  # they talk on
    talks.hangup()
    talker.wait_ended(WITHIN_S)
    centre.talks("alice", at_most_one(alice, talks), calls[1])
    for call in calls:
        call.hangup()
    assert [centre.visit(each)["outcome"] for each in callers] == ["answered"] * 2


@pytest.mark.parametrize("restarts", [forgotten, remembered])
def test_redis_restarts_while_the_phone_rings(centre: BusyCentre, restarts: Callable[[BusyCentre], None]) -> None:
    alice = centre.ready("alice", Behaviour.silent())
    call = centre.comes_to("support")
    theirs = alice.wait_call(WITHIN_S)
    restarts(centre)
    is_back(centre, waiting=1)
    if restarts is forgotten:
        theirs.wait_ended(WITHIN_S)
        theirs = at_most_one(alice, theirs)
    centre.talks("alice", theirs, call)
    no_other_call(centre, alice)
    call.hangup()


@pytest.mark.parametrize("comes_back", [forgotten, remembered])
def test_redis_is_away_for_a_while(centre: BusyCentre, comes_back: Callable[[BusyCentre], None]) -> None:
    """Who waits gets the queue's way for `closed`; afterwards nobody is left and nothing is double."""
    stack = centre.system.stack
    alice = centre.ready("alice", Behaviour.silent())
    talker = centre.comes_to("support")
    talks = alice.wait_call(WITHIN_S)
    centre.talks("alice", talks, talker)
    callers = [centre.system.new_caller() for _ in range(3)]
    waits = centre.comes_to("support", callers[0])
    centre.waiting(1, "support")
    if comes_back is remembered:
        with centre.system.redis() as client:
            client.save()
    stack.stop_service("valkey")
    gone_s = time.monotonic()
    comes = centre.calls("support", callers[1])
    for each in (waits, comes):
        each.wait_ended(CLOSED_WITHIN_S)
    assert time.monotonic() - gone_s >= 4.5
    if comes_back is forgotten:
        centre.system.wait_until("a minute is over", lambda: time.monotonic() - gone_s >= MINUTE_S, MINUTE_S)
    talker.skip_heard()
    talker.wait_heard_tone(AGENT_HZ["alice"], WITHIN_S)
    talks.hangup()
    talker.wait_ended(WITHIN_S)
    stack.start_service("valkey")
    is_back(centre, waiting=0)
    assert [centre.visit(each)["outcome"] for each in callers[:2]] == ["closed"] * 2
    centre.is_back("alice", "ready")
    no_other_call(centre, alice)
    call = centre.comes_to("support", callers[2])
    centre.talks("alice", at_most_one(alice, talks), call)
    no_other_call(centre, alice)
    call.hangup()


def is_back(centre: BusyCentre, waiting: int) -> None:
    """Until so many wait, and somebody decides for them."""
    centre.system.wait_until(
        f"{waiting} wait again, and are decided for",
        lambda: len(centre.pool().members) == waiting and centre.decided(),
        2 * WITHIN_S,
    )


def answered_in_order(centre: BusyCentre, alice: Phone, calls: list[PhoneCall]) -> None:
    theirs = None
    for call in calls:
        theirs = at_most_one(alice, theirs)
        centre.talks("alice", theirs, call)
        theirs.hangup()
        call.wait_ended(WITHIN_S)
