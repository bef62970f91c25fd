"""A roster on a real Valkey that is away and comes back empty, and with as many agents as there may be."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from callwright.local import start, valkey
from engine.acd import roster as roster_module
from engine.acd.agent import LogIn
from engine.acd.leader import ASK_EVERY_S
from engine.acd.store_redis import RedisStore
from engine.domain.acd import AgentState
from tests.contract.acd.conftest import ValkeyRig
from tests.contract.acd.rosters import Engine, entry


@pytest.mark.req("R124")
def test_a_server_that_is_away_and_comes_back_empty(tmp_path: Path) -> None:
    service = start(valkey, tmp_path, durable=False)
    client = redis.Redis.from_url(service.url, socket_timeout=5, retry=Retry(NoBackoff(), 0))
    engine = Engine(RedisStore(client))
    engine.lead()
    engine.store.change("alice", LogIn())
    engine.work()
    service.stop()
    engine.work(3)
    assert (engine.roster.lease, engine.pauses[-3:]) == (None, [ASK_EVERY_S] * 3)
    engine.archive.away = True
    service = start(valkey, tmp_path, durable=False)
    try:
        engine.lead()
        assert engine.store.agent("alice").state is AgentState.READY, "this engine remembers"
    finally:
        service.stop()
        client.close()


def test_a_turn_with_many_agents_does_not_outlast_the_lease(valkey_rig: ValkeyRig) -> None:
    many = 3 * roster_module.MOST_STEPS
    engine = Engine(valkey_rig.store())
    engine.agents(*(entry(f"a{n}") for n in range(many)))
    there = [0]
    while there[-1] < many:
        engine.work(1)
        there.append(len(engine.store.load("agents").agents))
    assert max(later - earlier for earlier, later in pairwise(there)) <= roster_module.MOST_STEPS
    assert len(there) <= 10, "and each turn does much"
