"""Why a member still waits, seen from outside."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.acd.agent import Agent, Break, LogIn, LogOut, Reserved, TakeBreak
from engine.acd.onlooker import Wait, look
from engine.acd.states import apply
from engine.acd.store import OpenOffer, PoolState
from engine.domain.acd import Member, Offer, Ring, Strategy, Tier, Why
from engine.domain.routing import QueueEntry
from tests.unit.acd.desk import QUEUES, agent, caller
from tests.unit.acd.people import NOW

LUNCH = TakeBreak(Break("lunch"))
CZECH = (Ring(0, {"czech": 5}), Ring(60_000, {"czech": 2}))


def seen(state: PoolState, who: str = "m1", at_ms: int = NOW, most: int = 50) -> Wait:
    wait = look(state, QUEUES, who, at_ms, most)
    assert wait is not None
    return wait


def told(wait: Wait) -> list[tuple[str, Why]]:
    return [(each.agent, each.why) for each in wait.passed]


@pytest.mark.req("R4")
def test_why_nobody_takes_him() -> None:
    second = apply(Agent(id="second", assigned={"q": Tier(2)}, skills={"czech": 9}), LogIn(), NOW).agent
    weak = replace(agent("weak"), skills={"czech": 3})
    out = apply(agent("out"), LogOut(), NOW).agent
    state = PoolState(
        members=(caller("m1", NOW - 10_000, rings=CZECH), caller("m0", NOW - 20_000)),
        agents=(
            agent("away", LUNCH),
            second,
            weak,
            out,
            replace(agent("other"), assigned={"elsewhere": Tier()}, tiers={}),
        ),
    )
    wait = seen(state)
    assert (wait.position, wait.waited_ms, wait.offered, wait.next, wait.more) == (2, 10_000, (), (), 0)
    gone = ("out", Why.NOT_LOGGED_IN)
    assert told(wait) == [("second", Why.TIER), ("weak", Why.SKILL), ("away", Why.NOT_READY), gone]
    assert wait.passed[1].detail == "has czech 3 of 5, enough after 60 s of waiting"
    later = [("second", Why.OTHER_MEMBER), ("weak", Why.OTHER_MEMBER), ("away", Why.NOT_READY), gone]
    assert told(seen(state, at_ms=NOW + 60_000)) == later, "m0 goes before"


@pytest.mark.req("R4")
def test_who_would_be_chosen_shows_that_nobody_decides() -> None:
    state = PoolState(members=(caller("m1"),), agents=tuple(agent(name) for name in ("alice", "bob", "carl")))
    wait = seen(state, most=1)
    assert wait.next == ("alice",)
    assert (told(wait), wait.more) == ([("bob", Why.OTHER_AGENT)], 1)


@pytest.mark.req("R4")
def test_an_offer_that_is_out() -> None:
    offer = Offer(
        member="m1",
        queue="q",
        agents=("alice",),
        at_ms=NOW,
        strategy=Strategy.LONGEST_IDLE,
        ring=0,
        score="idle for 60 s",
        waited_ms=0,
    )
    state = PoolState(
        members=(caller("m1"),),
        offers=(OpenOffer("7-1", offer, frozenset({"alice"})),),
        offered={"m1": "7-1"},
        agents=(apply(agent("alice"), Reserved("7-1", "m1", "q"), NOW).agent, agent("bob"), agent("carl", LUNCH)),
    )
    wait = seen(state)
    assert (wait.offered, wait.next, wait.position) == (("alice",), (), 1)
    assert told(wait) == [("bob", Why.OTHER_AGENT), ("carl", Why.NOT_READY)]


def test_who_is_in_no_queue_and_whose_queue_is_gone() -> None:
    bad = replace(caller("bad"), rings=(Ring(5, {}),))
    state = PoolState(members=(caller("m1", queue="gone"), bad), agents=(agent("alice"),))
    assert look(state, QUEUES, "stranger", NOW) is None
    for who in ("m1", "bad"):
        assert seen(state, who) == Wait(next(each for each in state.members if each.id == who), None, 0)


@pytest.mark.req("R4")
def test_a_full_or_closed_queue_still_explains_those_who_are_in_it() -> None:
    queues = {"q": QueueEntry(id="q", name="Queue", calendar="office", max_waiting=1)}
    members: tuple[Member, ...] = (caller("m1"), caller("m2", NOW + 1))
    wait = look(PoolState(members=members, agents=(agent("alice", LUNCH),)), queues, "m2", NOW + 5)
    assert wait is not None
    assert (wait.position, told(wait)) == (2, [("alice", Why.NOT_READY)])
