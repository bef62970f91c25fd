"""The engine's part as owner of a pool: the thin edge between what is shared (`AcdStore`) and what decides (`Pool`).

Each turn waits for news, decides, and does what was decided. Every time is the shared clock's. Any number of engines
run an owner for the same pool; who has the lease decides, the others ask for it again and again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from engine.acd.actions import Action, Dismiss, Release, Reserve, Tell
from engine.acd.agent import Withdrawn
from engine.acd.leader import Leader
from engine.acd.pool import IsOpen, Pool
from engine.acd.states import NotPossible
from engine.acd.store import (
    AcdStore,
    Lease,
    MemberGone,
    OfferOver,
    Outdated,
    UnknownAgent,
)
from engine.domain.routing import QueueEntry

log = logging.getLogger(__name__)

TELL_EVERY_MS = 1_000
"""Figures, positions, the lease and the queues' settings are renewed so often."""
HAND_ON_EVERY_MS = 10_000
"""How often it is written down what the next owner is to know of the lines."""

Queues = Callable[[], Mapping[str, QueueEntry]]
"""The pool's queues as they are set up at this moment."""


class Owner(Leader):
    """One greenlet. `pause` waits for so many seconds (gevent.sleep)."""

    def __init__(
        self, pool: str, engine: str, store: AcdStore, queues: Queues, is_open: IsOpen, pause: Callable[[float], object]
    ) -> None:
        super().__init__(pool, engine, store, pause)
        self._queues, self._is_open = queues, is_open
        self._pool: Pool | None = None
        self._tell_at_ms = 0
        self._hand_on_at_ms = 0

    @property
    def calls(self) -> frozenset[str]:
        """The calls that wait."""
        return frozenset(self._pool.members if self._pool else ())

    def _give_up(self) -> None:
        # Members come back from their engines, agents from those who know them: an owner knows nothing of its own.
        super()._give_up()
        self._pool = None
        self._tell_at_ms = 0

    def _lead(self) -> None:
        pool = self._pool or self._load()
        news = self._store.wait_news(self._name, pool.place, self._wait_ms(pool))
        went_back = news.at_ms < self._now_ms
        self._now_ms = news.at_ms
        pool.hear(news)
        if pool.lost or went_back:
            # By another clock all that is to come has other moments.
            pool = self._load()
        if went_back:
            log.warning("queues: the shared clock went back; pool %s is looked at anew", self._name)
            self._tell_at_ms = self._hand_on_at_ms = 0
        second_is_over = self._now_ms >= self._tell_at_ms
        if second_is_over:
            pool.set_queues(self._queues(), self._now_ms)
            self._let_go(pool)
        self._decide(pool)
        if second_is_over:
            self._tell(pool)
        if pool.lost:
            self._pool = None

    def _load(self) -> Pool:
        self._pool = Pool(self._queues(), self._is_open, self._store.load(self._name), self._now_ms)
        return self._pool

    def _let_go(self, pool: Pool) -> None:
        """Members whose engine died before it could say that they left."""
        for member in self._stuck().intersection(pool.members):
            log.warning("queues: member %s was still there, and his call is over", member)
            self._store.leave(self._name, member)

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
            pool.gone(action.offer, self._now_ms)
        except Outdated as outdated:
            pool.outdated(action.offer, outdated.agents, self._now_ms)
        else:
            pool.reserved(made.number, action.offer, [each.agent for each in made.changes], self._now_ms)

    def _tell(self, pool: Pool) -> None:
        """What is due each second."""
        board, known = pool.board, None
        if self._now_ms >= self._hand_on_at_ms:
            known = board.known_lines(self._now_ms)
            self._hand_on_at_ms = self._now_ms + HAND_ON_EVERY_MS
        self._store.tell(self._renew(), board.positions(self._now_ms), board.figures(self._now_ms), known)
        self._tell_at_ms = self._now_ms + TELL_EVERY_MS
