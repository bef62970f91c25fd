"""Sound made ready for the switch: 8 kHz, one channel, 16 bit, silence at both ends cut off, at one common loudness.

Loudness is that of EBU R 128 and ITU-R BS.1770, in LUFS, so that a whispered and a shouted prompt are heard alike.
Speech has peaks that leave no room for that: a limiter takes them back, by as much as nobody hears.
"""

from __future__ import annotations

import io
import math
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from recordings.resampling import SAMPLE_RATE, Samples, resample

LOUDNESS_LUFS = -20.0
"""Louder than broadcasting's -23: what telephones usually play. The prompts of the library were made like this."""
PEAK_DB = -3.0
"""No sample is louder than this, against full scale: A-law and the telephones behind it distort what is."""
LIMITED_DB = 8.0
"""So much may the limiter take from the loudest peak. Speech needs up to 6; what needs more is a bang, or clipped."""
QUIETEST_DB = -72.0
"""A sound whose loudest sample is below this is silence."""
SILENCE_DB = -45.0
"""What is quieter at the beginning or the end, against the loudest sample, is silence."""
MARGIN_MS = 30
"""Silence left at both ends, so that pieces don't run into one another."""
_BLOCK_S = 0.4
"""Loudness is measured over blocks of this length; a shorter sound is one block."""
_LOOK_MS = 40
"""The limiter begins so long before a peak and ends so long after it: slow enough to be no distortion of a voice."""
_CLOSE_LU = 0.1
_ROUNDS = 8
"""What the limiter takes makes the sound less loud, so that more gain is needed. Three rounds are usual."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A sound ready to be played, and what was done to it. Levels are in dB against full scale, or LUFS."""

    wav: bytes
    duration_ms: int
    loudness_lufs: float
    """As it is now."""
    gain_db: float
    trimmed_start_ms: int
    trimmed_end_ms: int


def is_silent(samples: Samples) -> bool:
    """Whether there is nothing to hear; a constant offset isn't heard."""
    return not len(samples) or _decibels(_peak(_centred(samples))) < QUIETEST_DB


def finish(samples: Samples, rate: int) -> Finished:
    """Resampled, trimmed and levelled. The sound must not be silent."""
    samples = _centred(resample(samples, rate))
    first, last = _heard(samples)
    margin = np.zeros(SAMPLE_RATE * MARGIN_MS // 1000)
    ready, gain_db, lufs = level(np.concatenate([margin, samples[first:last], margin]))
    return Finished(
        wav=wav(ready),
        duration_ms=_ms(len(ready)),
        loudness_lufs=round(lufs, 1),
        gain_db=round(gain_db, 1),
        trimmed_start_ms=_ms(first),
        trimmed_end_ms=_ms(len(samples) - last),
    )


def level(samples: Samples) -> tuple[Samples, float, float]:
    """At LOUDNESS_LUFS with no peak above PEAK_DB; the gain in dB; the loudness, less where the limiter ends."""
    most_db = PEAK_DB + LIMITED_DB - _decibels(_peak(samples))
    before_lufs = loudness(samples)
    gain_db, more_db = 0.0, min(LOUDNESS_LUFS - before_lufs, most_db)
    for _ in range(_ROUNDS):
        gain_db += more_db
        levelled = limited(samples * 10 ** (gain_db / 20))
        lufs = loudness(levelled)
        # of each dB of gain the limiter leaves a part; the next round assumes that it leaves as much again
        left = max((lufs - before_lufs) / more_db, 0.2) if more_db else 1.0
        before_lufs, more_db = lufs, min((LOUDNESS_LUFS - lufs) / left, most_db - gain_db)
        if min(abs(LOUDNESS_LUFS - lufs), abs(more_db)) < _CLOSE_LU:
            break
    return levelled, gain_db, lufs


def limited(samples: Samples) -> Samples:
    """No sample above PEAK_DB: around each that was, the sound is made quieter, and gently."""
    ceiling = 10 ** (PEAK_DB / 20)
    if _peak(samples) <= ceiling:
        return samples
    wanted: Samples = ceiling / np.maximum(np.abs(samples), ceiling)
    quarter = SAMPLE_RATE * _LOOK_MS // 1000 // 4
    # the smallest gain within half the time, then twice the mean within a quarter: never more than is wanted
    smallest = _smallest(np.pad(wanted, 4 * quarter, constant_values=1.0), 4 * quarter + 1)
    gains = _means(_means(smallest, 2 * quarter + 1), 2 * quarter + 1)
    quieter: Samples = samples * gains
    return quieter


def _smallest(values: Samples, width: int) -> Samples:
    """The smallest of each `width` neighbours."""
    reach = 1
    while 2 * reach <= width:
        values = np.minimum(values[:-reach], values[reach:])
        reach *= 2
    more = width - reach
    if more:
        values = np.minimum(values[:-more], values[more:])
    return values


def _means(values: Samples, width: int) -> Samples:
    """The mean of each `width` neighbours."""
    sums = np.concatenate([np.zeros(1), np.cumsum(values)])
    means: Samples = (sums[width:] - sums[:-width]) / width
    return means


def loudness(samples: Samples, rate: int = SAMPLE_RATE) -> float:
    """The integrated loudness in LUFS; of a sound too quiet for its gate, the ungated level."""
    import pyloudnorm  # brings scipy, which takes its time to load

    padded = np.concatenate([samples, np.zeros(max(0, rate // 20 - len(samples)))])
    meter = pyloudnorm.Meter(rate, block_size=min(_BLOCK_S, len(padded) / rate))
    with np.errstate(divide="ignore", invalid="ignore"):
        measured = float(meter.integrated_loudness(padded))
    return measured if math.isfinite(measured) else _decibels(float(np.sqrt(np.mean(np.square(padded)))))


def wav(samples: Samples) -> bytes:
    """As a WAV file at 8 kHz. What would be louder than full scale makes all of it quieter."""
    # A filter may overshoot a sound that was at its limit: quieter is better than distorted.
    scale = 32767 / max(_peak(samples), 1.0)
    out = io.BytesIO()
    soundfile.write(out, np.round(samples * scale).astype(np.int16), SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return out.getvalue()


def put(content: bytes, target: Path) -> None:
    """Puts the file in its place at once, so that a call hears the old one or the new one. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=target.suffix)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)  # the switch runs as another user
        os.rename(name, target)
    except BaseException:
        os.unlink(name)
        raise


def _centred(samples: Samples) -> Samples:
    centred: Samples = samples - samples.mean()
    return centred


def _heard(samples: Samples) -> tuple[int, int]:
    """Where the sound begins and ends."""
    loud = np.flatnonzero(np.abs(samples) > _peak(samples) * 10 ** (SILENCE_DB / 20))
    return int(loud[0]), int(loud[-1]) + 1


def _peak(samples: Samples) -> float:
    return float(max(samples.max(), -samples.min()))


def _decibels(level: float) -> float:
    return 20 * math.log10(max(level, 1e-9))


def _ms(samples: int) -> int:
    return samples * 1000 // SAMPLE_RATE
