"""Prompts that were uploaded: what is known of each recording, and where it is."""

from __future__ import annotations

from dataclasses import dataclass

RESERVED = ("general", "say", "speech", "voices")
"""Directories of the prompts directory that belong to the product."""


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """One recording of a prompt. `version` is the hash of the sound that is played; levels are in LUFS and dB."""

    version: str
    uploaded_ms: int
    uploaded_by: str
    file_name: str
    duration_ms: int
    loudness_lufs: float
    gain_db: float
    trimmed_ms: int
    source_format: str
    source_rate_hz: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptRecordings:
    """A prompt in one language: what is played, and all versions, newest first."""

    name: str
    language: str
    active: str
    versions: tuple[PromptVersion, ...]

    @property
    def path(self) -> str:
        """What a flow names to play it."""
        return path_of(self.name, self.language)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came: who sent it, when, and under what name."""

    content: bytes
    file_name: str
    by: str
    now_ms: int


class UnusableSound(ValueError):
    """What was uploaded can't be made into a prompt, and why."""


class ConverterBusy(Exception):
    """Other uploads are being converted, and it did not become this one's turn in time. Nothing is wrong with it."""


def path_of(name: str, language: str) -> str:
    """Where a prompt is below the prompts directory."""
    return f"{name}/{language}.wav"
