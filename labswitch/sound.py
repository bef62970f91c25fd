"""Sound to play: WAV and FLAC files, tones, silence, and lists of them, as frames of 20 ms at 8 kHz."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from labswitch.leg import FRAME_SAMPLES, SILENCE

RATE_HZ = 8000
_TONE_LEVEL = 6000

_TONE = re.compile(r"%\(([^)]*)\)")
_LOOPS = re.compile(r"loops=(-?\d+)")
_BRACES = re.compile(r"\A\{[^}]*\}")


class Sound:
    """Something to play, once. `samples` is the position at 8 kHz."""

    def __init__(self, frames: Iterator[bytes], start: int = 0) -> None:
        self._frames = frames
        self.samples = start

    def read(self) -> bytes | None:
        """The next frame, None at the end."""
        frame = next(self._frames, None)
        if frame is not None:
            self.samples += FRAME_SAMPLES
        return frame


def open_sound(name: str, base: Path, skip_samples: int = 0) -> Sound:
    """Open what `playback` takes. Raises FileNotFoundError when there is no such thing."""
    name = _BRACES.sub("", name)
    if name.startswith("silence_stream://"):
        return Sound(_silence(name.removeprefix("silence_stream://")))
    if name.startswith("tone_stream://"):
        return Sound(_tones(name.removeprefix("tone_stream://")))
    if name.startswith("file_string://"):
        return Sound(_list(name.removeprefix("file_string://").split("!"), base))
    return Sound(_file(name, base, skip_samples), skip_samples)


def _file(name: str, base: Path, skip_samples: int) -> Iterator[bytes]:
    path = Path(name) if Path(name).is_absolute() else base / name
    if "://" in name or not path.is_file():
        raise FileNotFoundError(name)
    try:
        samples, rate_hz = soundfile.read(path, dtype="int16", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise FileNotFoundError(f"{name}: {error}") from error
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    return _cut(_resample(mono, rate_hz)[skip_samples:])


Samples = npt.NDArray[np.int16]


def _resample(samples: np.ndarray, rate_hz: int) -> Samples:
    """To 8 kHz by linear interpolation: good enough to be understood."""
    if rate_hz == RATE_HZ:
        return samples.astype(np.int16)
    length = int(len(samples) * RATE_HZ / rate_hz)
    positions = np.arange(length) * (rate_hz / RATE_HZ)
    resampled: Samples = np.interp(positions, np.arange(len(samples)), samples).astype(np.int16)
    return resampled


def _cut(samples: Samples) -> Iterator[bytes]:
    data = samples.tobytes()
    size = len(SILENCE)
    return (data[i : i + size].ljust(size, b"\0") for i in range(0, len(data), size))


def _list(names: list[str], base: Path) -> Iterator[bytes]:
    """One after the other; a missing one is passed over, unless all are missing."""
    opened = []
    for name in names:
        try:
            opened.append(open_sound(name, base))
        except FileNotFoundError:
            continue
    if not opened:
        raise FileNotFoundError("!".join(names))

    def play() -> Iterator[bytes]:
        for sound in opened:
            while (frame := sound.read()) is not None:
                yield frame

    return play()


def _silence(argument: str) -> Iterator[bytes]:
    """`<ms>[,<divisor>]`; -1 never ends."""
    length_ms = int(argument.split(",")[0] or 0)
    count = 0
    while length_ms < 0 or count * 20 < length_ms:
        yield SILENCE
        count += 1


def _tones(argument: str) -> Iterator[bytes]:
    """`%(on_ms,off_ms,f1,f2,...)`, several in a row, `;loops=N` for all of it, -1 for ever."""
    loops = int(found[1]) if (found := _LOOPS.search(argument)) else 1
    parts = []
    for match in _TONE.finditer(argument):
        on_ms, off_ms, *frequencies = (float(text) for text in match[1].split(",") if text.strip())
        parts.append(_tone(int(on_ms), int(off_ms), frequencies))
    if not parts:
        return
    samples = np.concatenate(parts)
    count = 0
    while loops < 0 or count < loops:
        yield from _cut(samples)
        count += 1


def _tone(on_ms: int, off_ms: int, frequencies: list[float]) -> Samples:
    times = np.arange(on_ms * RATE_HZ // 1000) / RATE_HZ
    wave = sum((np.sin(2 * np.pi * f * times) for f in frequencies), np.zeros(len(times)))
    loud = (wave * _TONE_LEVEL / max(1, len(frequencies))).astype(np.int16)
    return np.concatenate([loud, np.zeros(off_ms * RATE_HZ // 1000, np.int16)])
