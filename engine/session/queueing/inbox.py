"""What the owner of the queues tells this engine's members, and whether anybody looks after their queues at all."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from engine.acd.news import Leave, Offered, Positions, Stop, Told
from engine.acd.store import AcdStore, StateLost, StoreUnavailable
from engine.domain.acd import Standing

log = logging.getLogger(__name__)

WAIT_MS = 1_000
"""So long a turn waits for messages; then it looks whether the queues have an owner."""
STALE_MS = 3_000
"""Figures older than this mean that nobody decides at this moment: an owner renews them each second."""
ALONE_S = 5.0
"""So long nobody may decide for a queue before its members are sent on."""
RETRY_S = 0.5
KEPT_LEFT = 10_000
"""So many members are remembered who have left; an offer that crossed with that comes within a second."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The shared state was lost: whoever waits joins anew."""


@dataclass(frozen=True, slots=True)
class Alone:
    """Nobody has decided for the queue for `ALONE_S`. Told each second while it is so."""


Mail = Offered | Stop | Leave | Standing | Lost | Alone
Put = Callable[[Mail], object]


class Inbox:
    """One greenlet an engine. It alone attaches `store`, which the engine's members and reports use too."""

    def __init__(self, store: AcdStore, engine: str, pause: Callable[[float], object]) -> None:
        self._store, self._engine, self._pause = store, engine, pause
        self._members: dict[str, tuple[str, Put]] = {}
        """Queue and mailbox by member."""
        self._after = "0"
        self._attached = self._away = False
        self._alone_since: dict[str, float] = {}
        """Since when nobody decides for a queue (monotonic, s)."""
        self._watched_s = 0.0
        self.on_lost: Callable[[], object] = lambda: None
        """Called when the shared state is joined: at the start, and after it was lost, whoever began it anew."""
        self.on_stray: Callable[[Offered], object] = lambda offered: None
        """Called with offers for members who have left this engine's queues."""
        self._left: OrderedDict[str, None] = OrderedDict()

    @contextmanager
    def of(self, member: str, queue: str, put: Put) -> Iterator[None]:
        """The member's messages go to `put` from now on."""
        mine = (queue, put)
        self._members[member] = mine
        self._left.pop(member, None)
        try:
            yield
        finally:
            if self._members.get(member) is mine:
                del self._members[member]

    def left(self, member: str) -> None:
        """He waits no more. Of others whom nobody asks for here, another engine has the call, and rings."""
        self._left[member] = None
        if len(self._left) > KEPT_LEFT:
            self._left.popitem(last=False)

    def run(self) -> None:
        """Turns until the greenlet is killed."""
        while True:
            self.turn()

    def turn(self) -> None:
        """Wait for messages, a second at most, and hand them out. Raises nothing of the shared state."""
        try:
            self._attach()
            for place, told in self._store.inbox(self._engine, self._after, WAIT_MS):
                self._after = place
                self._deliver(told)
            self._away = False
            self._watch(self._unattended)
        except StateLost as lost:
            log.warning("queues: the shared state was lost: %s", lost)
            self._attached = False
            self._after = "0"
        except StoreUnavailable as away:
            if not self._away:
                log.warning("queues: no messages for this engine's members until redis is back: %s", away)
            self._away = True
            self._watch(lambda queues: queues)
            self._pause(RETRY_S)

    def _attach(self) -> None:
        if self._attached:
            return
        self._store.attach()
        self._attached = True
        for _, put in list(self._members.values()):
            put(Lost())
        self.on_lost()

    def _deliver(self, told: Told) -> None:
        match told:
            case Offered(_, offer):
                self._put(offer.member, told)
            case Stop(_, member) | Leave(member, _, _):
                self._put(member, told)
            case Positions(of):
                for member, standing in of.items():
                    self._put(member, standing)

    def _put(self, member: str, mail: Mail) -> None:
        if member in self._members:
            self._members[member][1](mail)
        elif isinstance(mail, Offered) and member in self._left:
            self.on_stray(mail)

    def _watch(self, unattended: Callable[[set[str]], set[str]]) -> None:
        now_s = time.monotonic()
        if now_s - self._watched_s < WAIT_MS / 1000:
            return
        self._watched_s = now_s
        waiting: defaultdict[str, list[Put]] = defaultdict(list)
        for queue, put in self._members.values():
            waiting[queue].append(put)
        alone = unattended(set(waiting))
        self._alone_since = {queue: self._alone_since.get(queue, now_s) for queue in alone}
        for queue, since_s in self._alone_since.items():
            if now_s - since_s >= ALONE_S:
                for put in waiting[queue]:
                    put(Alone())

    def _unattended(self, queues: set[str]) -> set[str]:
        if not queues:
            return set()
        now_ms = self._store.now_ms()
        figures = {queue: self._store.figures(queue) for queue in queues}
        return {queue for queue, known in figures.items() if known is None or now_ms - known.at_ms > STALE_MS}
