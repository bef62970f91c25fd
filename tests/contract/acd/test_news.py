"""What the shared state tells owners, engines and people, in memory and on a real Valkey."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.acd.agent import Accepted, ConversationBegan, NotAnswered, Refused
from engine.acd.lines import PLAIN, KnownLine
from engine.acd.news import KEEP_WHY, Became, Explanation, Leave, Offered, Place, Positions, QueueFigures, Stop
from engine.acd.store import AcdStore, LeaseLost, MemberGone, StateLost
from engine.acd.wait import Learnt
from engine.domain.acd import Passed, Ring, Standing, Why
from engine.domain.routing import OverflowReason
from tests.contract.acd.conftest import Rig
from tests.contract.acd.people import OTHER_POOL, POOL, lease, member, offer, ready, reserve


def told(store: AcdStore, engine: str) -> list[object]:
    return [each for _, each in store.inbox(engine)]


def test_the_owner_hears_of_agents_by_number(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice", "bob")
    news = rig.store().wait_news(POOL, Place(), 0)
    assert [(number, each.id, each.version) for number, each in news.agents] == [
        (1, "alice", 0),
        (2, "alice", 1),
        (3, "bob", 0),
        (4, "bob", 1),
    ]
    assert news.agents[-1][1] == store.agent("bob")
    assert (news.last, news.more) == (Place(4, 0), False)
    assert [number for number, _ in store.wait_news(POOL, Place(3, 0), 0).agents] == [4]


@pytest.mark.req("R53")
def test_the_owner_hears_what_became_of_members(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice", "bob")
    ours = lease(store)
    joined = store.join(POOL, member("m1", engine="e1"))
    made = reserve(store, ours, "m1", "alice", "bob")
    store.change("bob", Refused(made.number))
    store.change("alice", NotAnswered(made.number))
    again = reserve(store, ours, "m1", "bob")
    store.change("bob", Accepted(again.number))
    store.change("bob", ConversationBegan("m1", again.number))
    store.join(POOL, member("m2", engine="e2"))
    store.leave(POOL, "m2", gave_up=True)
    store.join(OTHER_POOL, member("m3"))
    news = store.wait_news(POOL, Place(), 0).members
    assert [(each.number, each.became, each.id, each.offer, each.engine) for each in news] == [
        (1, Became.JOINED, "m1", "", "e1"),
        (2, Became.BACK, "m1", made.number, ""),
        (3, Became.TAKEN, "m1", again.number, "e1"),
        (4, Became.JOINED, "m2", "", "e2"),
        (5, Became.LEFT, "m2", "", "e2"),
    ]
    assert [each.gave_up for each in news] == [False, False, False, False, True]
    assert news[0].member == joined
    assert news[1].refused_by is not None
    assert news[1].refused_by.keys() == {"alice", "bob"}
    assert store.load(POOL).place == Place(store.wait_news(POOL, Place(), 0).last.agents, 5)


@pytest.mark.req("R124")
def test_an_offer_is_in_the_inbox_of_the_engine_that_has_the_call(rig: Rig) -> None:
    store, other = rig.store(), rig.store()
    ready(store, "alice")
    ours = lease(store)
    store.join(POOL, member("m1", engine="e1"))
    decided = replace(offer(store, "m1", ["alice"]), ring_ms=7_000)
    made = store.reserve(ours, decided, [store.agent("alice")])
    assert told(store, "e1") == [Offered(made.number, decided)]
    assert other.join(POOL, member("m1", joined_ms=5, engine="e2")).engine == "e2"
    assert told(store, "e2") == [Offered(made.number, decided)], "who took the call up must ring"
    other.join(POOL, member("m1", engine="e2"))
    assert told(store, "e2") == [Offered(made.number, decided)] * 2, "the same engine may be another process"
    (there,) = store.load(POOL).offers
    (waits,) = store.load(POOL).members
    assert (there.engine, waits.engine) == ("e2", "e2")
    assert [each.became for each in store.wait_news(POOL, Place(), 0).members] == [Became.JOINED] * 2


def test_what_was_read_is_forgotten(rig: Rig) -> None:
    store = rig.store()
    ours = lease(store)
    first = Positions({"m1": Standing(2, 60_000, 120_000)})
    store.tell(ours, [("e1", first), ("e1", Stop("1-1", "m1")), ("e2", Positions({"m2": Standing(1)}))])
    (place, one), (second, _) = store.inbox("e1")
    assert one == first
    assert store.inbox("e1", place) == [(second, Stop("1-1", "m1"))]
    assert [place for place, _ in store.inbox("e1")] == [second], "an engine that starts anew reads what is left"
    assert store.inbox("e1", second) == []
    assert told(store, "e2") == [Positions({"m2": Standing(1)})]


@pytest.mark.req("R32")
def test_a_member_who_is_dismissed_is_out_at_once(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice")
    ours = lease(store)
    store.join(POOL, member("m1", engine="e1"))
    why = Explanation(at_ms=5, leave=OverflowReason.FULL)
    store.dismiss(ours, "m1", OverflowReason.FULL, why)
    assert (store.load(POOL).members, store.counts("sales").waiting) == ((), 0)
    assert told(store, "e1") == [Leave("m1", "sales", OverflowReason.FULL)]
    assert store.why("m1") == [why]
    for _ in range(2):
        with pytest.raises(MemberGone):
            store.dismiss(ours, "m1", OverflowReason.FULL)
    store.join(POOL, member("m2", engine="e1"))
    reserve(store, ours, "m2", "alice")
    with pytest.raises(MemberGone, match="an offer is out for him"):
        store.dismiss(ours, "m2", OverflowReason.TIMEOUT)


def test_only_the_owner_speaks(rig: Rig) -> None:
    store = rig.store()
    old, new = lease(store), lease(store)
    store.join(POOL, member("m1", engine="e1"))
    with pytest.raises(LeaseLost):
        store.dismiss(old, "m1", OverflowReason.TIMEOUT)
    with pytest.raises(LeaseLost):
        store.tell(old, [("e1", Positions({"m1": Standing(1)}))])
    assert store.inbox("e1") == []
    store.tell(new, [("e1", Positions({"m1": Standing(1)}))])
    assert told(store, "e1") == [Positions({"m1": Standing(1)})]


@pytest.mark.req("R6", "R30")
def test_figures_are_those_told_last(rig: Rig) -> None:
    store = rig.store()
    ours = lease(store)
    assert store.figures("sales") is None
    figures = QueueFigures(queue="sales", at_ms=7, waiting=3, longest_wait_ms=900, logged_in=2, ready=1)
    store.tell(ours, [], [figures, replace(figures, queue="help")])
    store.tell(ours, [], [replace(figures, at_ms=8)])
    assert rig.store().figures("sales") == replace(figures, at_ms=8)
    assert rig.store().figures("help") == replace(figures, queue="help")
    expected = replace(figures, at_ms=9, expected_wait_ms=90_000, expected_low_ms=20_000, expected_high_ms=170_000)
    store.tell(ours, [], [expected])
    assert sorted(rig.store().all_figures(), key=lambda each: each.queue) == [replace(figures, queue="help"), expected]


@pytest.mark.req("R30", "R124")
def test_the_next_owner_is_told_what_is_known_of_the_lines(rig: Rig) -> None:
    store = rig.store()
    ours = lease(store)
    assert store.load(POOL).lines == ()
    learnt = Learnt(at_ms=5, taken=12.5, taken_ms=90_000.5, gave_up=0.25, gave_up_ms=1e9)
    known = (KnownLine("sales", (Ring(0, {"cs": 5}), Ring(9_000, {})), learnt), KnownLine("help", PLAIN, learnt))
    store.tell(ours, [], [], known)
    store.tell(ours, [("e1", Stop("1-1", "m1"))])
    assert rig.store().load(POOL).lines == known
    assert store.load(OTHER_POOL).lines == ()
    store.tell(ours, [], [], ())
    assert store.load(POOL).lines == ()


def test_the_last_explanations_stay(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice")
    ours = lease(store)
    store.join(POOL, member("m1"))
    whys = []
    for n in range(KEEP_WHY + 2):
        decided = offer(store, "m1", ["alice"])
        whys.append(Explanation(at_ms=n, offer=decided, passed=(Passed("bob", Why.TIER, "level 2"),), more=1))
        made = store.reserve(ours, decided, [store.agent("alice")], whys[-1])
        store.change("alice", Refused(made.number))
    store.leave(POOL, "m1")
    assert store.why("m1") == whys[-KEEP_WHY:]


@pytest.mark.req("R124")
def test_news_and_inboxes_of_a_lost_state_are_not_told(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice")
    ours = lease(store)
    store.tell(ours, [("e1", Stop("1-1", "m1"))])
    rig.lose()
    with pytest.raises(StateLost):
        store.wait_news(POOL, Place(), 0)
    with pytest.raises(StateLost):
        store.inbox("e1")
    store.attach()
    assert store.inbox("e1") == []
    news = store.wait_news(POOL, Place(), 0)
    assert (news.agents, news.members, news.last) == ([], [], Place())
