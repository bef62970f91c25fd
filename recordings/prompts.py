"""Prompts as they are uploaded, made into what the switch plays without work: WAV, 8 kHz, one channel, 16 bit.

Reads what libsndfile reads: WAV, FLAC, Ogg (Vorbis, Opus), MP3, AIFF, AU, CAF. What telephones, browsers and Windows
record besides (M4A, AAC, AMR, WebM, WMA) goes through ffmpeg where it is installed, and is refused with words that
help where it is not.

A file of some MB can hold gigabytes of samples. They are mixed and brought to 8 kHz piece by piece, so that no more is
held than what ten minutes of telephone sound take; `recordings/conversion.py` bounds the rest.

Errors:
    PromptError
    ├── UnreadablePrompt    no sound file, or of a kind that can't be read
    ├── EmptyPrompt         nothing to hear in it
    ├── PromptTooLong       longer, or larger, than a prompt may be
    └── ConversionFailed    it took more time or memory than there is for a prompt, or broke the converter
"""

from __future__ import annotations

import io
import math
import shutil
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soundfile

from recordings import sound
from recordings.resampling import SAMPLE_RATE, Resampler, Samples

LONGEST_S = 600
LARGEST_BYTES = 50_000_000
SOURCE_RATES = range(4000, 96001)
MOST_CHANNELS = 8
FORMATS = ("WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF")
_BLOCK = 1 << 16
CLIPPED = 0.999
CLIPPED_SAMPLES = 3
"""So many samples in a row at the limit are a sound that was recorded too loud."""
LONG_SILENCE_MS = 3000
TOO_QUIET_DB = 12.0
"""A prompt that had to be made louder by more than this has its noise made louder with it."""
BELOW_TARGET_DB = 1.0


class PromptError(ValueError):
    """Base of what may be wrong with an uploaded prompt."""


class UnreadablePrompt(PromptError):
    """No sound file, or of a kind that can't be read."""


class EmptyPrompt(PromptError):
    """There is nothing to hear in it."""


class PromptTooLong(PromptError):
    """It is longer, or larger, than a prompt may be."""


class ConversionFailed(PromptError):
    """It took more time or memory than there is for a prompt, or broke the converter."""


@dataclass(frozen=True, slots=True)
class Source:
    """What was uploaded: all channels mixed, at 8 kHz; and what of the file can't be seen in that."""

    samples: Samples
    rate_hz: int
    format: str
    clipped: int
    """Places where the sound is at its limit for several samples, in one of the channels."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt ready to be played, what it was made of, and what a person should know about it."""

    wav: bytes
    duration_ms: int
    loudness_lufs: float
    gain_db: float
    trimmed_ms: int
    source_format: str
    source_rate_hz: int
    warnings: tuple[str, ...] = ()


def normalise(upload: bytes, *, longest_s: float = LONGEST_S) -> Prompt:
    """Makes a prompt of an uploaded file: channels mixed, silence trimmed, loudness levelled. Raises PromptError."""
    source = read(upload, longest_s=longest_s)
    ready = sound.finish(source.samples, SAMPLE_RATE)
    return Prompt(
        wav=ready.wav,
        duration_ms=ready.duration_ms,
        loudness_lufs=ready.loudness_lufs,
        gain_db=ready.gain_db,
        trimmed_ms=ready.trimmed_start_ms + ready.trimmed_end_ms,
        source_format=source.format,
        source_rate_hz=source.rate_hz,
        warnings=tuple(_warnings(source, ready)),
    )


def read(upload: bytes, *, longest_s: float = LONGEST_S) -> Source:
    """The sound of an uploaded file. Raises PromptError."""
    check_size(upload)
    foreign = _foreign_format(upload)
    try:
        if foreign is None:
            with soundfile.SoundFile(io.BytesIO(upload)) as file:
                source = _read(file, longest_s)
        else:
            source = _read_foreign(upload, foreign, longest_s)
    except soundfile.SoundFileError as error:
        raise UnreadablePrompt(f"this is no sound file that can be read ({_words(error)}); {HELP}") from None
    if sound.is_silent(source.samples):
        raise EmptyPrompt("there is nothing to hear in this file; is it the right one?")
    return source


def check_size(upload: bytes) -> None:
    """Raises PromptTooLong."""
    if len(upload) > LARGEST_BYTES:
        raise PromptTooLong(f"a file may have {LARGEST_BYTES // 1_000_000} MB at most; {HELP}")


def _read(file: soundfile.SoundFile, longest_s: float, foreign: str = "") -> Source:
    if file.format not in FORMATS:
        raise UnreadablePrompt(f"files of the kind {file.format} are not taken; {HELP}")
    rate = int(file.samplerate)
    if rate not in SOURCE_RATES:
        raise UnreadablePrompt(f"a sample rate of {rate} Hz is not taken; {HELP}")
    if file.channels > MOST_CHANNELS:
        raise UnreadablePrompt(f"{file.channels} channels are too many; upload one or two")
    samples, clipped = _mixed(file, int(longest_s * rate))
    return Source(samples, rate, foreign or file.format, clipped)


