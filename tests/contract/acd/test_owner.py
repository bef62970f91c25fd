"""An owner and its shared state, in memory and on a real Valkey: the races, turn by turn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.acd import leader
from engine.acd import owner as owner_module
from engine.acd.agent import Accepted, Break, ConversationBegan, ConversationEnded, Ready, TakeBreak, Withdrawn
from engine.acd.lines import PLAIN, KnownLine
from engine.acd.news import Leave, Offered, Positions, Stop
from engine.acd.store import AcdStore, LeaseLost
from engine.acd.wait import Learnt
from engine.domain.acd import AgentState, Standing, Why
from engine.domain.routing import OverflowReason
from tests.contract.acd.conftest import Rig
from tests.contract.acd.owners import QUEUES, owner, told
from tests.contract.acd.people import POOL, lease, member, ready, reserve

LUNCH = Break("lunch")


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease is over as soon as its owner does not renew it."""
    monkeypatch.setattr(leader, "LEASE_MS", 1)


def offer_for(store: AcdStore, who: str, engine: str = "e1") -> Offered:
    """The last offer for this member in the engine's inbox."""
    offers = [each for each in told(store, engine, Offered) if isinstance(each, Offered) and each.offer.member == who]
    return offers[-1]


def in_the_pool(store: AcdStore, *members: str) -> None:
    for n, each in enumerate(members):
        store.join(POOL, member(each, joined_ms=1_700_000_000_000 + n, engine="e1"))


