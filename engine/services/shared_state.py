"""The shared state of queues and agents as the API's use cases ask it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from engine.acd.attached import Attached
from engine.acd.store import AcdStore, StateLost, StoreUnavailable
from engine.services.errors import Unavailable

T = TypeVar("T")


class SharedState:
    """`make` makes a store when it is first needed, None where there is no Redis. `away` is what is raised where the
    state can't be asked."""

    def __init__(self, make: Callable[[], AcdStore] | None, away: type[Unavailable]) -> None:
        self._attached = None if make is None else Attached(make)
        self._away = away

    def ask(self, question: Callable[[AcdStore], T]) -> T:
        """The answer; the question may be put twice. Raises what the question raises, and `away`."""
        if self._attached is None:
            raise self._away("This API runs without Redis, where the state of queues and agents is.")
        try:
            return self._attached.ask(question)
        except (StoreUnavailable, StateLost) as error:
            raise self._away("Redis can't be asked; try again in a few seconds.") from error
