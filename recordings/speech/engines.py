"""Speech engines: programs that are run for one text at a time and give its sound as WAV.

They are never loaded into this process: espeak-ng and Piper stand under the GPL, and a fault in one of them must not
be a fault of ours.

Errors:
    SpeechError
    ├── NoVoice         nothing here speaks this language
    └── SpeechFailed    the engine could not speak the text, or took too long
"""

from __future__ import annotations

import ctypes.util
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Protocol

from engine.domain.speech import described

_PROGRAM = Path(__file__).with_name("espeak_program.py")
_WORDS_PER_MINUTE = 155
_ESPEAK_LONGEST_S = 30
_PIPER_LONGEST_S = 120
_ESPEAK_VOICES = {
    "cs": "cs",
    "de": "de",
    "en": "en",
    "pl": "pl",
    "sk": "sk",
    "uk": "uk",
}


class SpeechError(Exception):
    """Base of what may go wrong with speech."""


class NoVoice(SpeechError):
    """Nothing here speaks this language."""


class SpeechFailed(SpeechError):
    """The engine could not speak the text, or took too long."""


class Voice(Protocol):
    """One voice of one engine, for one language."""

    @property
    def id(self) -> str:
        """Engine, its version and the voice, in letters, digits, dots and hyphens: whatever changes the sound."""

    def speak(self, text: str) -> bytes:
        """The sound as WAV. Raises SpeechFailed."""


@dataclass(frozen=True, slots=True)
class Espeak:
    """A voice of espeak-ng: of the wheel espeakng-loader, or of the library that the machine has."""

    library: str
    data: str
    version: str
    voice: str

    @property
    def id(self) -> str:
        return f"espeak-ng-{self.version}-{self.voice}"

    def speak(self, text: str) -> bytes:
        """The sound as WAV. Raises SpeechFailed."""
        command = [sys.executable, "-I", "-S", str(_PROGRAM), self.library, self.data, self.voice]
        return _run([*command, str(_WORDS_PER_MINUTE)], text, _ESPEAK_LONGEST_S)


@dataclass(frozen=True, slots=True)
class Piper:
    """A voice of Piper, a neural engine: a file `<language>_<COUNTRY>-<name>-<quality>.onnx` with its `.onnx.json`."""

    program: str
    model: Path

    @property
    def id(self) -> str:
        # a voice that is trained anew comes under the same name
        return f"piper-{self.model.stem.replace('_', '-')}-{int(self.model.stat().st_mtime)}"

    def speak(self, text: str) -> bytes:
        """The sound as WAV. Raises SpeechFailed."""
        with tempfile.TemporaryDirectory(prefix="callwright-piper-") as place:
            out = Path(place, "speech.wav")
            _run([self.program, "--model", str(self.model), "--output_file", str(out)], text, _PIPER_LONGEST_S)
            try:
                return out.read_bytes()
            except OSError as error:
                raise SpeechFailed(f"piper wrote no sound for {described(text)}") from error


def find_voices(piper_voices: Path | None = None, piper_program: str = "piper") -> dict[str, Voice]:
    """The voice of each language: Piper's where it has one here, else espeak-ng's."""
    return {**_espeak_voices(), **_piper_voices(piper_voices, piper_program)}


def _espeak_voices() -> Mapping[str, Voice]:
    found = _espeak_library()
    if found is None:
        return {}
    return {language: Espeak(*found, voice) for language, voice in _ESPEAK_VOICES.items()}


def _espeak_library() -> tuple[str, str, str] | None:
    """Library, its data and its version; None where there is none."""
    try:
        wheel = distribution("espeakng-loader")
    except PackageNotFoundError:
        name = ctypes.util.find_library("espeak-ng")
        return (name, "", f"system-{name.rpartition('.so.')[2]}") if name else None
    place = Path(str(wheel.locate_file("espeakng_loader")))
    return str(place / "libespeak-ng.so"), str(place), f"wheel-{wheel.version}"


def _piper_voices(directory: Path | None, program: str) -> Mapping[str, Voice]:
    path = shutil.which(program)
    if directory is None or path is None:
        return {}
    voices: dict[str, Voice] = {}
    for model in sorted(directory.glob("*_*-*.onnx")):
        if _is_complete(model):
            voices.setdefault(model.name.partition("_")[0], Piper(path, model))
    return voices


def _is_complete(model: Path) -> bool:
    try:
        json.loads(model.with_name(f"{model.name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def _run(command: Sequence[str], text: str, longest_s: float) -> bytes:
    engine = Path(command[0]).name if command[0] != sys.executable else "espeak-ng"
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=longest_s, check=False)
    except subprocess.TimeoutExpired:
        raise SpeechFailed(f"{engine} took longer than {longest_s:g} s for {described(text)}") from None
    except OSError as error:
        raise SpeechFailed(f"{engine} can't be run: {error.strerror}") from error
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"ended with {done.returncode}"]
        raise SpeechFailed(f"{engine}: {words[-1][:200]}")
    return done.stdout