def _mixed(file: soundfile.SoundFile, most: int) -> tuple[Samples, int]:
    """All channels as one at 8 kHz, and the clipped places. The length is counted, since a header may lie about it."""
    resampler = Resampler(int(file.samplerate))
    pieces: list[Samples] = []
    count = clipped = 0
    while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
        count += len(block)
        if count > most:
            raise PromptTooLong(f"a prompt may last {most / file.samplerate:g} s at most")
        if not np.isfinite(block).all():
            raise UnreadablePrompt(f"this file holds samples that are no numbers; {HELP}")
        clipped += _clipped(block)
        pieces.append(resampler.feed(block.mean(axis=1, dtype=np.float64)))
    return np.concatenate([*pieces, resampler.rest()]), clipped


def _clipped(block: npt.NDArray[np.float32]) -> int:
    limit = np.abs(block) >= CLIPPED
    rows = limit[CLIPPED_SAMPLES - 1 :]
    for shift in range(CLIPPED_SAMPLES - 1):
        rows = rows & limit[shift : shift + len(rows)]
    return int(np.count_nonzero(rows[1:] & ~rows[:-1]) + np.count_nonzero(rows[:1])) if len(rows) else 0


def _warnings(source: Source, ready: sound.Finished) -> list[str]:
    warnings = []
    if source.clipped:
        warnings.append(f"clipped in {source.clipped} places: recorded too loud, it may crackle; record it again")
    if source.rate_hz < SAMPLE_RATE:
        warnings.append(f"only {source.rate_hz} Hz: it will sound dull; record with 8000 Hz or more")
    if ready.gain_db > TOO_QUIET_DB:
        warnings.append(f"very quiet: made {ready.gain_db:g} dB louder, and its noise with it; record it closer")
    if ready.loudness_lufs < sound.LOUDNESS_LUFS - BELOW_TARGET_DB:
        warnings.append(f"stays quiet ({ready.loudness_lufs:g} LUFS): single loud peaks leave no room; record it again")
    gap_ms = _longest_silence_ms(source)
    if gap_ms > LONG_SILENCE_MS:
        warnings.append(f"silent for {gap_ms / 1000:.1f} s in the middle: callers may think that the line is dead")
    return warnings


def _longest_silence_ms(source: Source) -> int:
    """The longest silence between two sounds."""
    levels = np.abs(source.samples - source.samples.mean())
    loud = np.flatnonzero(levels > levels.max() * 10 ** (sound.SILENCE_DB / 20))
    return int(np.diff(loud).max(initial=0)) * 1000 // SAMPLE_RATE


def _foreign_format(upload: bytes) -> str | None:
    """The demuxer's name of a format that only ffmpeg reads, told by its first bytes; None for all others.

    ffmpeg is never left to guess: among what it recognises are playlists, which would have it open other files.
    """
    if upload[4:8] == b"ftyp":
        return "mp4"
    for magic, demuxer in _MAGICS.items():
        if upload.startswith(magic):
            return demuxer
    frame = upload[_tag_length(upload) :][:2]
    return "aac" if len(frame) == 2 and frame[0] == 0xFF and frame[1] & 0xF6 == 0xF0 else None


_MAGICS = {
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "asf",
    b"\x1a\x45\xdf\xa3": "matroska",  # WebM among them
    b"#!AMR": "amr",
}


def _tag_length(upload: bytes) -> int:
    """The bytes of an ID3v2 tag, which stands before MP3 and before raw AAC alike."""
    if not upload.startswith(b"ID3") or len(upload) < 10:
        return 0
    size = 0
    for each in upload[6:10]:
        size = size << 7 | each & 0x7F
    return 10 + size


def _read_foreign(upload: bytes, demuxer: str, longest_s: float) -> Source:
    if shutil.which("ffmpeg") is None:
        raise UnreadablePrompt(f"files of this kind ({demuxer}) need ffmpeg on this machine; {HELP}")
    from pydub import AudioSegment
    from pydub.exceptions import CouldntDecodeError

    # a second more than is allowed: enough to see that it is too long, however long it is
    most_s = math.ceil(longest_s) + 1
    try:
        # not `from_file`, which has ffprobe guess the format first
        decoded = AudioSegment.from_file_using_temporary_files(io.BytesIO(upload), format=demuxer, duration=most_s)
    except CouldntDecodeError:
        raise UnreadablePrompt(
            f"ffmpeg can't read this file ({demuxer}), or it holds more sound than a prompt may; {HELP}"
        ) from None
    except OSError as error:
        raise UnreadablePrompt(f"ffmpeg can't be run here ({error.strerror}); {HELP}") from None
    with decoded.export(io.BytesIO(), format="wav") as wav, soundfile.SoundFile(wav) as file:
        return _read(file, longest_s, demuxer)


HELP = "upload WAV, FLAC, Ogg or MP3"


def _words(error: Exception) -> str:
    # the error's own text names our buffer object
    return str(getattr(error, "error_string", "") or error).strip().rstrip(".")
