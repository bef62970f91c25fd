"""A store for whoever asks now and then and keeps nothing of its own in the shared state."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from engine.acd.store import AcdStore, StateLost

T = TypeVar("T")


class Attached:
    """Joins the shared state when it is asked the first time, and again where it was lost.

    `make` makes the store then: each process has to have one of its own, and other users of it would not hear of a
    loss.
    """

    def __init__(self, make: Callable[[], AcdStore]) -> None:
        self._make = make
        self._made: AcdStore | None = None

    def ask(self, question: Callable[[AcdStore], T]) -> T:
        """The answer; the question may be put twice. Raises what the question raises, StoreUnavailable, StateLost."""
        store = self._made
        if store is None:
            store = self._make()
            store.attach()
            self._made = store
        try:
            return question(store)
        except StateLost:
            store.attach()
            return question(store)
