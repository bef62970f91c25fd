"""Looks for recordings in what a phone heard: whether an announcement was really played to the caller, and when."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from labswitch.phone_call import PhoneCall, PhoneTimeout
from labswitch.phone_media import RATE_HZ

ALIKE = 0.6
"""Correlation at which a recording counts as heard. Telephone audio reaches 0.9; other words stay below 0.5."""
LOOK_EVERY_S = 0.2
LONGEST_S = 1.0
"""So much of a recording is looked for: the beginning of music is enough."""
FAINT = 1e-3
"""Amplitude of full scale; what is below it is silence, which is like nothing."""

Samples = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sound:
    """What may be heard, and the recordings in which it is, one after the other."""

    name: str
    parts: tuple[Samples, ...]

    @classmethod
    def of(cls, name: str, files: Iterable[str]) -> Sound:
        """Raises soundfile.LibsndfileError where a file can't be read."""
        return cls(name, tuple(_beginning(Path(file)) for file in files))


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard, and when: seconds since the phone's media began."""

    name: str
    at_s: float


def wait_heard(call: PhoneCall, sound: Sound, since_s: float, timeout_s: float) -> Heard:
    """Until all of the sound's parts were heard in their order from `since_s` on.

    Raises PhoneTimeout, CallOver.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        began = [find(call, part, since_s) for part in sound.parts[:1]]
        for part in sound.parts[1:]:
            began.append(None if began[-1] is None else find(call, part, began[-1]))
        if began[0] is not None and began[-1] is not None:
            return Heard(sound.name, round(began[0], 2))
        if time.monotonic() > deadline:
            raise PhoneTimeout(f"{call.caller_number}: not heard within {timeout_s:g} s: {sound.name}")
        call.wait_heard_s(call.heard_s() + LOOK_EVERY_S, timeout_s)


def find(call: PhoneCall, part: Samples, since_s: float) -> float | None:
    """When this was heard best from `since_s` on, in seconds; None where nothing was like it."""
    begin = int(since_s * RATE_HZ)
    at, likeness = best_match(call.heard()[begin:].astype(np.float64) / 32768, part)
    return (begin + at) / RATE_HZ if likeness >= ALIKE else None


def best_match(heard: Samples, part: Samples) -> tuple[int, float]:
    """Where the samples are most like `part`, whatever the volume, and how much: from 0 to 1, the same."""
    length = len(part)
    if len(heard) < length:
        return 0, 0.0
    size = 1 << (len(heard) + length).bit_length()
    spectrum: Any = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(part, size))
    products = np.fft.irfft(spectrum, size)[: len(heard) - length + 1]
    energy = np.concatenate(([0.0], np.cumsum(heard**2)))
    least = FAINT * FAINT * length
    loudness = np.sqrt(np.maximum(energy[length:] - energy[:-length], least))
    likeness = products / (loudness * np.linalg.norm(part))
    at = int(np.argmax(likeness))
    return at, float(likeness[at])


def _beginning(file: Path) -> Samples:
    samples: Samples = soundfile.read(file, frames=int(LONGEST_S * RATE_HZ), dtype="float64")[0]
    return samples
