"""Keys that a caller presses: kept until somebody gathers them, and told to whoever listens."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable

from engine.switch.waiting import Once

log = logging.getLogger(__name__)

ALL_KEYS = "0123456789*#"
MAX_KEYS_AHEAD = 64
"""Keys that are kept for the next collection; what a caller presses beyond is told, but not kept."""
_SENDABLE = frozenset(ALL_KEYS + "ABCD")


class Keys:
    """The keys of one channel."""

    def __init__(self) -> None:
        self.last_at = 0.0
        """When the last key came, on `time.monotonic`."""
        self._ahead = ""
        self._news: Once[None] = Once()
        self._callbacks: list[Callable[[str], None]] = []

    def __bool__(self) -> bool:
        """Whether keys are kept that nobody has taken."""
        return bool(self._ahead)

    def press(self, key: str) -> None:
        """The switch reported a key."""
        if key not in _SENDABLE:
            return
        if len(self._ahead) < MAX_KEYS_AHEAD:
            self._ahead += key
            self.last_at = time.monotonic()
            self.wake()
        for callback in tuple(self._callbacks):
            try:
                callback(key)
            except Exception:
                log.exception("a callback for the key %s failed", key)

    def forget(self) -> None:
        """Nobody takes the keys that are kept any more."""
        self._ahead = ""

    def listen(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Tell every key from now on, in the event loop. Returns a function that takes the callback back."""
        self._callbacks.append(callback)

        def take_back() -> None:
            with contextlib.suppress(ValueError):
                self._callbacks.remove(callback)

        return take_back

    def among(self, wanted: str) -> str:
        """The first key that is kept and one of `wanted`; it stays."""
        return next((key for key in self._ahead if key in wanted), "")

    def take(self, key: str = "") -> str:
        """Take the first of those that are kept, or the first `key` among them."""
        taken = key or self._ahead[:1]
        self._ahead = self._ahead.replace(taken, "", 1)
        return taken

    def wait(self, timeout_s: float) -> None:
        """Wait for the next key, or `wake`."""
        self._news = Once()
        self._news.wait(timeout_s)

    def wake(self) -> None:
        """Release who waits."""
        self._news.set()
