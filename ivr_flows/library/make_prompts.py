"""Speak all prompts and pieces of the library into WAV files: 8 kHz, mono, 16 bit, as telephony plays them.

    python -m ivr_flows.library.make_prompts [directory]

Needs the program espeak-ng on PATH, and numpy and soundfile. The same versions give the same files. To have a person's
voice in place of it, record the texts of `GENERAL` and of the say grammars under the same names.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from ivr_flows import say
from ivr_flows.library import GENERAL, prompts_dir

RATE_HZ = 8000
WORDS_PER_MINUTE = 155
LOUDNESS = 10 ** (-20 / 20)
"""Root mean square of the samples, against full scale: -20 dB."""
PEAK = 10 ** (-3 / 20)
SILENCE = 10 ** (-45 / 20)
"""What is quieter at the beginning or the end is cut off."""
MARGIN_S = 0.03
"""Silence left at both ends, so that pieces don't run into one another."""
VOICES = {"cs": "cs", "en": "en-gb"}


def texts() -> Iterator[tuple[str, str, str]]:
    """All files to make: path, language, text."""
    for language in say.LANGUAGES:
        for name, text in say.pieces(language).items():
            yield say.piece(name, language).path, language, text
    for name, spoken in GENERAL.items():
        for language, text in spoken.items():
            yield f"general/{language}/{name}.wav", language, text


def speak(espeak: str, text: str, language: str) -> tuple[Any, int]:
    """The samples between -1 and 1, and their rate in Hz."""
    command = [espeak, "-v", VOICES[language], "-s", str(WORDS_PER_MINUTE), "--stdout", "--", text]
    wav = subprocess.run(command, check=True, capture_output=True).stdout
    samples, rate_hz = soundfile.read(io.BytesIO(wav), dtype="float64")
    return samples, rate_hz


def resample(samples: Any, rate_hz: int) -> Any:
    """The samples at `RATE_HZ`. What lies above half of it is dropped from the spectrum, so that nothing folds back."""
    wanted = round(len(samples) * RATE_HZ / rate_hz)
    spectrum = np.fft.rfft(samples)[: wanted // 2 + 1]
    return np.fft.irfft(spectrum, wanted) * (wanted / len(samples))


def trim(samples: Any) -> Any:
    """Without silence at both ends, but for `MARGIN_S`."""
    loud = np.flatnonzero(np.abs(samples) > SILENCE * np.max(np.abs(samples)))
    margin = np.zeros(round(MARGIN_S * RATE_HZ))
    return np.concatenate([margin, samples[loud[0] : loud[-1] + 1], margin])


def level(samples: Any) -> Any:
    """At the common loudness, without clipping."""
    louder = samples * (LOUDNESS / np.sqrt(np.mean(np.square(samples))))
    return louder * min(1.0, PEAK / np.max(np.abs(louder)))


def main() -> None:
    espeak = shutil.which("espeak-ng")
    if espeak is None:
        sys.exit("espeak-ng isn't installed (package espeak-ng)")
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else prompts_dir()
    size = 0
    for path, language, text in texts():
        samples, rate_hz = speak(espeak, text, language)
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, level(trim(resample(samples, rate_hz))), RATE_HZ, subtype="PCM_16")
        size += file.stat().st_size
    print(f"{size} bytes in {target}")


if __name__ == "__main__":
    main()
