"""What every shared state of queues does, in memory and on a real Valkey."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.acd.agent import (
    Accepted,
    Break,
    ConversationBegan,
    ConversationEnded,
    Happening,
    LogIn,
    LogOut,
    NotAnswered,
    PhoneBack,
    PhoneGone,
    Ready,
    Refused,
    Reserved,
    TakeBreak,
    Withdrawn,
)
from engine.acd.states import NotPossible
from engine.acd.store import (
    ASK_AGAIN_AFTER_MS,
    MemberGone,
    OfferOver,
    Outdated,
    QueueCounts,
    UnknownAgent,
)
from engine.domain.acd import AgentState
from tests.contract.acd.conftest import Rig
from tests.contract.acd.people import LONG_MS, OTHER_POOL, POOL, agent, lease, member, offer, ready, reserve, soon

WITHIN_MS = 10_000


# Reservations


@pytest.mark.req("R2", "R5")
def test_who_is_reserved_is_free_in_none_of_his_queues(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice", "bob")
    store.join(POOL, member("m1"))
    assert store.counts("help") == QueueCounts(logged_in=2, ready=2, waiting=0)
    made = reserve(store, lease(store), "m1", "alice")
    assert store.counts("sales") == QueueCounts(logged_in=2, ready=1, waiting=1)
    assert store.counts("help") == QueueCounts(logged_in=2, ready=1, waiting=0)
    (change,) = made.changes
    assert store.agent("alice") == change.agent
    assert change.agent.offer
    assert change.agent.offer.number == made.number
    state = store.load(POOL)
    assert [(each.number, each.offer.member, each.asked, each.taken_by) for each in state.offers] == [
        (made.number, "m1", {"alice"}, "")
    ]
    assert state.offered == {"m1": made.number}


@pytest.mark.req("R2")
def test_two_owners_want_the_same_agent(rig: Rig) -> None:
    first, second = rig.store(), rig.store()
    ready(first, "alice", "bob")
    first.join(POOL, member("m1"))
    second.join(OTHER_POOL, member("m2", "help"))
    ours, theirs = lease(first), lease(second, OTHER_POOL, "e2")
    known = [second.agent("alice"), second.agent("bob")]
    reserve(first, ours, "m1", "alice")
    with pytest.raises(Outdated, match="alice is ringing") as told:
        second.reserve(theirs, offer(second, "m2", ["bob", "alice"], "help"), known)
    assert told.value.agents == (first.agent("alice"),)
    assert second.agent("bob") == known[1], "all or none"
    assert second.load(OTHER_POOL).offers == ()
    reserve(second, theirs, "m2", "bob", queue="help")


def test_what_changed_since_the_decision_is_seen(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice")
    store.join(POOL, member("m1"))
    ours, known = lease(store), store.agent("alice")
    store.change("alice", TakeBreak(Break("lunch")))
    with pytest.raises(Outdated, match="alice is break"):
        store.reserve(ours, offer(store, "m1", ["alice"]), [known])
    store.change("alice", Ready())
    with pytest.raises(Outdated, match="alice is ready"):
        store.reserve(ours, offer(store, "m1", ["alice"]), [known])
    with pytest.raises(NotPossible, match="not logged in to queue boats"):
        reserve(store, ours, "m1", "alice", queue="boats")
    with pytest.raises(Outdated):
        store.reserve(ours, offer(store, "m1", ["alice", "carl"]), [store.agent("alice")])
    assert store.counts("sales") == QueueCounts(1, 1, 1)


def test_a_member_is_offered_once(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice", "bob")
    ours = lease(store)
    with pytest.raises(MemberGone, match="member m1 does not wait"):
        reserve(store, ours, "m1", "alice")
    store.join(POOL, member("m1"))
    reserve(store, ours, "m1", "alice")
    with pytest.raises(MemberGone):
        reserve(store, ours, "m1", "bob")
    assert store.agent("bob").state is AgentState.READY


# What becomes of an offer


@pytest.mark.req("R53")
@pytest.mark.parametrize(
    ("end", "state", "refused"),
    [
        (NotAnswered, AgentState.BREAK, True),
        (Refused, AgentState.READY, True),
        (Withdrawn, AgentState.READY, False),
    ],
)
def test_the_member_waits_again_at_his_old_place(
    rig: Rig, end: Callable[[str], Happening], state: AgentState, refused: bool
) -> None:
    store = rig.store()
    ready(store, "alice")
    joined = store.join(POOL, member("m1"))
    ours = lease(store)
    made = reserve(store, ours, "m1", "alice")
    now_ms = store.now_ms()
    assert store.change("alice", end(made.number)).agent.state is state
    after = store.load(POOL)
    assert (after.offers, after.offered) == ((), {})
    (waits,) = after.members
    assert (waits.id, waits.joined_ms, waits.rings) == ("m1", joined.joined_ms, joined.rings)
    assert waits.refused_by.keys() == ({"alice"} if refused else set())
    assert all(0 <= until_ms - now_ms - ASK_AGAIN_AFTER_MS < WITHIN_MS for until_ms in waits.refused_by.values())
    assert store.join(POOL, member("m1", joined_ms=5)) == waits, "a call that was resumed keeps its place"
    with pytest.raises(NotPossible):
        store.change("alice", Accepted(made.number))
    store.change("alice", Ready())
    assert reserve(store, ours, "m1", "alice").number != made.number


def test_a_conversation_ends_the_waiting(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice")
    store.join(POOL, member("m1"))
    made = reserve(store, lease(store), "m1", "alice")
    store.change("alice", Accepted(made.number))
    (taken,) = store.load(POOL).offers
    assert taken.taken_by == "alice"
    store.change("alice", ConversationBegan("m1", made.number))
    state = store.load(POOL)
    assert (state.members, state.offers, state.offered) == ((), (), {})
    assert store.leave(POOL, "m1") is None
    assert store.change("alice", ConversationEnded("m1")).agent.calls == 1
    assert store.counts("sales") == QueueCounts(1, 1, 0)


def test_all_ring_and_two_answer(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice", "bob", "carl")
    store.join(POOL, member("m1"))
    made = reserve(store, lease(store), "m1", "alice", "bob", "carl")
    store.change("carl", Refused(made.number))
    assert store.load(POOL).offered == {"m1": made.number}, "others still ring"
    store.change("bob", Accepted(made.number))
    with pytest.raises(OfferOver, match=f"offer {made.number} is over"):
        store.change("alice", Accepted(made.number))
    assert store.agent("alice").state is AgentState.RINGING
    store.change("bob", ConversationBegan("m1", made.number))
    with pytest.raises(OfferOver):
        store.change("alice", Accepted(made.number))
    store.change("alice", Withdrawn(made.number))
    assert store.load(POOL).offers == ()
    assert (store.agent("alice").state, store.agent("bob").state) == (AgentState.READY, AgentState.ON_CALL)


def test_who_accepted_and_hung_up_before_the_conversation_frees_the_member(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice", "bob")
    store.join(POOL, member("m1"))
    made = reserve(store, lease(store), "m1", "alice", "bob")
    store.change("alice", Accepted(made.number))
    store.change("alice", Withdrawn(made.number))
    store.change("bob", Accepted(made.number))
    store.change("bob", Withdrawn(made.number))
    state = store.load(POOL)
    assert (state.offers, state.offered, len(state.members)) == ((), {}, 1)


def test_the_member_leaves_while_the_agent_rings(rig: Rig) -> None:
    store, caller = rig.store(), rig.store()
    ready(store, "alice", "bob")
    caller.join(POOL, member("m1"))
    ours = lease(store)
    made = reserve(store, ours, "m1", "alice")
    idle_since_ms = store.agent("alice").ready_since_ms
    assert caller.leave(POOL, "m1") == made.number
    with pytest.raises(OfferOver):
        store.change("alice", Accepted(made.number))
    caller.join(POOL, member("m1"))
    with pytest.raises(OfferOver):
        store.change("alice", Accepted(made.number))
    again = reserve(store, ours, "m1", "bob")
    assert store.change("alice", Withdrawn(made.number)).agent.ready_since_ms == idle_since_ms
    state = store.load(POOL)
    assert ([each.number for each in state.offers], state.offered) == ([again.number], {"m1": again.number})


def test_the_member_leaves_between_answer_and_conversation(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice")
    store.join(POOL, member("m1"))
    made = reserve(store, lease(store), "m1", "alice")
    store.change("alice", Accepted(made.number))
    assert store.leave(POOL, "m1") == made.number
    with pytest.raises(OfferOver):
        store.change("alice", ConversationBegan("m1", made.number))
    assert store.change("alice", Withdrawn(made.number)).agent.state is AgentState.READY
    assert store.load(POOL).offers == ()


# Agents


@pytest.mark.req("R50", "R52")
def test_agents_in_the_counts_of_their_queues(rig: Rig) -> None:
    store = rig.store()
    store.add_agent(agent("alice"))
    assert store.counts("sales") == QueueCounts(0, 0, 0)
    for happening, sales, free in (
        (LogIn(), 1, 1),
        (PhoneGone(), 1, 0),
        (PhoneBack(), 1, 1),
        (TakeBreak(Break("lunch")), 1, 0),
        (Ready(), 1, 1),
        (LogOut("sales"), 0, 0),
        (LogIn("sales"), 1, 1),
        (LogOut(), 0, 0),
    ):
        store.change("alice", happening)
        assert store.counts("sales") == QueueCounts(sales, free, 0), happening


def test_agents_are_known_once(rig: Rig) -> None:
    store = rig.store()
    with pytest.raises(UnknownAgent, match="agent alice: not in the shared state"):
        store.agent("alice")
    with pytest.raises(UnknownAgent):
        store.change("alice", LogIn())
    store.add_agent(agent("alice"))
    with pytest.raises(Outdated) as told:
        rig.store().add_agent(agent("alice", "boats"))
    assert told.value.agents == (agent("alice"),)
    with pytest.raises(ValueError, match="reserved together with his offer"):
        store.change("alice", Reserved("1-1", "m1", "sales"))


@pytest.mark.req("R50")
def test_every_change_is_in_the_log(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice")
    store.join(POOL, member("m1"))
    made = reserve(store, lease(store), "m1", "alice")
    store.change("alice", NotAnswered(made.number))
    store.change("alice", PhoneBack())
    logged = rig.store().events()
    assert [(each.version, each.what) for _, each in logged] == [(1, "log_in"), (2, "reserved"), (3, "not_answered")]
    assert logged[2][1].reason == "no_answer"
    assert 0 <= logged[2][1].at_ms - logged[1][1].at_ms < WITHIN_MS
    assert store.events(after=logged[0][0], most=1) == logged[1:2]
    store.forget_events(logged[1][0])
    assert store.events() == logged[2:]
    store.forget_events(logged[2][0])
    assert store.events() == []


# All at once


@pytest.mark.req("R124")
def test_the_next_owner_finds_all(rig: Rig) -> None:
    first, second = rig.store(), rig.store()
    ready(first, "alice", "bob")
    ours = lease(first, for_ms=1)
    for each in (member("m1"), member("m2", "help", 1_700_000_000_001)):
        assert first.join(POOL, each) == each
    first.join(OTHER_POOL, member("m3"))
    made = reserve(first, ours, "m1", "alice")
    first.change("alice", Refused(made.number))
    again = reserve(first, ours, "m1", "bob")
    theirs = soon(lambda: second.acquire(POOL, "e2", LONG_MS))
    state = second.load(POOL)
    assert {each.id: each.joined_ms for each in state.members} == {"m1": 1_700_000_000_000, "m2": 1_700_000_000_001}
    assert {each.id: [*each.refused_by] for each in state.members} == {"m1": ["alice"], "m2": []}
    assert {each.id: each.state for each in state.agents} == {"alice": AgentState.READY, "bob": AgentState.RINGING}
    assert [(each.number, each.offer.agents) for each in state.offers] == [(again.number, ("bob",))]
    second.change("bob", Withdrawn(again.number))
    reserve(second, theirs, "m1", "bob")


def test_who_is_logged_out_can_be_taken_out(rig: Rig) -> None:
    store = rig.store()
    ready(store, "alice", "bob")
    with pytest.raises(ValueError, match="agent alice is ready: only who is logged out"):
        store.drop_agent(store.agent("alice"))
    before = store.change("alice", LogOut()).agent
    store.change("alice", LogIn())
    with pytest.raises(Outdated) as told:
        store.drop_agent(before)
    assert told.value.agents == (store.agent("alice"),)
    store.drop_agent(store.change("alice", LogOut()).agent)
    with pytest.raises(UnknownAgent):
        store.change("alice", LogIn())
    with pytest.raises(Outdated) as told:
        store.drop_agent(before)
    assert told.value.agents == ()
    assert [each.id for each in store.load(POOL).agents] == ["bob"]
    assert store.counts("sales") == QueueCounts(1, 1, 0)
    event = store.events()[0][1]
    store.add_agent(before, event)
    assert store.agent("alice") == before
    assert store.events()[-1][1] == event
