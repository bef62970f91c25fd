"""Recordings to test with: what a switch writes, and what is left of it after an accident."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

DATA = Path(__file__).parent / "data"
KILLED = DATA / "freeswitch-killed.flac"
"""Written by a real FreeSWITCH that got SIGKILL after six seconds of a 440 and an 880 Hz tone."""
COMPLETE = DATA / "freeswitch-complete.flac"
"""Written by a real FreeSWITCH: 1.02 s, the caller silent."""

Samples = npt.NDArray[np.int16]


def conversation(seconds: float = 4.0, *, rate: int = 8000, channels: int = 2) -> Samples:
    """A caller at 440 Hz, an agent at 880 Hz, both with some noise, so that no two frames are alike."""
    count = int(seconds * rate)
    noise = np.random.default_rng(7).standard_normal((count, channels)) * 300
    times = np.arange(count)[:, None] / rate
    tones = 8000 * np.sin(2 * np.pi * 440 * (1 + np.arange(channels)) * times)
    return np.round(tones + noise).astype(np.int16)


def flac(samples: Samples, rate: int = 8000) -> bytes:
    """The samples as a FLAC file."""
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format="FLAC", subtype="PCM_16")
    return out.getvalue()


def unfinished(whole: bytes, keep: float = 1.0) -> bytes:
    """What a recorder leaves that is killed: no length, no MD5, the rest cut off."""
    raw = bytearray(whole[: int(len(whole) * keep)])
    raw[21] &= 0xF0
    raw[22:42] = bytes(20)
    return bytes(raw)


def samples_of(path: Path) -> Samples:
    """All samples of a file."""
    found: Samples = soundfile.read(path, dtype="int16", always_2d=True)[0]
    return found


def tone(rate: int, *tones: int, seconds: float = 1.0, loudness: float = 0.4) -> np.ndarray:
    """Sines of these frequencies in Hz, each as loud as given against full scale."""
    times = np.arange(int(rate * seconds)) / rate
    return np.asarray(sum(loudness * np.sin(2 * np.pi * each * times) for each in tones))


def speech(seed: int, seconds: float = 3.0, loudness: float = 0.1) -> np.ndarray:
    """Noise that comes and goes like syllables, with peaks as high above its level as those of speech."""
    noise = np.random.default_rng(seed).laplace(size=int(8000 * seconds))
    return np.asarray(loudness * noise * np.abs(np.sin(np.arange(len(noise)) / 900)) ** 2)


def file(samples: np.ndarray, rate: int, kind: str = "WAV") -> bytes:
    """The sound as a file of that kind."""
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format=kind)
    return out.getvalue()
