"""What the owner of a pool decides, step by step: news in, actions out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.acd.actions import Reserve
from engine.acd.agent import Break, LogIn, LogOut, PhoneGone, Ready, Reserved, TakeBreak
from engine.acd.news import Became, News, Place, Positions
from engine.acd.pool import ANSWERED_WITHIN_MS, EMPTY_FOR_MS, STOPPED_WITHIN_MS
from engine.acd.states import apply
from engine.acd.store import OpenOffer, PoolState
from engine.domain.acd import AgentState, Standing, Strategy, Why
from engine.domain.routing import OverflowReason, QueueEntry
from tests.unit.acd.desk import QUEUES, Desk, agent, back, caller, joined, left, told
from tests.unit.acd.people import NOW

CLOSED, FULL = OverflowReason.CLOSED, OverflowReason.FULL
NO_AGENTS, TIMEOUT = OverflowReason.NO_AGENTS, OverflowReason.TIMEOUT


# Offers


@pytest.mark.req("R5")
def test_a_member_and_a_ready_agent_meet() -> None:
    desk = Desk(agent("alice", TakeBreak(Break("lunch"))), agent("bob", TakeBreak(Break("lunch"))))
    assert desk.hear(joined(caller("m1"))) == []
    made = desk.offered(agent("alice", TakeBreak(Break("lunch")), Ready()))
    assert made.why.offer == made.offer
    assert [(each.agent, each.why) for each in made.why.passed] == [("bob", Why.NOT_READY)]


def test_an_older_record_of_an_agent_changes_nothing() -> None:
    desk = Desk(agent("alice", TakeBreak(Break("lunch")), Ready(), PhoneGone()))
    assert desk.hear(joined(caller("m1")), agent("alice", TakeBreak(Break("lunch")), Ready())) == []


@pytest.mark.req("R53")
def test_a_member_comes_back_before_those_behind_him() -> None:
    desk = Desk(agent("alice"))
    desk.offered(joined(caller("m1")), joined(caller("m2", NOW + 5)), at_ms=NOW + 5)
    assert told(desk.hear(back("m1", "7-1", alice=NOW + 30_000), agent("bob"), at_ms=NOW + 9)) == [
        ("reserve", "m1", "bob")
    ]


def test_who_is_not_as_believed_is_not_asked_again() -> None:
    desk = Desk(agent("alice"), agent("bob"))
    (first,) = desk.hear(joined(caller("m1")))
    assert isinstance(first, Reserve)
    taken = apply(first.agents[0], TakeBreak(Break("lunch")), NOW).agent
    desk.pool.outdated(first.offer, [taken], NOW)
    assert told(desk.pool.decide(NOW)) == [("reserve", "m1", "bob" if taken.id == "alice" else "alice")]
    desk.pool.outdated(first.offer, [], NOW)
    assert desk.pool.lost, "an agent who is not there any more: only loading anew tells"


def test_the_agents_of_a_member_who_is_gone_take_the_next_one() -> None:
    desk = Desk(agent("alice"))
    (first,) = desk.hear(joined(caller("m1")), joined(caller("m2")))
    assert isinstance(first, Reserve)
    desk.pool.gone(first.offer, NOW)
    assert told(desk.pool.decide(NOW)) == [("reserve", "m2", "alice")]
    assert desk.hear(left("m1")) == []


def test_a_member_who_leaves_stops_the_phones() -> None:
    desk = Desk(agent("alice"))
    desk.offered(joined(caller("m1")))
    assert told(desk.hear(left("m1", "7-1"))) == [("stop", "e1", "7-1", "m1")]
    later_ms = NOW + STOPPED_WITHIN_MS
    assert desk.pool.next_wake_ms() == later_ms
    assert told(desk.pool.decide(later_ms)) == [("stop", "e1", "7-1", "m1"), ("release", "alice", "7-1")]


def test_whoever_still_rings_when_another_took_the_member_is_released() -> None:
    queues = {"q": replace(QUEUES["q"], strategy=Strategy.RING_ALL)}
    desk = Desk(agent("alice"), agent("bob"), queues=queues)
    desk.offered(joined(caller("m1")))
    free = replace(agent("alice"), version=99, state=AgentState.ON_CALL)
    assert desk.hear(free, left("m1", "7-1", Became.TAKEN)) == []
    assert told(desk.pool.decide(NOW + STOPPED_WITHIN_MS)) == [("stop", "e1", "7-1", "m1"), ("release", "bob", "7-1")]


@pytest.mark.req("R124")
def test_an_offer_that_nobody_ends_is_released() -> None:
    desk = Desk(agent("alice"))
    made = desk.offered(joined(caller("m1")))
    until_ms = NOW + made.offer.ring_ms + ANSWERED_WITHIN_MS
    assert desk.pool.decide(until_ms - 1) == []
    assert told(desk.pool.decide(until_ms)) == [("stop", "e1", "7-1", "m1"), ("release", "alice", "7-1")]
    assert desk.pool.decide(until_ms) == []


@pytest.mark.req("R124")
def test_a_new_owner_keeps_offers_that_ring_and_ends_those_of_nobody() -> None:
    first = Desk(agent("alice"), agent("bob"))
    offers = [first.offered(joined(caller(who)), number=number).offer for who, number in (("m1", "7-1"), ("m2", "7-2"))]
    ringing = [
        apply(agent(each.agents[0]), Reserved(number, each.member, "q"), NOW).agent
        for each, number in zip(offers, ("7-1", "7-2"), strict=True)
    ]
    state = PoolState(
        members=(caller("m1"), caller("m3")),
        offers=tuple(
            OpenOffer(number, each, frozenset(each.agents), engine="e1")
            for each, number in zip(offers, ("7-1", "7-2"), strict=True)
        ),
        offered={"m1": "7-1"},
        place=Place(40, 7),
    )
    desk = Desk(*ringing, state=state)
    assert told(desk.pool.decide(NOW)) == [("stop", "e1", "7-2", "m2")]
    assert dict(desk.pool.board.positions(NOW)) == {"e1": Positions({"m1": Standing(1), "m3": Standing(2)})}
    assert told(desk.pool.decide(NOW + STOPPED_WITHIN_MS))[1:] == [("release", offers[1].agents[0], "7-2")]
    assert told(desk.hear(back("m1", "7-1"), agent("carl"))) == [("reserve", "m1", "carl")]


# The end of the waiting


@pytest.mark.req("R32")
def test_the_longest_wait_is_over() -> None:
    desk = Desk(agent("alice", TakeBreak(Break("lunch"))))
    assert desk.hear(joined(caller("m1", wait_until_ms=NOW + 60_000))) == []
    assert desk.pool.next_wake_ms() == NOW + 60_000
    assert told(desk.pool.decide(NOW + 60_000)) == [("dismiss", "m1", TIMEOUT)]
    assert desk.pool.decide(NOW + 60_000) == desk.hear(left("m1"), at_ms=NOW + 60_000) == []


@pytest.mark.req("R32")
def test_an_offer_goes_before_the_end_of_the_waiting() -> None:
    desk = Desk(agent("alice", TakeBreak(Break("lunch"))))
    desk.hear(joined(caller("m1", wait_until_ms=NOW + 60_000)))
    desk.offered(agent("alice", TakeBreak(Break("lunch")), Ready()), at_ms=NOW + 60_000)
    assert desk.pool.decide(NOW + 61_000) == [], "the phone rings: that is waited for"
    actions = desk.hear(back("m1", "7-1", alice=NOW + 99_000), at_ms=NOW + 62_000)
    assert told(actions) == [("dismiss", "m1", TIMEOUT)]


def test_an_offer_that_was_not_made_does_not_prolong_the_waiting() -> None:
    desk = Desk(agent("alice", TakeBreak(Break("lunch"))))
    desk.hear(joined(caller("m1", wait_until_ms=NOW + 60_000)))
    (made,) = desk.hear(agent("alice", TakeBreak(Break("lunch")), Ready()), at_ms=NOW + 60_000)
    assert isinstance(made, Reserve)
    desk.pool.outdated(made.offer, [apply(made.agents[0], PhoneGone(), NOW).agent], NOW + 60_000)
    assert told(desk.pool.decide(NOW + 60_000)) == [("dismiss", "m1", TIMEOUT)]


@pytest.mark.req("R6", "R31")
def test_nobody_is_logged_in() -> None:
    desk = Desk(agent("alice"))
    alone = apply(agent("alice"), LogOut(), NOW).agent
    assert desk.hear(alone) == desk.hear(joined(caller("m1"))) == []
    assert told(desk.pool.decide(NOW + EMPTY_FOR_MS)) == [("dismiss", "m1", NO_AGENTS)]
    late = NOW + EMPTY_FOR_MS
    assert told(desk.hear(joined(caller("m2", late)), at_ms=late)) == [("dismiss", "m2", NO_AGENTS)]
    assert told(desk.hear(joined(caller("m3", late)), agent("bob"), at_ms=late)) == [("reserve", "m3", "bob")]


@pytest.mark.req("R31")
def test_a_break_is_not_a_logout_and_an_agent_who_returns_is_waited_for() -> None:
    desk = Desk(agent("alice", TakeBreak(Break("lunch"))))
    desk.hear(joined(caller("m1")))
    assert desk.pool.decide(NOW + EMPTY_FOR_MS) == []
    gone = apply(agent("alice", TakeBreak(Break("lunch"))), LogOut(), NOW).agent
    later_ms = NOW + 2 * EMPTY_FOR_MS
    desk.hear(gone, at_ms=later_ms)
    again = apply(apply(gone, LogIn(), NOW).agent, TakeBreak(Break("lunch")), NOW).agent
    desk.hear(again, at_ms=later_ms + EMPTY_FOR_MS - 1)
    assert desk.pool.decide(later_ms + EMPTY_FOR_MS) == []


@pytest.mark.req("R6", "R32")
def test_a_full_queue_turns_away_whoever_came_last() -> None:
    desk = Desk(agent("alice", TakeBreak(Break("x"))), queues={"q": replace(QUEUES["q"], max_waiting=2)})
    news = [joined(caller(who, NOW + n)) for n, who in enumerate(("m1", "m2", "m3"))]
    assert told(desk.hear(*news)) == [("dismiss", "m3", FULL)]
    assert desk.hear(left("m3"), joined(caller("m0", NOW - 9))) == [], "he was let in before: his call was taken up"
    assert told(desk.hear(left("m1"), joined(caller("m4", NOW + 9)))) == [("dismiss", "m4", FULL)]


@pytest.mark.req("R3")
def test_a_queue_that_closes_keeps_those_who_wait() -> None:
    queues, waits = QUEUES, caller("m1", NOW - 1)
    desk = Desk(agent("alice", TakeBreak(Break("x"))), queues=queues, closed_from_ms=NOW)
    assert told(desk.hear(joined(waits), joined(caller("m2")))) == [("dismiss", "m2", CLOSED)]
    state = PoolState(members=(waits,))
    taken_over = Desk(agent("alice", TakeBreak(Break("x"))), closed_from_ms=NOW, state=state)
    assert taken_over.pool.decide(NOW + 1) == [], "the next owner judges as the one before"
    assert told(taken_over.hear(agent("bob"))) == [("reserve", "m1", "bob")]


def test_a_queue_that_is_not_known_is_waited_for_and_one_that_is_dropped_closes() -> None:
    desk = Desk(agent("alice", queues=("q", "new")))
    assert desk.hear(joined(caller("m1", queue="new"))) == []
    both = {**QUEUES, "new": QueueEntry(id="new", name="New")}
    desk.pool.set_queues(both, NOW + 1)
    desk.offered(at_ms=NOW + 1)
    desk.hear(joined(caller("m2", NOW + 2, queue="new")), at_ms=NOW + 2)
    desk.pool.set_queues(QUEUES, NOW + 3)
    assert told(desk.pool.decide(NOW + 3 + EMPTY_FOR_MS)) == [("dismiss", "m2", CLOSED)]
    actions = desk.hear(back("m1", "7-1"), at_ms=NOW + 4 + EMPTY_FOR_MS)
    assert told(actions) == [("dismiss", "m1", CLOSED)], "he was being offered: the phone could ring to its end"


# News


@pytest.mark.parametrize(
    ("numbers", "last", "lost"),
    [((1, 2), 2, False), ((1, 1, 2), 2, False), ((2, 1), 2, True), ((1, 3), 3, True), ((1,), 2, True), ((), 1, True)],
)
def test_what_is_missing_is_noticed(numbers: tuple[int, ...], last: int, lost: bool) -> None:
    pool = Desk().pool
    news = [replace(joined(caller(f"m{number}")), number=number) for number in numbers]
    pool.hear(News(agents=[], members=news, last=Place(0, last), at_ms=NOW))
    assert pool.lost is lost
    agents = [(number, agent(f"a{number}")) for number in numbers]
    other = Desk().pool
    other.hear(News(agents=agents, members=[], last=Place(last, 0), at_ms=NOW))
    assert other.lost is lost


def test_there_may_be_more_than_one_answer_holds() -> None:
    pool = Desk().pool
    pool.hear(News(agents=[(1, agent("alice"))], members=[], last=Place(9, 9), at_ms=NOW, more=True))
    assert (pool.lost, pool.place) == (False, Place(1, 0))
    pool.hear(News(agents=[(3, agent("bob"))], members=[], last=Place(9, 9), at_ms=NOW, more=True))
    assert pool.lost, "trimmed away before it was read"


def test_who_left_and_joined_again_before_his_offer_was_made_is_not_mixed_up() -> None:
    pool = Desk(agent("alice")).pool
    again = [replace(joined(caller("m1")), number=1), replace(left("m1"), number=2)]
    pool.hear(News(agents=[], members=again[:1], last=Place(0, 1), at_ms=NOW))
    (made,) = pool.decide(NOW)
    assert isinstance(made, Reserve)
    pool.reserved("7-1", made.offer, made.agents, NOW)
    pool.hear(News(agents=[], members=again[1:], last=Place(0, 2), at_ms=NOW))
    assert pool.lost, "the offer is for who he is now, the news are of who he was"


def test_an_offer_that_ends_for_nobody_known_is_looked_into() -> None:
    pool = Desk(agent("alice")).pool
    pool.hear(News(agents=[], members=[replace(back("m1", "7-1"), number=1)], last=Place(0, 1), at_ms=NOW))
    assert pool.lost
