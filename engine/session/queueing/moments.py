"""The shared clock between two questions: as it was told last, carried on by this machine's count of time.

A machine's own clock may be wrong, and may jump; nothing that a caller's waiting depends on is measured by it.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Moments:
    """One visit's. Until the shared clock has been asked, `guess_ms` (UTC epoch ms) stands for it."""

    def __init__(self, guess_ms: int, count_s: Callable[[], float] = time.monotonic) -> None:
        self._count_s = count_s
        self.told(guess_ms)

    def told(self, now_ms: int) -> None:
        """It is this moment now."""
        self._now_ms, self._at_s = now_ms, self._count_s()

    def now_ms(self) -> int:
        """The moment (UTC epoch ms)."""
        return self._now_ms + round((self._count_s() - self._at_s) * 1000)
