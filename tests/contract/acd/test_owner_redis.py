"""An owner on a real Valkey: waking up, news that were trimmed, a server that is away, forgets, or comes back empty."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from callwright.local import start, valkey
from engine.acd import leader
from engine.acd.agent import Break, Ready, TakeBreak
from engine.acd.leader import ASK_EVERY_S
from engine.acd.news import KEEP_TOLD_MS, KEEP_WHY_MS, Offered, Place
from engine.acd.store_redis import RedisStore
from engine.domain.acd import AgentState
from tests.contract.acd.conftest import ValkeyRig
from tests.contract.acd.owners import owner, told
from tests.contract.acd.people import LONG_MS, POOL, WITHIN_S, lease, member, offer, ready

WAIT_MS = 4_000
"""Shorter than the clients' socket_timeout, and longer than anything here may take."""


@pytest.fixture
def rig(valkey_rig: ValkeyRig) -> ValkeyRig:
    return valkey_rig


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def blocked(rig: ValkeyRig) -> None:
    """Returns as soon as a client waits for news."""
    deadline = time.monotonic() + WITHIN_S
    while not rig.admin.info("clients")["blocked_clients"]:
        assert time.monotonic() < deadline, "nobody waits"


@pytest.mark.req("R5")
def test_who_waits_for_news_is_woken(rig: ValkeyRig, beside: ThreadPoolExecutor) -> None:
    store, other = rig.store(), rig.store()
    for happen, kind in (
        (lambda: other.join(POOL, member("m1", engine="e1")), "members"),
        (lambda: ready(other, "alice"), "agents"),
    ):
        heard = beside.submit(store.wait_news, POOL, store.load(POOL).place, WAIT_MS)
        blocked(rig)
        happen()
        news = heard.result(WITHIN_S)
        assert len(getattr(news, kind)) == 1, "what it was woken by, and not the end of the time"
    ours = lease(other)
    woken = beside.submit(store.inbox, "e1", "0", WAIT_MS)
    blocked(rig)
    other.reserve(ours, offer(other, "m1", ["alice"]), [other.agent("alice")])
    assert [type(each) for _, each in woken.result(WITHIN_S)] == [Offered]


def test_what_nobody_reads_is_gone_one_day(rig: ValkeyRig) -> None:
    store = rig.store()
    ready(store, "alice")
    store.join(POOL, member("m1", engine="e1"))
    owner(store).turn()
    left = {key.decode(): rig.admin.pttl(key) for key in rig.admin.scan_iter("cw:acd:*")}
    expiring = {key: ms for key, ms in left.items() if ms > 0}
    assert sorted(key.split(":")[-2] for key in expiring) == ["inbox", "why"]
    assert max(expiring.values()) <= KEEP_WHY_MS
    assert min(expiring.values()) <= KEEP_TOLD_MS


@pytest.mark.req("R124")
def test_news_that_were_trimmed_are_made_up_for(rig: ValkeyRig) -> None:
    store = rig.store()
    ready(store, "alice", "bob")
    for each in ("alice", "bob"):
        store.change(each, TakeBreak(Break("lunch")))
    decides = owner(store)
    decides.turn()
    store.join(POOL, member("m1", engine="e1"))
    store.change("alice", Ready())
    (stream,) = rig.admin.keys("cw:acd:*:changes")
    rig.admin.xtrim(stream, maxlen=0, approximate=False)
    decides.turn()
    assert [each.offer.agents for each in told(store, "e1", Offered) if isinstance(each, Offered)] == [("alice",)]
    assert [number for number, _ in store.wait_news(POOL, Place(), 0).agents] == [8], "the offer's own; 7 was missed"


@pytest.mark.req("R124")
def test_a_server_that_is_away_and_comes_back_empty(tmp_path: Path) -> None:
    service = start(valkey, tmp_path, durable=False)
    clients = [redis.Redis.from_url(service.url, socket_timeout=5, retry=Retry(NoBackoff(), 0)) for _ in range(2)]
    engine, store = (RedisStore(client) for client in clients)
    pauses: list[float] = []
    decides = owner(store, pause=pauses.append)
    decides.turn()
    engine.attach()
    ready(engine, "alice")
    known = engine.agent("alice")
    service.stop()
    for _ in range(3):
        decides.turn()
    assert (pauses, decides.lease) == ([ASK_EVERY_S] * 3, None), "it waits between two tries"
    service = start(valkey, tmp_path, durable=False)
    try:
        while decides.lease is None:
            decides.turn()
        engine.attach()
        engine.join(POOL, member("m1", engine="e1"))
        engine.add_agent(known)
        decides.turn()
        assert engine.agent("alice").state is AgentState.RINGING
        assert len(told(engine, "e1", Offered)) == 1
        assert len(pauses) == 3
    finally:
        service.stop()
        for client in clients:
            client.close()


def test_an_owner_who_is_stopped_gives_the_pool_back(rig: ValkeyRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader, "LEASE_MS", LONG_MS)
    store = rig.store()
    decides = owner(store)
    wait = store.wait_news

    def killed(pool: str, after: Place, timeout_ms: int) -> object:
        if not decides.lease:
            raise AssertionError("it waits without the pool")
        if store.figures("sales"):
            raise KeyboardInterrupt
        return wait(pool, after, timeout_ms)

    monkeypatch.setattr(store, "wait_news", killed)
    with pytest.raises(KeyboardInterrupt):
        decides.run()
    assert rig.store().acquire(POOL, "e2", LONG_MS), "at once, not when the lease is over"