@pytest.mark.req("R5", "R10")
def test_an_agent_who_comes_free_is_offered_within_a_turn(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice")
    store.change("alice", TakeBreak(LUNCH))
    in_the_pool(store, "m1", "m2")
    decides = owner(store)
    decides.turn()
    assert told(store, "e1", Offered) == []
    store.change("alice", Ready())
    decides.turn()
    made = offer_for(store, "m1")
    held = store.agent("alice").offer
    assert held is not None
    assert (made.offer.agents, made.number) == (("alice",), held.number)
    assert made.offer.ring_ms == QUEUES["sales"].ring_s * 1000
    decides.release()


@pytest.mark.req("R10")
def test_calls_one_after_the_other(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice")
    in_the_pool(store, "m1", "m2")
    decides = owner(store)
    decides.turn()
    for each in ("m1", "m2"):
        number = offer_for(store, each).number
        for happening in (Accepted(number), ConversationBegan(each, number), ConversationEnded(each)):
            store.change("alice", happening)
        decides.turn()
    assert store.load(POOL).members == ()
    assert store.agent("alice").calls == 2


@pytest.mark.req("R30", "R6")
def test_positions_figures_and_reasons_are_told(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice", "bob")
    store.change("bob", TakeBreak(LUNCH))
    in_the_pool(store, "m1", "m2")
    owner(store).turn()
    assert told(store, "e1", Positions) == [Positions({"m1": Standing(1), "m2": Standing(2)})]
    figures = store.figures("sales")
    assert figures is not None
    assert (figures.waiting, figures.logged_in, figures.ready) == (2, 2, 0)
    assert figures.longest_wait_ms == figures.at_ms - 1_700_000_000_000
    (why,) = store.why("m1")
    assert why.offer == offer_for(store, "m1").offer
    assert [(each.agent, each.why) for each in why.passed] == [("bob", Why.NOT_READY)]


@pytest.mark.req("R30", "R124")
def test_a_new_owner_begins_with_what_the_last_one_learnt(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice")
    store.change("alice", ConversationBegan("a call"))
    last = lease(store, owner="e0")
    learnt = Learnt(at_ms=store.now_ms(), taken=100, taken_ms=100 * 60_000)
    store.tell(last, [], [], [KnownLine("sales", PLAIN, learnt)])
    store.release(last)
    decides = owner(store)
    decides.turn()
    figures = store.figures("sales")
    assert figures is not None
    assert figures.expected_wait_ms == pytest.approx(60_000, rel=0.01)
    (line,) = store.load(POOL).lines
    assert (line.queue, line.rings) == ("sales", PLAIN)
    assert line.learnt.taken == pytest.approx(100, rel=0.01)


@pytest.mark.req("R32")
def test_who_must_leave_is_told_why(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice")
    store.change("alice", TakeBreak(LUNCH))
    in_the_pool(store, "m1", "m2")
    store.join(POOL, member("m0", joined_ms=1, engine="e2", wait_until_ms=store.now_ms()))
    owner(store, queues={"sales": replace(QUEUES["sales"], max_waiting=1), "help": QUEUES["help"]}).turn()
    assert told(store, "e2", Leave) == [Leave("m0", "sales", OverflowReason.TIMEOUT)]
    assert told(store, "e1", Leave) == [Leave("m2", "sales", OverflowReason.FULL)]
    assert [each.id for each in store.load(POOL).members] == ["m1"]
    assert [each.leave for each in store.why("m2")] == [OverflowReason.FULL]


@pytest.mark.req("R10")
def test_the_member_leaves_while_the_agent_rings(rig: Rig) -> None:
    store, janitor = rig.store(), rig.store()
    ready(store, "alice")
    in_the_pool(store, "m1")
    decides = owner(store)
    decides.turn()
    number = offer_for(store, "m1").number
    assert janitor.leave(POOL, "m1") == number
    decides.turn()
    assert told(store, "e1", Stop) == [Stop(number, "m1")]
    store.change("alice", Withdrawn(number))
    in_the_pool(store, "m2")
    decides.turn()
    assert offer_for(store, "m2").offer.agents == ("alice",)


# Two engines


def test_the_second_owner_waits_for_the_first(rig: Rig) -> None:
    first, pauses = owner(rig.store()), list[float]()
    second = owner(rig.store(), "e2", pause=pauses.append)
    first.turn()
    second.turn()
    assert (second.lease, len(pauses)) == (None, 1)
    first.release()
    second.turn()
    assert (first.lease, second.lease is not None) == (None, True)


@pytest.mark.req("R124")
@pytest.mark.usefixtures("short_leases")
def test_the_owner_dies_between_reservation_and_bridge(rig: Rig) -> None:
    """The offer rings on: its engine has it, and the next owner knows of it."""
    store = rig.store()
    ready(store, "alice", "bob")
    store.change("bob", TakeBreak(LUNCH))
    in_the_pool(store, "m1", "m2")
    dead = owner(store)
    dead.turn()
    number = offer_for(store, "m1").number
    heir_store = rig.store()
    heir = owner(heir_store, "e2", pause=lambda _: None)
    while heir.lease is None:
        heir.turn()
    assert heir_store.load(POOL).offered == {"m1": number}, "kept"
    assert [each.offer.member for each in told(store, "e1", Offered) if isinstance(each, Offered)] == ["m1"]
    store.change("bob", Ready())
    heir.turn()
    assert offer_for(store, "m2").offer.agents == ("bob",)
    store.change("alice", Accepted(number))
    store.change("alice", ConversationBegan("m1", number))
    heir.turn()
    assert [each.id for each in heir_store.load(POOL).members] == ["m2"]


@pytest.mark.req("R124")
@pytest.mark.usefixtures("short_leases")
def test_an_offer_without_its_member_is_found_and_withdrawn(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    store = rig.store()
    ready(store, "alice")
    in_the_pool(store, "m1")
    owner(store).turn()
    number = offer_for(store, "m1").number
    store.leave(POOL, "m1")
    monkeypatch.setattr("engine.acd.pool.STOPPED_WITHIN_MS", 0)
    heir = owner(rig.store(), "e2", pause=lambda _: None)
    while heir.lease is None:
        heir.turn()
    assert Stop(number, "m1") in told(store, "e1", Stop)
    assert store.agent("alice").state is AgentState.READY, "his engine did not say so, nor did the owner who died"
    assert store.load(POOL).offers == ()


@pytest.mark.req("R124")
@pytest.mark.usefixtures("short_leases")
def test_an_owner_who_was_asleep_reserves_nobody(rig: Rig) -> None:
    """It wakes with what it knew, decides on it, and is refused."""
    old_store, store = rig.store(), rig.store()
    ready(store, "alice")
    old = owner(old_store, pause=lambda _: None)
    old.turn()
    stale = old.lease
    heir = owner(store, "e2", pause=lambda _: None)
    while heir.lease is None:
        heir.turn()
    in_the_pool(store, "m1")
    assert stale is not None
    with pytest.raises(LeaseLost):
        reserve(old_store, stale, "m1", "alice")
    old.turn()
    assert old.lease is None
    assert (store.agent("alice").state, store.load(POOL).offers) == (AgentState.READY, ())
    heir.turn()
    assert offer_for(store, "m1").offer.agents == ("alice",)


@pytest.mark.req("R124")
def test_all_is_lost_and_put_in_again(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice", "bob")
    in_the_pool(store, "m1")
    decides = owner(store)
    decides.turn()
    known = [store.agent("alice"), store.agent("bob")]
    before = decides.lease
    rig.lose()
    decides.turn()
    assert decides.lease is None
    decides.turn()
    assert before is not None
    assert decides.lease is not None
    assert decides.lease.number > before.number
    in_the_pool(store, "m1", "m2")
    for each in known:
        store.add_agent(replace(each, state=AgentState.READY, offer=None))
    decides.turn()
    state = store.load(POOL)
    assert state.offered.keys() == {"m1", "m2"}, "agents came back, none was dismissed meanwhile"
    assert sorted(agent for each in state.offers for agent in each.asked) == ["alice", "bob"]
    assert told(store, "e1", Leave) == []


def test_an_agent_of_two_pools_is_offered_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = rig.store(), rig.store()
    ready(store, "alice", "bob")
    decides = owner(store)
    decides.turn()
    in_the_pool(store, "m1")
    reserved = store.reserve
    chosen: list[str] = []

    def first_another_pool(lease, offer, agents, why=None):  # type: ignore[no-untyped-def]
        if not chosen:
            chosen.extend(offer.agents)
            other.change(offer.agents[0], TakeBreak(LUNCH))
        return reserved(lease, offer, agents, why)

    monkeypatch.setattr(store, "reserve", first_another_pool)
    decides.turn()
    (asked,) = offer_for(store, "m1").offer.agents
    assert {asked, *chosen} == {"alice", "bob"}, "decided again in the same turn"


@pytest.mark.req("R124")
def test_a_member_whose_call_is_over_is_let_go(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """His engine died before it could say that he left."""
    monkeypatch.setattr(leader, "STUCK_MS", -1)
    monkeypatch.setattr(owner_module, "TELL_EVERY_MS", 0)
    store = rig.store()
    in_the_pool(store, "m1", "m2")
    decides = owner(store)
    decides.turn()
    assert decides.calls == {"m1", "m2"}
    decides.over(["m1"])
    decides.turn()
    assert [each.id for each in store.load(POOL).members] == ["m2"]
    decides.turn()
    assert decides.calls == {"m2"}
