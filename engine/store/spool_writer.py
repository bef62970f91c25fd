"""Brings what the spool keeps to the store: in order, as long as it takes, each item until it is applied."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from engine.store.errors import BadData, StoreUnavailable
from engine.store.spool import Item, Spool, SpoolDamaged, WakeEvent

log = logging.getLogger(__name__)

T = TypeVar("T")

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

    `apply(kind, item_id, payload)` must be idempotent: an item is applied again when the process dies between applying
    and removing it. `StoreUnavailable` from it means to wait; `BadData` or ValueError (an unreadable payload) that this
    item can never be applied.
    """

    def __init__(
        self,
        spool: Spool,
        apply: Callable[[str, str, bytes], object],
        wake_event: WakeEvent,
        apply_together: Callable[[Sequence[tuple[str, str, bytes]]], object] | None = None,
    ) -> None:
        """`apply_together` does for several items what `apply` does for each. When it fails they are applied singly, so
        that one bad item is found and the others don't wait because of it.
        """
        self._spool = spool
        self._apply = apply
        self._apply_together = apply_together
        self._wake_event = wake_event
        self._stopping = threading.Event()
        self._failures: dict[str, int] = {}
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
        items = self._spool.pending()
        self._worked = bool(items)
        for first in range(0, len(items), TOGETHER):
            part = items[first : first + TOGETHER]
            if not self._stopping.is_set() and self._taken_together(part):
                self.pause_s = FIRST_PAUSE_S
                continue
            for item in part:
                if self._stopping.is_set() or not self._take(item):
                    return False
                self.pause_s = FIRST_PAUSE_S
        return True

    def _taken_together(self, items: Sequence[Item]) -> bool:
        """Applies all of them at once. False when that did not work, for whatever reason: each then shows its own."""
        if self._apply_together is None or len(items) < 2 or self._failures:
            return False
        try:
            self._apply_together([(item.kind, item.id, self._spool.read(item)) for item in items])
        except Exception as error:  # noqa: BLE001 - told again by the item whose fault it is
            log.info("spool: %d items not applied together (%s)", len(items), error)
            return False
        for item in items:
            self._spool.done(item)
        if not self.available:
            log.info("spool: the store is back")
        self.available = True
        return True

    def _take(self, item: Item) -> bool:
        """Applies one item or puts it aside. False when it has to be tried again later."""
        try:
            self._apply(item.kind, item.id, self._spool.read(item))
        except StoreUnavailable as error:
            if self.available:
                log.warning("spool: the store is away (%s), %s %s and what follows wait", error, item.kind, item.id)
            self.available = False
            return False
        except (BadData, SpoolDamaged, ValueError) as error:
            self._put_aside(item, str(error))
        except Exception as error:
            if self._failed(item) < TRIES:
                log.exception("spool: %s %s failed, it will be tried again", item.kind, item.id)
                return False
            self._put_aside(item, f"{type(error).__name__}: {error}")
        else:
            self._spool.done(item)
            if not self.available:
                log.info("spool: the store is back")
        self.available = True
        self._failures.pop(item.name, None)
        return True

    def _failed(self, item: Item) -> int:
        self._failures[item.name] = self._failures.get(item.name, 0) + 1
        return self._failures[item.name]

    def _put_aside(self, item: Item, reason: str) -> None:
        where = self._spool.reject(item, reason)
        log.error("spool: %s %s can't be applied and lies in %s now: %s", item.kind, item.id, where, reason)
