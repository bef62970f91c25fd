"""The shared state of queues, in memory and on a real Valkey, behind one face."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from callwright.local import start, valkey
from engine.acd.store import AcdStore
from engine.acd.store_memory import MemoryStore, SharedMemory
from engine.acd.store_redis import RedisStore
from engine.clock import SystemClock


class Rig(Protocol):
    """What the tests do to the place where the state is."""

    def store(self) -> AcdStore:
        """Another engine's store, attached."""

    def lose(self) -> None:
        """Everything is gone."""


class MemoryRig:
    def __init__(self) -> None:
        self._shared = SharedMemory(SystemClock())

    def store(self) -> AcdStore:
        store = MemoryStore(self._shared)
        store.attach()
        return store

    def lose(self) -> None:
        self._shared.lose()


class ValkeyRig:
    def __init__(self, url: str) -> None:
        self._url = url
        self.admin = redis.Redis.from_url(url)
        self.admin.flushall()
        self.clients: list[redis.Redis] = [self.admin]

    def client(self) -> redis.Redis:
        self.clients.append(redis.Redis.from_url(self._url, socket_timeout=5, retry=Retry(NoBackoff(), 0)))
        return self.clients[-1]

    def store(self) -> RedisStore:
        store = RedisStore(self.client())
        store.attach()
        return store

    def lose(self) -> None:
        self.admin.flushall()


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of our own: these tests empty it."""
    service = start(valkey, tmp_path_factory.mktemp("acd"), durable=False)
    yield service.url
    service.stop()


@pytest.fixture
def valkey_rig(valkey_url: str) -> Iterator[ValkeyRig]:
    rig = ValkeyRig(valkey_url)
    yield rig
    for each in rig.clients:
        each.close()


@pytest.fixture(params=["memory", "valkey"])
def rig(request: pytest.FixtureRequest) -> Rig:
    built: Callable[[], Rig] = MemoryRig if request.param == "memory" else lambda: request.getfixturevalue("valkey_rig")
    return built()
