"""Prompts: upload, look at, listen to, go back to an earlier version (R23)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dialplan.faults import Fault
from engine.domain.prompt import RESERVED, ConverterBusy, PromptRecordings, UnusableSound, Upload
from engine.services.changes import Actor, Changes
from engine.services.errors import PromptNotFound, PromptRefused, PromptVersionNotFound, UploadsBusy
from engine.store.flows import FlowStore

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_LANGUAGE = re.compile(r"[a-z]{2}")


@dataclass(frozen=True, slots=True)
class PromptDetail:
    """A prompt in one language, and the flows whose active version plays it."""

    recordings: PromptRecordings
    used_by: tuple[str, ...]


class PromptFiles(Protocol):
    """The prompts on the disk that the switch reads."""

    def list(self) -> Sequence[PromptRecordings]:
        """All prompts in all languages, by name."""

    def files(self) -> Collection[str] | None:
        """The paths of all files that flows may name, ours too. None: the directory isn't seen from here."""

    def add(self, name: str, language: str, upload: Upload) -> PromptRecordings:
        """Make the file a version and play it from now on. Raises UnusableSound, ConverterBusy."""

    def activate(self, name: str, language: str, version: str) -> PromptRecordings:
        """Play this version from now on. Raises KeyError."""

    def sound(self, name: str, language: str, version: str) -> bytes:
        """The version as WAV. Raises KeyError."""


class Prompts:
    """The use cases around prompts."""

    def __init__(self, files: PromptFiles, flows: FlowStore, changes: Changes) -> None:
        self._files = files
        self._flows = flows
        self._changes = changes

    def list(self) -> Sequence[PromptDetail]:
        """All prompts."""
        users = self._users()
        return [PromptDetail(each, users.get(each.path, ())) for each in self._files.list()]

    def get(self, name: str, language: str) -> PromptDetail:
        """One prompt in one language. Raises PromptNotFound."""
        for each in self.list():
            if (each.recordings.name, each.recordings.language) == (name, language):
                return each
        raise PromptNotFound(name, language)

    def upload(self, name: str, language: str, content: bytes, file_name: str, by: Actor) -> tuple[PromptDetail, bool]:
        """Takes a sound file of any usual format; calls hear it from now on. Whether the prompt is new.

        Raises PromptRefused, UploadsBusy.
        """
        with self._changes.of_other(by, "prompt.upload", f"prompt:{name}/{language}") as change:
            _check(name, language)
            try:
                made = self._files.add(name, language, Upload(content, file_name[:100], by.name, change.now_ms))
            except UnusableSound as error:
                raise PromptRefused([Fault("body", str(error))]) from error
            except ConverterBusy as error:
                raise UploadsBusy(str(error)) from error
            change.detail["version"] = made.active
        return self.get(name, language), len(made.versions) == 1

    def activate(self, name: str, language: str, version: str, by: Actor) -> PromptDetail:
        """Plays another version from now on. Raises PromptNotFound, PromptVersionNotFound."""
        with self._changes.of_other(by, "prompt.activate", f"prompt:{name}/{language}") as change:
            change.detail |= {"version": version, "before": self.get(name, language).recordings.active}
            try:
                self._files.activate(name, language, version)
            except KeyError as error:
                raise PromptVersionNotFound(name, language, version) from error
        return self.get(name, language)

    def sound(self, name: str, language: str, version: str) -> bytes:
        """A version as WAV. Raises PromptNotFound, PromptVersionNotFound."""
        self.get(name, language)
        try:
            return self._files.sound(name, language, version)
        except KeyError as error:
            raise PromptVersionNotFound(name, language, version) from error

    def _users(self) -> Mapping[str, tuple[str, ...]]:
        """For each sound file, the flows whose active version names it."""
        users: dict[str, set[str]] = defaultdict(set)
        for summary in self._flows.list():
            found = self._flows.definition(summary.id, summary.active_version) if summary.active_version else None
            for sources in (found or {}).get("prompts", {}).values():
                for source in sources.values():
                    if isinstance(source, str):
                        users[source].add(summary.id)
        return {path: tuple(sorted(flows)) for path, flows in users.items()}


def _check(name: str, language: str) -> None:
    faults = []
    if not _NAME.fullmatch(name):
        faults.append(Fault("name", "up to 64 small letters, digits, '-' and '_', the first a letter"))
    elif name in RESERVED:
        faults.append(Fault("name", f"'{name}' belongs to the product, as do {', '.join(RESERVED)}; choose another"))
    if not _LANGUAGE.fullmatch(language):
        faults.append(Fault("language", "a language of two letters, like 'cs'"))
    if faults:
        raise PromptRefused(faults)
