"""Sums on frames of 16-bit linear audio."""

from __future__ import annotations

import numpy as np

_LOW, _HIGH = -32768, 32767


def mix(first: bytes, second: bytes) -> bytes:
    """Both at once, clipped. Frames of equal length."""
    total = np.frombuffer(first, np.int16).astype(np.int32) + np.frombuffer(second, np.int16)
    return np.clip(total, _LOW, _HIGH).astype(np.int16).tobytes()


def level(frame: bytes) -> int:
    """Mean of the absolute samples, 0 to 32768."""
    return int(np.abs(np.frombuffer(frame, np.int16).astype(np.int32)).mean())
