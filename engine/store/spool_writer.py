"""Brings what the spool keeps to the store: in order, as long as it takes, each item until it is applied."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from engine.store.errors import BadData, StoreUnavailable
from engine.store.spool import Item, Spool, SpoolDamaged, WakeEvent

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 5.0
IDLE_S = 5.0
"""How often to look without having been woken: for what another run of the process left behind."""
REST_S = 0.5
"""After items were applied, how long to let others gather: many in one transaction cost a fraction of one by one. What
comes after a quiet time is applied at once."""
TOGETHER = 100
"""How many items are applied together at most."""
TRIES = 3
"""How often an item is tried that fails in a way nobody thought of, before it is put aside."""


class SpoolWriter:
    """Applies the spool's items. `run` is the body of one greenlet or thread.

    `apply` gets what waits as (kind, id, payload), several at once. It must be idempotent: an item is applied again
    when the process dies between applying and removing it, and when another of those that came with it failed.
    `StoreUnavailable` from it means to wait. Anything else: they are applied one by one, so that the bad one is found
    and the others don't wait because of it; `BadData` or ValueError (an unreadable payload) then say that it can never
    be applied.
    """

    def __init__(
        self, spool: Spool, apply: Callable[[Sequence[tuple[str, str, bytes]]], object], wake_event: WakeEvent
    ) -> None:
        self._spool = spool
        self._apply = apply
        self._wake_event = wake_event
        self._stopping = threading.Event()
        self._failures: dict[tuple[int, str], int] = {}
        self._left: set[Item] = set()
        """What the present drain could neither apply nor put aside."""
        self._worked = False
        """The last drain found something."""
        self.pause_s = FIRST_PAUSE_S
        self.available = True
        """Whether the store took the last item that was tried."""

    def run(self) -> None:
        """Works until `stop`."""
        while not self._stopping.is_set():
            # Cleared before looking: what is put from here on wakes the wait below.
            self._wake_event.clear()
            try:
                finished = self.drain()
            except Exception:
                # The spool's own disk: nothing is lost by waiting, and this greenlet is the only one that drains.
                log.exception("spool: can't work on %s", self._spool.directory)
                finished = False
            if finished:
                if self._worked and self._stopping.wait(REST_S):
                    return
                self._wake_event.wait(IDLE_S)
            elif self._stopping.wait(self.pause_s):
                return
            else:
                self.pause_s = min(self.pause_s * 2, LONGEST_PAUSE_S)

    def stop(self) -> None:
        """Lets `run` return after the item that it is at. What waits stays on disk."""
        self._stopping.set()
        self._wake_event.set()

    def drain(self) -> bool:
        """Applies all that waits. False when it had to leave something for later."""
        self._left.clear()
        self._worked = False
        while items := self._spool.pending(TOGETHER, self._left):
            self._worked = True
            # one that failed already is not to hold up others once more
            for part in [[item] for item in items] if self._failures else [items]:
                if self._stopping.is_set() or not self._take(part):
                    return False
            self.pause_s = FIRST_PAUSE_S
        return not self._left

    def _take(self, items: Sequence[Item]) -> bool:
        """Applies the items, or puts aside what is bad of them. False when they have to be tried again later."""
        first = items[0]
        try:
            self._apply([(item.kind, item.id, self._spool.read(item)) for item in items])
        except StoreUnavailable as error:
            if self.available:
                log.warning("spool: the store is away (%s), %s %s and what follows wait", error, first.kind, first.id)
            self.available = False
            return False
        except Exception as error:  # noqa: BLE001 - `_hopeless` sorts out what it was
            if len(items) > 1:
                log.info("spool: %d items not applied together (%s)", len(items), error)
                return all(not self._stopping.is_set() and self._take([item]) for item in items)
            if not self._hopeless(first, error):
                return False
        else:
            self._spool.done(items)
            if not self.available:
                log.info("spool: the store is back")
        self.available = True
        if self._failures:
            self._failures.pop((first.number, first.id), None)
        return True

    def _hopeless(self, item: Item, error: Exception) -> bool:
        """Puts the item aside. False when it is to be tried again: nobody thought of such a failure."""
        reason = str(error)
        if not isinstance(error, BadData | SpoolDamaged | ValueError):
            failed = (item.number, item.id)
            self._failures[failed] = self._failures.get(failed, 0) + 1
            if self._failures[failed] < TRIES:
                log.error("spool: %s %s failed, it will be tried again", item.kind, item.id, exc_info=error)
                return False
            reason = f"{type(error).__name__}: {error}"
        try:
            where = self._spool.reject(item, reason)
        except OSError as full:
            # a full disk, say; what follows may well be applied, and makes room
            log.error("spool: %s %s can't be applied (%s), nor be put aside: %s", item.kind, item.id, reason, full)
            self._left.add(item)
        else:
            log.error("spool: %s %s can't be applied and lies in %s now: %s", item.kind, item.id, where, reason)
        return True
