"""The customer's prompts in the prompts directory, which the switch reads.

welcome/cs.wav               what calls hear
welcome/cs.json              the versions: who, when, what was found
welcome/cs/<version>.wav     every version there was
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.domain.prompt import RESERVED, PromptRecordings, PromptVersion, UnusableSound, Upload, path_of
from ivr_flows import library
from recordings import sound
from recordings.conversion import convert
from recordings.prompts import Prompt, PromptError

log = logging.getLogger(__name__)

KEPT = 50
"""Versions of one prompt in one language; the oldest goes first, never the one that is played."""


class PromptDirectory:
    """`PromptFiles` of the use cases, on disk. Methods raise OSError besides."""

    def __init__(self, directory: Path, convert: Callable[[bytes], Prompt] = convert) -> None:
        self._directory = directory
        self._convert = convert

    def list(self) -> Sequence[PromptRecordings]:
        """All prompts in all languages, by name."""
        found = []
        for index in sorted(self._directory.glob("*/*.json")):
            if index.parent.name not in RESERVED:
                read = self._read(index.parent.name, index.stem)
                if read is not None:
                    found.append(read)
        return found

    def files(self) -> Collection[str] | None:
        """The paths of all files that flows may name, ours too. None: the directory isn't seen from here."""
        if not self._directory.is_dir():
            return None
        own = [each for each in self._directory.iterdir() if each.name not in RESERVED]
        wavs = [*self._directory.glob("*.wav"), *(file for each in own for file in each.rglob("*.wav"))]
        found = {file.relative_to(self._directory).as_posix() for file in wavs}
        ours = library.prompts_dir()
        return found | {file.relative_to(ours).as_posix() for file in ours.rglob("*.wav")}

    def add(self, name: str, language: str, upload: Upload) -> PromptRecordings:
        """Make the file a version and play it from now on. Raises UnusableSound, ConverterBusy."""
        try:
            prompt = self._convert(upload.content)
        except PromptError as error:
            raise UnusableSound(str(error)) from error
        version = PromptVersion(
            version=hashlib.sha256(prompt.wav).hexdigest()[:16],
            uploaded_ms=upload.now_ms,
            uploaded_by=upload.by,
            file_name=upload.file_name,
            duration_ms=prompt.duration_ms,
            loudness_lufs=prompt.loudness_lufs,
            gain_db=prompt.gain_db,
            trimmed_ms=prompt.trimmed_ms,
            source_format=prompt.source_format,
            source_rate_hz=prompt.source_rate_hz,
            warnings=prompt.warnings,
        )
        with self._locked(name):
            before = self._read(name, language)
            others = [each for each in before.versions if each.version != version.version] if before else []
            sound.put(prompt.wav, self._version(name, language, version.version))
            for old in others[KEPT - 1 :]:
                self._version(name, language, old.version).unlink(missing_ok=True)
            return self._play(name, language, version.version, (version, *others[: KEPT - 1]))

    def activate(self, name: str, language: str, version: str) -> PromptRecordings:
        """Play this version from now on. Raises KeyError."""
        with self._locked(name):
            found = self._read(name, language)
            if found is None or version not in {each.version for each in found.versions}:
                raise KeyError(version)
            return self._play(name, language, version, found.versions)

    def sound(self, name: str, language: str, version: str) -> bytes:
        """The version as WAV. Raises KeyError."""
        found = self._read(name, language)
        if found is None or version not in {each.version for each in found.versions}:
            raise KeyError(version)
        return self._version(name, language, version).read_bytes()

    def _play(self, name: str, language: str, version: str, versions: tuple[PromptVersion, ...]) -> PromptRecordings:
        sound.put(self._version(name, language, version).read_bytes(), self._directory / path_of(name, language))
        found = PromptRecordings(name, language, version, versions)
        content = json.dumps({"active": version, "versions": [asdict(each) for each in versions]}, indent=1)
        sound.put(content.encode(), self._index(name, language))
        return found

    def _read(self, name: str, language: str) -> PromptRecordings | None:
        try:
            content: dict[str, Any] = json.loads(self._index(name, language).read_text(encoding="utf-8"))
            versions = tuple(
                PromptVersion(**{**each, "warnings": tuple(each["warnings"])}) for each in content["versions"]
            )
            return PromptRecordings(name, language, content["active"], versions)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            log.error("prompt %s/%s: its list of versions can't be read (%s); upload it again", name, language, error)
            return None

    def _index(self, name: str, language: str) -> Path:
        return self._directory / name / f"{language}.json"

    def _version(self, name: str, language: str, version: str) -> Path:
        return self._directory / name / language / f"{version}.wav"

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """One change of a prompt at a time, over all processes."""
        directory = self._directory / name
        directory.mkdir(parents=True, exist_ok=True)
        with open(directory / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
