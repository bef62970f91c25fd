"""Prompts as they are uploaded, made into what the switch plays without work: WAV, 8 kHz, one channel, 16 bit.

Reads what libsndfile reads: WAV, FLAC, Ogg (Vorbis, Opus), MP3, AIFF, AU. What telephones and Windows record besides
(M4A, WMA, AMR) goes through pydub where ffmpeg is installed, and is refused with words that help where it is not.

Errors:
    PromptError
    ├── UnreadablePrompt    no sound file, or of a kind that can't be read
    ├── EmptyPrompt         nothing to hear in it
    └── PromptTooLong       longer than a prompt may be
"""

from __future__ import annotations

import io
import math
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

SAMPLE_RATE = 8000
LONGEST_S = 600
SOURCE_RATES = range(4000, 96001)
FORMATS = ("WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "MP3", "AIFF", "AU")
_SILENT = 2.0**-12
"""A prompt whose loudest sample is below this (-72 dB) is empty."""
_LOBES = 32
"""Zero crossings of the low-pass filter on each side: the transition takes 1/32 of the band, 125 Hz at 8 kHz."""
_SLICE = 1 << 12

Samples = npt.NDArray[np.float64]


class PromptError(ValueError):
    """Base of what may be wrong with an uploaded prompt."""


class UnreadablePrompt(PromptError):
    """No sound file, or of a kind that can't be read."""


class EmptyPrompt(PromptError):
    """There is nothing to hear in it."""


class PromptTooLong(PromptError):
    """It is longer than a prompt may be."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt ready to be played."""

    wav: bytes
    duration_ms: int

    def write(self, target: Path) -> None:
        """Puts the file in its place at once, so that a call hears the old prompt or the new one. Raises OSError."""
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".wav")
        try:
            with open(descriptor, "wb") as file:
                file.write(self.wav)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o644)  # the switch runs as another user
            os.rename(name, target)
        except BaseException:
            os.unlink(name)
            raise


def normalise(upload: bytes, *, longest_s: float = LONGEST_S) -> Prompt:
    """Makes a prompt of an uploaded file. Channels are mixed; the loudness stays as it is. Raises PromptError."""
    samples, rate = _read(upload, longest_s)
    if not len(samples) or float(np.abs(samples).max()) < _SILENT:
        raise EmptyPrompt("there is nothing to hear in this file")
    samples = resample(samples, rate)
    loudest = float(np.abs(samples).max())
    # A filter may overshoot a sound that was at its limit: quieter is better than distorted.
    scale = 32767 / max(loudest, 1.0)
    out = io.BytesIO()
    soundfile.write(out, np.round(samples * scale).astype(np.int16), SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return Prompt(out.getvalue(), len(samples) * 1000 // SAMPLE_RATE)


def _read(upload: bytes, longest_s: float) -> tuple[Samples, int]:
    foreign = _foreign_format(upload)
    if foreign is not None:
        upload = _converted(upload, foreign)
    try:
        with soundfile.SoundFile(io.BytesIO(upload)) as file:
            if file.format not in FORMATS:
                raise UnreadablePrompt(f"files of the kind {file.format} are not taken; {_HELP}")
            rate = int(file.samplerate)
            if rate not in SOURCE_RATES:
                raise UnreadablePrompt(f"a sample rate of {rate} Hz is not taken; {_HELP}")
            return _mixed(file, int(longest_s * rate)), rate
    except soundfile.SoundFileError as error:
        raise UnreadablePrompt(f"this is no sound file that can be read ({_words(error)}); {_HELP}") from None


def _foreign_format(upload: bytes) -> str | None:
    """The demuxer's name of a format that only ffmpeg reads, told by its first bytes; None for all others.

    ffmpeg is never left to guess: among what it recognises are playlists, which would have it open other files.
    """
    if upload[4:8] == b"ftyp":
        return "mp4"
    if upload.startswith(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"):
        return "asf"
    return "amr" if upload.startswith(b"#!AMR") else None


def _converted(upload: bytes, demuxer: str) -> bytes:
    """The sound as WAV. Raises UnreadablePrompt."""
    if shutil.which("ffmpeg") is None:
        raise UnreadablePrompt(f"files of this kind ({demuxer}) need ffmpeg on this machine; {_HELP}")
    from pydub import AudioSegment
    from pydub.exceptions import CouldntDecodeError

    out = io.BytesIO()
    try:
        AudioSegment.from_file(io.BytesIO(upload), format=demuxer).export(out, format="wav")
    except CouldntDecodeError:
        raise UnreadablePrompt(f"ffmpeg can't read this file ({demuxer}); {_HELP}") from None
    return out.getvalue()


def _mixed(file: soundfile.SoundFile, most: int) -> Samples:
    """All channels as one. Read piece by piece, since a header may lie about the length."""
    pieces: list[Samples] = []
    count = 0
    while len(block := file.read(1 << 16, dtype="float64", always_2d=True)):
        count += len(block)
        if count > most:
            raise PromptTooLong(f"a prompt may last {most / file.samplerate:g} s at most")
        pieces.append(block.mean(axis=1))
    return np.concatenate(pieces) if pieces else np.zeros(0)


_HELP = "upload WAV, FLAC, Ogg or MP3"


def _words(error: Exception) -> str:
    # the error's own text names our buffer object
    return str(getattr(error, "error_string", "") or error).strip().rstrip(".")


def resample(samples: Samples, rate: int) -> Samples:
    """The sound at 8 kHz, by a windowed-sinc low-pass filter evaluated where the new samples stand.

    Output sample n stands at n * rate / 8000 of the input. These places fall into 8000 / gcd(rate, 8000) kinds of
    distance to the input's samples, and each kind has its own filter.
    """
    if rate == SAMPLE_RATE:
        return samples
    common = math.gcd(rate, SAMPLE_RATE)
    kinds, step = SAMPLE_RATE // common, rate // common
    cutoff = min(1.0, SAMPLE_RATE / rate)
    half = math.ceil(_LOBES / cutoff)
    padded = np.concatenate([np.zeros(half), samples, np.zeros(half + 1)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    count = math.ceil(len(samples) * SAMPLE_RATE / rate)
    out = np.empty(count)
    for kind in range(min(kinds, count)):
        whole, part = divmod(kind * step, kinds)
        taps = _filter(half, part / kinds, cutoff)
        places = whole + step * np.arange((count - kind - 1) // kinds + 1)
        for first in range(0, len(places), _SLICE):
            piece = places[first : first + _SLICE]
            out[kind + first * kinds : kind + (first + len(piece)) * kinds : kinds] = windows[piece] @ taps
    return out


def _filter(half: int, shift: float, cutoff: float) -> Samples:
    distance = np.arange(-half, half + 1) - shift
    window = np.cos(np.pi * np.clip(distance / (half + 1), -1, 1) / 2) ** 2
    taps: Samples = cutoff * np.sinc(cutoff * distance) * window
    taps /= taps.sum()  # for each kind alike, or the loudness would waver
    return taps
