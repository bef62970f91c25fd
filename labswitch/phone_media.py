"""What a phone says and hears: tones out, a record of what came in, and a measure for tones in it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from labswitch.clock import Beat
from labswitch.leg import FRAME_SAMPLES, SILENCE
from labswitch.sip_thread import SipThread

RATE_HZ = 8000
FULL_SCALE = 32768.0
AMPLITUDE = 0.3
"""Of full scale: what a phone's tone is said with."""

Samples = npt.NDArray[np.int16]


class Tone:
    """A sine that goes on over frames without a click."""

    def __init__(self, hz: float, amplitude: float = AMPLITUDE) -> None:
        self._step = 2 * np.pi * hz / RATE_HZ
        self._phase = 0.0
        self._ramp = np.arange(FRAME_SAMPLES) * self._step
        self._amplitude = amplitude * (FULL_SCALE - 1)

    def frame(self) -> bytes:
        """The next 20 ms."""
        wave = np.sin(self._ramp + self._phase) * self._amplitude
        self._phase = (self._phase + FRAME_SAMPLES * self._step) % (2 * np.pi)
        samples: Samples = wave.astype(np.int16)
        return samples.tobytes()


class Mouth:
    """What is said next: a tone for some frames, then silence. Real phones send silence too, and so do we."""

    def __init__(self) -> None:
        self._tone: Tone | None = None
        self._frames_left: int | None = None
        self._done: Callable[[], None] | None = None

    def say(self, hz: float | None, frames: int | None = None, done: Callable[[], None] | None = None) -> None:
        """Say a tone (None: silence) for a number of frames, or until told otherwise. `done` is called after it, or
        when something else is said first."""
        self._finish()
        self._tone = None if hz is None else Tone(hz)
        self._frames_left = frames
        self._done = done

    def frame(self) -> bytes:
        """The next 20 ms to send."""
        if self._frames_left is not None:
            if self._frames_left <= 0:
                self._tone, self._frames_left = None, None
                self._finish()
            else:
                self._frames_left -= 1
        return SILENCE if self._tone is None else self._tone.frame()

    def _finish(self) -> None:
        done, self._done = self._done, None
        if done is not None:
            done()


def tone_amplitude(samples: Samples, hz: float) -> float:
    """How strong a sine of `hz` is in `samples`, as its amplitude of full scale, 0 to 1 (the Goertzel measure)."""
    if not len(samples):
        return 0.0
    angle = np.arange(len(samples)) * (2 * np.pi * hz / RATE_HZ)
    wave = samples.astype(np.float64)
    return float(2 * np.hypot(wave @ np.cos(angle), wave @ np.sin(angle)) / len(samples) / FULL_SCALE)


def loudness(samples: Samples) -> float:
    """Root mean square of full scale, 0 to 1."""
    if not len(samples):
        return 0.0
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)) / FULL_SCALE)


def is_tone(samples: Samples, hz: float, level: float) -> bool:
    """Whether a tone of `hz` is there, at least `level` strong, and makes up most of what is heard."""
    amplitude = tone_amplitude(samples, hz)
    return amplitude >= level and amplitude / np.sqrt(2) >= 0.7 * loudness(samples)


class MediaBeat:
    """The 20 ms beat that all phones of the process share. On the SIP thread only."""

    _instance: ClassVar[MediaBeat | None] = None
    _instance_lock: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def get(cls) -> MediaBeat:
        """The process's beat; call it on the SIP thread."""
        with cls._instance_lock:
            if cls._instance is None:
                cls._instance = cls()
            return cls._instance

    def __init__(self) -> None:
        self._thread = SipThread.get()
        self._ticks: dict[object, Callable[[], None]] = {}
        self._beat = Beat(self._tick)

    def add(self, owner: object, tick: Callable[[], None]) -> None:
        """Call `tick` every 20 ms until `remove(owner)`."""
        self._ticks[owner] = tick
        self._beat.start()

    def remove(self, owner: object) -> None:
        """Harmless when it isn't there."""
        self._ticks.pop(owner, None)

    def _tick(self) -> bool:
        for tick in list(self._ticks.values()):
            self._thread.enter(tick)
        return bool(self._ticks)
