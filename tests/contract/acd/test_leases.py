"""Who owns a pool, and what happens when all is lost: in memory and on a real Valkey."""

from __future__ import annotations

import pytest

from engine.acd.agent import Ready
from engine.acd.store import AcdStore, LeaseLost, StateLost
from engine.domain.acd import AgentState
from tests.contract.acd.conftest import Rig
from tests.contract.acd.people import LONG_MS, OTHER_POOL, POOL, lease, member, ready, reserve, soon


def test_one_engine_has_the_pool(rig: Rig) -> None:
    first, second = rig.store(), rig.store()
    ours = lease(first)
    assert second.acquire(POOL, "e2", LONG_MS) is None
    assert second.acquire(OTHER_POOL, "e2", LONG_MS), "another pool is another matter"
    later = first.renew(ours, 2 * LONG_MS)
    assert (later.number, later.until_ms > ours.until_ms) == (ours.number, True)
    first.release(later)
    theirs = lease(second, owner="e2")
    assert theirs.number > ours.number
    first.release(later)
    assert first.acquire(POOL, "e1", LONG_MS) is None, "what is not ours any more is not given back"


@pytest.mark.req("R124")
def test_a_lease_that_ran_out_is_taken_and_its_number_refused(rig: Rig) -> None:
    first, second = rig.store(), rig.store()
    ready(first, "alice")
    first.join(POOL, member("m1"))
    ours = lease(first, for_ms=1)
    theirs = soon(lambda: second.acquire(POOL, "e2", LONG_MS))
    assert theirs.number > ours.number
    with pytest.raises(LeaseLost, match=f"pool one: lease {ours.number} is not the last one given"):
        first.renew(ours, LONG_MS)
    with pytest.raises(LeaseLost):
        reserve(first, ours, "m1", "alice")
    assert first.agent("alice").state is AgentState.READY
    assert reserve(second, theirs, "m1", "alice").number.startswith(f"{theirs.number}-")


def test_a_late_renewal_that_nobody_forestalled_holds(rig: Rig) -> None:
    store = rig.store()
    ours = lease(store, for_ms=1)
    while store.now_ms() <= ours.until_ms:
        pass
    assert store.renew(ours, LONG_MS).until_ms > store.now_ms()
    assert rig.store().acquire(POOL, "e2", LONG_MS) is None


def test_an_engine_that_started_anew_gets_a_number_of_its_own(rig: Rig) -> None:
    before, after = rig.store(), rig.store()
    old = lease(before)
    assert lease(after).number > old.number
    with pytest.raises(LeaseLost):
        before.renew(old, LONG_MS)


@pytest.mark.req("R124")
def test_a_state_that_was_lost_is_said_and_begun_once(rig: Rig) -> None:
    first, second = rig.store(), rig.store()
    assert not second.attach(), "there is one"
    ready(first, "alice")
    first.join(POOL, member("m1"))
    known, ours = first.agent("alice"), lease(first)
    rig.lose()
    for ask in (
        lambda: first.renew(ours, LONG_MS),
        lambda: first.change("alice", Ready()),
        lambda: second.join(POOL, member("m2")),
        lambda: second.load(POOL),
        lambda: second.acquire(POOL, "e2", LONG_MS),
    ):
        with pytest.raises(StateLost):
            ask()
    assert [second.attach(), first.attach(), second.attach()] == [True, False, False]
    with pytest.raises(LeaseLost):
        first.renew(ours, LONG_MS)
    assert first.load(POOL).agents == first.load(POOL).members == ()
    new = lease(first)
    assert new.number > ours.number, "what an older owner says stays refused"
    second.join(POOL, member("m1"))
    second.add_agent(known)
    assert reserve(first, new, "m1", "alice").number.startswith(f"{new.number}-")


def test_a_new_place_is_begun_by_the_first(rig: Rig) -> None:
    store: AcdStore = rig.store()
    rig.lose()
    assert store.attach()
    assert not rig.store().attach()
