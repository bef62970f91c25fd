"""What only a server can do: forget its scripts, fall back, go away, and be asked by many at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from callwright.local import start, valkey
from engine.acd.agent import (
    Accepted,
    Agent,
    Break,
    ConversationBegan,
    ConversationEnded,
    NotAnswered,
    PhoneGone,
    TakeBreak,
)
from engine.acd.states import NotPossible
from engine.acd.store import LeaseLost, Outdated, StateLost, StoreUnavailable
from engine.acd.store_redis import RedisStore
from engine.domain.acd import AgentState
from tests.contract.acd.conftest import ValkeyRig
from tests.contract.acd.people import LONG_MS, POOL, lease, member, offer, ready, reserve

LUNCH = Break("lunch")
KEPT = {"cw:acd:generation", "cw:acd:fence", "cw:acd:events"}


@pytest.fixture
def rig(valkey_rig: ValkeyRig) -> ValkeyRig:
    return valkey_rig


def kinds(rig: ValkeyRig) -> list[str]:
    """The kinds of keys that there are, of whichever generation."""
    names = [key.decode() for key in rig.admin.scan_iter("cw:acd:*")]
    return sorted(name.split(":", 3)[3] for name in names if name not in KEPT)


def test_scripts_that_were_forgotten_are_sent_again(rig: ValkeyRig) -> None:
    store = rig.store()

    def forgotten() -> RedisStore:
        rig.admin.script_flush()
        return store

    ready(forgotten(), "alice")
    ours = lease(forgotten())
    assert forgotten().renew(ours, LONG_MS)
    forgotten().join(POOL, member("m1"))
    known = forgotten().agent("alice")
    made = reserve(forgotten(), ours, "m1", "alice")
    assert forgotten().change("alice", NotAnswered(made.number)).agent.version == known.version + 2
    assert len(forgotten().load(POOL).members) == 1
    assert forgotten().counts("sales").waiting == 1
    forgotten().leave(POOL, "m1")
    assert not forgotten().attach()
    assert store.counts("sales").waiting == 0


def test_nothing_is_left_of_what_is_over(rig: ValkeyRig) -> None:
    store = rig.store()
    ready(store, "alice", "bob")
    ours = lease(store)
    store.join(POOL, member("m1"))
    made = reserve(store, ours, "m1", "alice", "bob")
    store.change("bob", NotAnswered(made.number))
    store.change("alice", Accepted(made.number))
    store.change("alice", ConversationBegan("m1", made.number))
    store.join(POOL, member("m2"))
    store.leave(POOL, "m2")
    streams = ["changes", "numbers", "pool:one"]
    assert kinds(rig) == sorted(["agents", "in:help", "in:sales", "lease:one", "stamps", *streams])


@pytest.mark.req("R124")
def test_a_server_that_fell_back_is_found_out(rig: ValkeyRig) -> None:
    """A replica that took over without the last writes, or a server that read an older copy of its data."""
    first, second = rig.store(), rig.store()
    ready(first, "alice")
    ours = lease(first)
    first.join(POOL, member("m1"))
    before = {key: rig.admin.dump(key) for key in rig.admin.scan_iter("cw:acd:*")}
    reserve(first, ours, "m1", "alice")
    rig.admin.flushall()
    for key, value in before.items():
        rig.admin.restore(key, 0, value)
    with pytest.raises(StateLost, match="attach, and put it in again"):
        first.renew(ours, LONG_MS)
    assert first.attach()
    assert kinds(rig) == [], "nothing of what is not true any more stays"
    with pytest.raises(StateLost):
        second.join(POOL, member("m2"))
    assert not second.attach()
    with pytest.raises(LeaseLost):
        first.renew(ours, LONG_MS)


@pytest.mark.req("R124")
@pytest.mark.parametrize("looks", ["load", "wait_news"])
def test_a_server_that_fell_back_is_found_out_by_who_holds_no_lease(rig: ValkeyRig, looks: str) -> None:
    """All leases were given up while it was away."""
    first, second = rig.store(), rig.store()
    ready(first, "alice")
    before = {key: rig.admin.dump(key) for key in rig.admin.scan_iter("cw:acd:*")}
    first.change("alice", TakeBreak(LUNCH))
    place = second.load(POOL).place
    rig.admin.flushall()
    for key, value in before.items():
        rig.admin.restore(key, 0, value)
    assert lease(rig.store()), "who knows nothing finds nothing"
    with pytest.raises(StateLost):
        second.load(POOL) if looks == "load" else second.wait_news(POOL, place, 0)
    assert second.attach()
    assert second.load(POOL).agents == ()


@pytest.mark.req("R50")
def test_changes_of_two_engines_at_once_are_both_done(rig: ValkeyRig, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = rig.store(), rig.store()
    ready(first, "alice")
    look = first._look

    def look_and_be_late(agent_id: str) -> tuple[Agent, int]:
        found = look(agent_id)
        second.change("alice", TakeBreak(LUNCH))
        return found

    monkeypatch.setattr(first, "_look", look_and_be_late)
    done = first.change("alice", PhoneGone())
    assert (done.agent.state, done.agent.on_break, done.agent.reachable) == (AgentState.BREAK, LUNCH, False)
    assert second.agent("alice") == done.agent
    assert [(each.version, each.what) for _, each in second.events()][1:] == [(2, "take_break"), (3, "phone_gone")]
    with pytest.raises(NotPossible, match="alice is break"):
        first.change("alice", Accepted("1-1"))


OWNERS, ROUNDS = 4, 40


@pytest.mark.req("R2", "R124")
def test_owners_race_for_one_agent_and_one_wins(rig: ValkeyRig) -> None:
    ready(rig.store(), "alice")
    together = threading.Barrier(OWNERS, timeout=LONG_MS / 1000)
    won: list[list[int]] = [[] for _ in range(OWNERS)]

    def own(owner: int, store: RedisStore) -> None:
        pool = f"p{owner}"
        ours = lease(store, pool, f"e{owner}")
        for n in range(ROUNDS):
            call = f"{pool}-{n}"
            store.join(pool, member(call))
            known = [store.agent("alice")]
            together.wait()
            try:
                number = store.reserve(ours, offer(store, call, ["alice"]), known).number
            except Outdated:
                number = ""
            together.wait()
            if number:
                won[owner].append(n)
                for each in (Accepted(number), ConversationBegan(call, number), ConversationEnded(call)):
                    store.change("alice", each)
            else:
                store.leave(pool, call)
            together.wait()

    with ThreadPoolExecutor(OWNERS) as threads:
        for each in [threads.submit(own, n, rig.store()) for n in range(OWNERS)]:
            each.result()
    assert sorted(n for each in won for n in each) == [*range(ROUNDS)], "each round has one winner"
    events = [event for _, event in rig.store().events(most=10 * ROUNDS)]
    assert [each.version for each in events] == [*range(1, 4 * ROUNDS + 2)]
    assert all(later.from_state is earlier.to_state for earlier, later in pairwise(events))


def test_a_server_without_room_refuses_wholly(rig: ValkeyRig) -> None:
    store = rig.store()
    ready(store, "alice")
    store.join(POOL, member("m1"))
    ours, before = lease(store), store.load(POOL)
    rig.admin.config_set("maxmemory", "1")
    try:
        with pytest.raises(StoreUnavailable, match=r"redis: .*maxmemory"):
            reserve(store, ours, "m1", "alice")
        assert store.load(POOL) == before
    finally:
        rig.admin.config_set("maxmemory", "0")
    reserve(store, ours, "m1", "alice")


@pytest.mark.req("R124")
def test_a_server_that_goes_away_and_comes_back_empty(tmp_path: Path) -> None:
    service = start(valkey, tmp_path, durable=False)
    client = redis.Redis.from_url(service.url, retry=Retry(NoBackoff(), 0))
    store = RedisStore(client)
    assert store.attach()
    ready(store, "alice")
    known, ours = store.agent("alice"), lease(store)
    service.stop()
    for ask in (
        lambda: store.renew(ours, LONG_MS),
        lambda: store.change("alice", PhoneGone()),
        lambda: store.load(POOL),
        store.now_ms,
        store.events,
        store.attach,
    ):
        with pytest.raises(StoreUnavailable, match="redis: "):
            ask()
    service = start(valkey, tmp_path, durable=False)
    try:
        with pytest.raises(StateLost):
            store.renew(ours, LONG_MS)
        assert store.attach()
        store.add_agent(known)
        assert store.agent("alice") == known
        assert lease(store).number > ours.number
    finally:
        service.stop()
        client.close()
