"""Sound at the rate of telephone lines, piece by piece: what is held of a source doesn't grow with its length."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 8000
_LEAST_PERIODS = 8
"""Rates that have little in common with 8 kHz have thousands of filters: they are gone through for several periods."""
_LOBES = 32
"""Zero crossings of the low-pass filter on each side: the transition takes 1/32 of the band, 125 Hz at 8 kHz."""

Samples = npt.NDArray[np.float64]


class Resampler:
    """Takes a sound in pieces and gives it at 8 kHz, by a windowed-sinc low-pass filter.

    Output sample n stands at n * rate / 8000 of the input. These places repeat their distances to the input's samples
    every 8000 / gcd(rate, 8000) of them, and each distance has its own filter. A period is as many of these as make
    it at least one filter long, so that the windows of one filter are the rows of a matrix that is not copied.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._taken = self._given = 0
        if rate == SAMPLE_RATE:
            return
        common = math.gcd(rate, SAMPLE_RATE)
        cutoff = min(1.0, SAMPLE_RATE / rate)
        half = math.ceil(_LOBES / cutoff)
        self._width = 2 * half + 1
        repeats = math.ceil(self._width * common / rate)
        self._kinds, self._step = repeats * SAMPLE_RATE // common, repeats * rate // common
        places = [divmod(kind * self._step, self._kinds) for kind in range(self._kinds)]
        self._filters = [(whole, _filter(half, part / self._kinds, cutoff)) for whole, part in places]
        self._half = half
        self._held: Samples = np.empty(0)

    def feed(self, samples: Samples) -> Samples:
        """The next samples of the input; what of the output is certain by them."""
        self._taken += len(samples)
        if self._rate == SAMPLE_RATE:
            return samples
        # outside of its ends the sound goes on as it is there: an offset that stopped would be a click
        before = np.repeat(samples[:1], self._half) if not len(self._held) else samples[:0]
        self._held = np.concatenate([self._held, before, samples])
        return self._made(_LEAST_PERIODS)

    def rest(self) -> Samples:
        """The end of the output, after the last of the input."""
        if self._rate == SAMPLE_RATE:
            return np.empty(0)
        after = np.repeat(self._held[-1:], self._width + 2 * self._step)
        self._held = np.concatenate([self._held, after])
        missing = math.ceil(self._taken * SAMPLE_RATE / self._rate) - self._given
        return self._made(1)[:missing]

    def _made(self, least: int) -> Samples:
        periods = (len(self._held) - self._width) // self._step
        if periods < least:
            return np.empty(0)
        out = np.empty(periods * self._kinds)
        shape, strides = (periods, self._width), (self._step * self._held.itemsize, self._held.itemsize)
        for kind, (whole, taps) in enumerate(self._filters):
            windows: Samples = np.ndarray(shape, self._held.dtype, self._held, whole * strides[1], strides)
            out[kind :: self._kinds] = windows @ taps
        self._held = self._held[periods * self._step :].copy()
        self._given += len(out)
        return out


def resample(samples: Samples, rate: int) -> Samples:
    """The whole sound at 8 kHz."""
    resampler = Resampler(rate)
    return np.concatenate([resampler.feed(samples), resampler.rest()])


def _filter(half: int, shift: float, cutoff: float) -> Samples:
    distance = np.arange(-half, half + 1) - shift
    window = np.cos(np.pi * np.clip(distance / (half + 1), -1, 1) / 2) ** 2
    taps: Samples = cutoff * np.sinc(cutoff * distance) * window
    taps /= taps.sum()  # for each kind alike, or the loudness would waver
    return taps
