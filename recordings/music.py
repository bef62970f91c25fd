"""The music that comes with callwright for those who wait: made here, note by note, so that it is nobody else's.

Soft chords with a bell above them, as low and slow as suits a telephone and a caller who hears it many times. It comes
from silence and goes back into it: a switch that plays it again and again plays no click.
"""

from __future__ import annotations

import numpy as np

from recordings import sound
from recordings.resampling import SAMPLE_RATE, Samples

LOUDNESS_LUFS = -26.0
"""Below speech, which is at `sound.LOUDNESS_LUFS`: announcements stand out, and an agent's voice is never a shock."""
PEAK_DB = -12.0
CHORD_S = 3.6
_CHORDS = (
    *((65, 69, 72, 76), (64, 69, 72, 79), (62, 69, 72, 77), (62, 70, 74, 77)),
    *((67, 70, 74, 77), (64, 67, 70, 76), (65, 69, 72, 79), (65, 69, 72, 77)),
)
"""F major, from the tonic and back to it, by their MIDI notes; none is below what a telephone transmits."""
_RISE_S, _FALL_S = 1.2, 1.8
_PARTIALS = ((1, 1.0), (2, 0.32), (3, 0.1), (4, 0.04))
_BELL_PARTIALS = ((1, 1.0), (2, 0.2), (3, 0.06))
_DETUNED = 1.0015
"""Each note sounds twice, a little apart: it floats."""
_BELL_S = 0.9
_BELL_GAIN = 0.35


def music() -> bytes:
    """The whole piece as a WAV file at 8 kHz; always the same."""
    piece = np.zeros(_count(CHORD_S * len(_CHORDS) + _FALL_S))
    for number, chord in enumerate(_CHORDS):
        start_s = number * CHORD_S
        for note in chord:
            _add(piece, start_s, _pad(note))
        for beat, note in enumerate((*chord[1:], chord[2])):
            _add(piece, start_s + beat * CHORD_S / 4, _BELL_GAIN * _bell(note + 12))
    loudest_db = 20 * float(np.log10(np.max(np.abs(piece))))
    gain_db = min(LOUDNESS_LUFS - sound.loudness(piece), PEAK_DB - loudest_db)
    return sound.wav(piece * 10 ** (gain_db / 20))


def _pad(note: int) -> Samples:
    """A note of a chord: it swells, and dies away under the next one."""
    at_s = _times(CHORD_S + _FALL_S)
    end_s = CHORD_S + _FALL_S
    swell = np.sin(np.pi / 2 * np.minimum(at_s / _RISE_S, 1)) ** 2
    fall = np.sin(np.pi / 2 * np.clip((end_s - at_s) / (2 * _FALL_S), 0, 1)) ** 2
    tone = _tone(note, at_s, _PARTIALS) + _tone(note, at_s * _DETUNED, _PARTIALS)
    made: Samples = swell * fall * tone
    return made


def _bell(note: int) -> Samples:
    """A note that is struck, softly."""
    at_s = _times(_BELL_S * 2)
    struck = np.minimum(at_s / 0.02, 1) * np.exp(-at_s / (_BELL_S / 2.5))
    gone = np.minimum((2 * _BELL_S - at_s) / 0.3, 1)
    made: Samples = struck * gone * _tone(note, at_s, _BELL_PARTIALS)
    return made


def _tone(note: int, at_s: Samples, partials: tuple[tuple[int, float], ...]) -> Samples:
    hz = 440.0 * 2 ** ((note - 69) / 12)
    made: Samples = np.sum([loud * np.sin(2 * np.pi * hz * each * at_s) for each, loud in partials], axis=0)
    return made


def _add(piece: Samples, start_s: float, note: Samples) -> None:
    start = _count(start_s)
    part = piece[start : start + len(note)]
    part += note[: len(part)]


def _times(length_s: float) -> Samples:
    made: Samples = np.arange(_count(length_s)) / SAMPLE_RATE
    return made


def _count(length_s: float) -> int:
    return round(length_s * SAMPLE_RATE)
