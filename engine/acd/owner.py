"""The engine's part as owner of a pool: the thin edge between what is shared (`AcdStore`) and what decides (`Pool`).

Each turn waits for news, decides, and does what was decided. Every time is the shared clock's. Any number of engines
run an owner for the same pool; who has the lease decides, the others ask for it again and again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from engine.acd.actions import Action, Dismiss, Release, Reserve, Tell
from engine.acd.agent import Withdrawn
from engine.acd.pool import IsOpen, Pool
from engine.acd.states import NotPossible
from engine.acd.store import (
    AcdStore,
    Lease,
    LeaseLost,
    MemberGone,
    OfferOver,
    Outdated,
    StateLost,
    StoreError,
    StoreUnavailable,
    UnknownAgent,
)
from engine.domain.routing import QueueEntry

log = logging.getLogger(__name__)

LEASE_MS = 3_000
"""So long nobody decides where an owner dies, and half a second until the next one asks."""
TELL_EVERY_MS = 1_000
"""Figures, positions, the lease and the queues' settings are renewed so often."""
ASK_EVERY_S = 0.5
"""How often an engine that has not the pool asks for it, or for a Redis that is away."""

Queues = Callable[[], Mapping[str, QueueEntry]]
"""The pool's queues as they are set up at this moment."""


class Owner:
    """One greenlet. `pause` waits for so many seconds (gevent.sleep)."""

    def __init__(
        self, pool: str, engine: str, store: AcdStore, queues: Queues, is_open: IsOpen, pause: Callable[[float], object]
    ) -> None:
        self._name, self._engine, self._store = pool, engine, store
        self._queues, self._is_open, self._pause = queues, is_open, pause
        self._lease: Lease | None = None
        self._pool: Pool | None = None
        self._now_ms = 0
        """The shared clock, as it was told last."""
        self._tell_at_ms = 0
        self._attached = False
        self._away = False

    @property
    def lease(self) -> Lease | None:
        """The lease by which this engine decides; None where another one does."""
        return self._lease

    def run(self) -> None:
        """Turns until the greenlet is killed; then the pool is given back."""
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
            # Members come back from their engines, agents from those who know them: an owner knows nothing of its own.
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
        """Give the pool back, so that the next owner need not wait."""
        if self._lease is None:
            return
        try:
            self._store.release(self._lease)
        except StoreError as error:
            log.info("queues: pool %s is free as soon as its lease is over: %s", self._name, error)
        self._give_up()

    def _give_up(self) -> None:
        self._lease = self._pool = None

    def _turn(self) -> None:
        if not self._attached:
            self._store.attach()
            self._attached = True
        if self._lease is None and not self._take():
            self._pause(ASK_EVERY_S)
            return
        pool = self._pool or self._load()
        news = self._store.wait_news(self._name, pool.place, self._wait_ms(pool))
        self._now_ms = news.at_ms
        pool.hear(news)
        if pool.lost:
            pool = self._load()
        second_is_over = self._now_ms >= self._tell_at_ms
        if second_is_over:
            pool.set_queues(self._queues(), self._now_ms)
        self._decide(pool)
        if second_is_over:
            self._tell(pool)
        if pool.lost:
            self._pool = None

    def _take(self) -> bool:
        self._lease = self._store.acquire(self._name, self._engine, LEASE_MS)
        self._away = False
        if self._lease is None:
            return False
        log.info("queues: engine %s decides for pool %s, lease %d", self._engine, self._name, self._lease.number)
        self._now_ms = self._lease.until_ms - LEASE_MS
        self._tell_at_ms = self._now_ms
        return True

    def _load(self) -> Pool:
        self._pool = Pool(self._queues(), self._is_open, self._store.load(self._name), self._now_ms)
        return self._pool

    def _wait_ms(self, pool: Pool) -> int:
        wake_ms = pool.next_wake_ms()
        due_ms = self._tell_at_ms if wake_ms is None else min(wake_ms, self._tell_at_ms)
        # What was loaded has not been decided on yet: a pool's first turn does not wait.
        return min(max(due_ms - self._now_ms, 0), TELL_EVERY_MS)

    def _decide(self, pool: Pool) -> None:
        # Each round knows more than the one before: who was not as believed is known since.
        while not pool.lost and (actions := pool.decide(self._now_ms)):
            for action in actions:
                self._do(pool, action)

    def _do(self, pool: Pool, action: Action) -> None:
        lease = self._held()
        match action:
            case Reserve():
                self._reserve(pool, lease, action)
            case Dismiss(member, reason, why):
                try:
                    self._store.dismiss(lease, member, reason, why)
                except MemberGone:
                    log.debug("queues: member %s left before he was told to (%s)", member, reason)
            case Tell(engine, told):
                self._store.tell(lease, [(engine, told)])
            case Release(agent, offer):
                try:
                    self._store.change(agent, Withdrawn(offer))
                    log.warning("queues: agent %s was held by offer %s, which nobody rings any more", agent, offer)
                except (NotPossible, UnknownAgent, OfferOver) as over:
                    log.debug("queues: offer %s is over for agent %s: %s", offer, agent, over)

    def _reserve(self, pool: Pool, lease: Lease, action: Reserve) -> None:
        try:
            made = self._store.reserve(lease, action.offer, action.agents, action.why)
        except MemberGone:
            pool.gone(action.offer)
        except Outdated as outdated:
            pool.outdated(action.offer, outdated.agents, self._now_ms)
        else:
            pool.reserved(made.number, action.offer, [each.agent for each in made.changes], self._now_ms)

    def _tell(self, pool: Pool) -> None:
        """What is due each second."""
        self._lease = self._store.renew(self._held(), LEASE_MS)
        self._store.tell(self._lease, pool.positions(), pool.figures(self._now_ms))
        self._tell_at_ms = self._now_ms + TELL_EVERY_MS

    def _held(self) -> Lease:
        if self._lease is None:
            raise LeaseLost(self._name, 0)
        return self._lease
