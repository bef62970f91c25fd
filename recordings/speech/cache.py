"""Speech made once and kept: a text, a language and a voice are one file, whoever asks for it and how often."""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import soundfile

from engine.domain.speech import described, normal, speech_file, spoken_dir, voices_file
from recordings import sound
from recordings.speech.engines import NoVoice, SpeechFailed, Voice

log = logging.getLogger(__name__)


class SpeechCache:
    """The speech files below a prompts directory. May be used by several threads."""

    def __init__(self, prompts_dir: Path, voices: Mapping[str, Voice]) -> None:
        self._prompts_dir = prompts_dir
        self._voices = voices
        self._guard = threading.Lock()
        self._locks: dict[Path, threading.Lock] = {}
        self._users: Counter[Path] = Counter()

    def announce_voices(self) -> None:
        """Writes down which voice speaks which language, for those who look for files. Raises OSError."""
        content = {language: voice.id for language, voice in sorted(self._voices.items())}
        sound.put(json.dumps(content, indent=1).encode(), voices_file(self._prompts_dir))

    def file(self, text: str, language: str, *, keep: bool = True) -> Path:
        """The file with the text, made now if it was never made; where `prune` deletes it by this `keep`.

        Raises NoVoice, SpeechFailed, OSError.
        """
        voice = self._voices.get(language)
        if voice is None:
            there = ", ".join(sorted(self._voices)) or "none"
            raise NoVoice(f"no speech engine here speaks {language!r}; languages with a voice: {there}")
        path = speech_file(self._prompts_dir, language, voice.id, text, keep=keep)
        with self._one_at_a_time(path):
            if not path.is_file():
                sound.put(self._spoken(voice, normal(text)), path)
        return path

    def prune(self, unused_s: float, *, keep: bool = True) -> int:
        """Deletes what nobody has used for so long, of the texts with this `keep`; how many files. Raises OSError."""
        oldest = time.time() - unused_s
        gone = 0
        for path in spoken_dir(self._prompts_dir, keep=keep).glob("*/*.wav"):
            with self._one_at_a_time(path):
                if path.stat().st_mtime < oldest:
                    path.unlink()
                    gone += 1
        return gone

    def _spoken(self, voice: Voice, text: str) -> bytes:
        began = time.monotonic()
        try:
            samples, rate = soundfile.read(io.BytesIO(voice.speak(text)), dtype="float64", always_2d=True)
        except soundfile.SoundFileError as error:
            raise SpeechFailed(f"{voice.id} gave no sound for {described(text)}") from error
        mono = samples.mean(axis=1)
        if sound.is_silent(mono):
            raise SpeechFailed(f"{voice.id} is silent at {described(text)}")
        ready = sound.finish(mono, int(rate))
        log.info("spoke %.1f s by %s in %.1f s", ready.duration_ms / 1000, voice.id, time.monotonic() - began)
        return ready.wav

    @contextmanager
    def _one_at_a_time(self, path: Path) -> Iterator[None]:
        with self._guard:
            lock = self._locks.setdefault(path, threading.Lock())
            self._users[path] += 1
        try:
            with lock:
                yield
        finally:
            with self._guard:
                self._users[path] -= 1
                if not self._users[path]:
                    del self._users[path], self._locks[path]
