"""A circuit breaker: who fails again and again is left alone for a while, so that no caller waits for the dead."""

from __future__ import annotations

from collections.abc import Callable


class Breaker:
    """One for each service. Closed: asked. Open after `failures` in a row: not asked for `rest_s`; then one request
    tries it, and its outcome decides.
    """

    def __init__(self, clock: Callable[[], float], failures: int = 5, rest_s: float = 30.0) -> None:
        self._clock = clock
        self._most = failures
        self._rest_s = rest_s
        self._failed = 0
        self._closed_at = 0.0

    def lets_through(self) -> bool:
        """Whether to ask now. After the rest the first that asks is let through, and counts as the trial."""
        if self._failed < self._most:
            return True
        if self._clock() < self._closed_at:
            return False
        self._closed_at = self._clock() + self._rest_s
        return True

    def succeeded(self) -> None:
        self._failed = 0

    def failed(self) -> None:
        """One more failure in a row; the rest begins anew with each from the last one that is allowed."""
        self._failed += 1
        if self._failed >= self._most:
            self._closed_at = self._clock() + self._rest_s
