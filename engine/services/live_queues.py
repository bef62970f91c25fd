"""Queues as they are at this moment: their figures, who waits, why a call waits or went where it did (R4, R6, R30)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.acd import live
from engine.acd.live import LiveFigures, Waiting
from engine.acd.news import Explanation
from engine.acd.onlooker import Wait, look
from engine.acd.store import POOL, AcdStore
from engine.services.errors import CallNotExplained, QueueNotFound, QueueStatesAway
from engine.services.shared_state import SharedState
from engine.store.catalogue import QUEUES
from engine.store.database import Database


@dataclass(frozen=True, slots=True)
class CallWhy:
    """What was decided for a call in queues, the oldest first, and how it stands where it still waits."""

    call_id: str
    decisions: Sequence[Explanation]
    waits: Wait | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class Line:
    """Who waits in a queue, the first one first."""

    queue: str
    at_ms: int
    members: Sequence[Waiting]


class LiveQueues:
    """The use cases. `store` makes a store of the shared state when it is first needed."""

    def __init__(self, database: Database, store: Callable[[], AcdStore] | None) -> None:
        self._database = database
        self._shared = SharedState(store, QueueStatesAway)

    def figures(self) -> Sequence[LiveFigures]:
        """Of all queues. Raises QueueStatesAway."""
        with self._database.transaction() as session:
            queues = [queue.id for queue in QUEUES.list(session)]
        return self._shared.ask(lambda store: live.all_figures(store, queues))

    def figures_of(self, queue: str) -> LiveFigures:
        """Of one queue. Raises QueueNotFound, QueueStatesAway."""
        with self._database.transaction() as session:
            if QUEUES.get(session, queue) is None:
                raise QueueNotFound(queue)
        return self._shared.ask(lambda store: live.figures(store, queue))

    def members_of(self, queue: str) -> Line:
        """Who waits in a queue. Raises QueueNotFound, QueueStatesAway."""
        with self._database.transaction() as session:
            entry = QUEUES.get(session, queue)
        if entry is None:
            raise QueueNotFound(queue)

        def ask(store: AcdStore) -> Line:
            state, now_ms = store.load(POOL), store.now_ms()
            return Line(queue, now_ms, live.in_line(state, entry, now_ms))

        return self._shared.ask(ask)

    def why(self, call_id: str) -> CallWhy:
        """Why the call was offered to whom, or told to leave, and who is passed over for it now.

        Raises CallNotExplained where nothing is known of it, QueueStatesAway.
        """
        with self._database.transaction() as session:
            queues = {queue.id: queue for queue in QUEUES.list(session)}

        def ask(store: AcdStore) -> CallWhy:
            state, now_ms = store.load(POOL), store.now_ms()
            return CallWhy(call_id, store.why(call_id), look(state, queues, call_id, now_ms), now_ms)

        found = self._shared.ask(ask)
        if not found.decisions and found.waits is None:
            raise CallNotExplained(call_id)
        return found
