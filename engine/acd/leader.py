"""What engines take turns at: one of them at a time does it, whoever holds the lease; the others ask for it again.

Every time is the shared clock's.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection

from engine.acd.store import AcdStore, Lease, LeaseLost, StateLost, StoreError, StoreUnavailable

log = logging.getLogger(__name__)

LEASE_MS = 3_000
"""So long nobody leads where the leader dies, and half a second until the next one asks."""
ASK_EVERY_S = 0.5
"""How often an engine that has not the lease asks for it, or for a Redis that is away."""
STUCK_MS = 15_000
"""How long a call must have been known to be over before nobody is held for it: its engine usually says so itself."""


class Leader(ABC):
    """One greenlet. `pause` waits for so many seconds (gevent.sleep)."""

    def __init__(self, pool: str, engine: str, store: AcdStore, pause: Callable[[float], object]) -> None:
        self._name, self._engine, self._store, self._pause = pool, engine, store, pause
        self._lease: Lease | None = None
        self._now_ms = 0
        """The shared clock, as it was told last."""
        self._attached = False
        self._away = False
        self._over_since: dict[str, int] = {}

    @property
    def lease(self) -> Lease | None:
        """The lease by which this engine decides; None where another one does."""
        return self._lease

    def run(self) -> None:
        """Turns until the greenlet is killed; then the lease is given back."""
        try:
            while True:
                self.turn()
        finally:
            self.release()

    def turn(self) -> None:
        """Wait for what happens, a second at the most, and do what follows. Raises nothing of the shared state."""
        try:
            self._turn()
        except LeaseLost as lost:
            log.warning("queues: %s", lost)
            self._give_up()
        except StateLost as lost:
            log.warning("queues, pool %s: %s", self._name, lost)
            self._give_up()
            self._attached = False
        except StoreUnavailable as away:
            if not self._away:
                log.warning("queues: nobody decides for pool %s until redis is back: %s", self._name, away)
            self._away = True
            self._give_up()
            self._pause(ASK_EVERY_S)

    def release(self) -> None:
        """Give the lease back, so that the next leader need not wait."""
        if self._lease is None:
            return
        try:
            self._store.release(self._lease)
        except StoreError as error:
            log.info("queues: pool %s is free as soon as its lease is over: %s", self._name, error)
        self._give_up()

    @property
    @abstractmethod
    def calls(self) -> frozenset[str]:
        """The calls that are looked after."""

    def over(self, calls: Collection[str]) -> None:
        """Of `calls`, as they were asked for last, these are over; the others live, or nobody knows."""
        self._over_since = {call: self._over_since.get(call, self._now_ms) for call in calls}

    def _stuck(self) -> set[str]:
        """Calls that have been over for so long that nobody will say so any more."""
        return {call for call, since_ms in self._over_since.items() if self._now_ms - since_ms > STUCK_MS}

    @abstractmethod
    def _lead(self) -> None:
        """A turn of the one who leads."""

    def _stand_by(self) -> None:
        """A turn of the others."""
        self._pause(ASK_EVERY_S)

    def _give_up(self) -> None:
        """What was known under the lease may not be so any more."""
        self._lease = None

    def _turn(self) -> None:
        if not self._attached:
            self._store.attach()
            self._attached = True
        if self._lease is None and not self._take():
            self._stand_by()
            return
        self._lead()

    def _take(self) -> bool:
        self._lease = self._store.acquire(self._name, self._engine, LEASE_MS)
        self._away = False
        if self._lease is None:
            return False
        log.info("queues: engine %s decides for pool %s, lease %d", self._engine, self._name, self._lease.number)
        self._now_ms = self._lease.until_ms - LEASE_MS
        return True

    def _renew(self) -> Lease:
        self._lease = self._store.renew(self._held(), LEASE_MS)
        return self._lease

    def _held(self) -> Lease:
        if self._lease is None:
            raise LeaseLost(self._name, 0)
        return self._lease
