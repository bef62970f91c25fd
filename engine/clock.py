"""The engine's real clock and identities, behind the ports of `engine.domain.ports`."""

from __future__ import annotations

import time
import uuid


class SystemClock:
    """UTC time of this machine."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class RandomIds:
    """Random UUIDs (version 4)."""

    def new(self) -> str:
        return str(uuid.uuid4())
