"""Owners of the pool for the contract's tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from engine.acd.news import Told
from engine.acd.owner import Owner
from engine.acd.store import AcdStore
from engine.domain.routing import QueueEntry
from tests.contract.acd.people import POOL

QUEUES = {each: QueueEntry(id=each, name=each) for each in ("sales", "help")}


def not_expected(seconds: float) -> None:
    pytest.fail(f"the owner paused for {seconds} s")


def owner(
    store: AcdStore,
    engine: str = "e1",
    queues: Mapping[str, QueueEntry] = QUEUES,
    pause: Callable[[float], object] = not_expected,
) -> Owner:
    return Owner(POOL, engine, store, lambda: queues, lambda _queue, _at_ms: True, pause)


def told(store: AcdStore, engine: str, kind: type[Told]) -> list[Told]:
    """What of this kind the engine was told."""
    return [each for _, each in store.inbox(engine) if isinstance(each, kind)]
