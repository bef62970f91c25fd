"""Who speaks: the engine for texts, and the recorded pieces for numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from callwright.doctor.finding import Finding, Subject, fail, ok, warn


def examine(subject: Subject) -> Iterator[Finding]:
    """The voices that `callwright speech` would take on this machine, and what the customer's own voices lack."""
    yield from engines(subject)
    yield from own_voices(subject.config.engine.prompts_dir / "voices")


def engines(subject: Subject) -> Iterator[Finding]:
    """Which engine speaks which language."""
    from recordings.speech.engines import find_voices

    settings = subject.config.speech
    voices = find_voices(settings.piper_voices_dir, settings.piper_program)
    if voices:
        yield ok(", ".join(f"{language} by {voice.id}" for language, voice in sorted(voices.items())))
    else:
        advice = "where `callwright speech` runs: pip install 'callwright[speech]', or apt-get install libespeak-ng1"
        yield warn("no speech engine: texts of flows can't be spoken", advice)


def own_voices(directory: Path) -> Iterator[Finding]:
    """Recorded voices of the customer, each in a directory with the language's name."""
    from recordings.speech.voices import lacks

    for voice in sorted(directory.glob("*")):
        found = lacks(voice)
        for fault in found.unsaid:
            advice = "record it (docs/speech.md); until then the library's voice says what this one can't"
            yield warn(f"voice {voice}: {fault}", advice)
        for fault in found.spoilt:
            yield fail(f"voice {voice}: {fault}", "until then calls play it as it is; one that can't takes its `error`")
        if not found.unsaid and not found.spoilt:
            yield ok(f"voice {voice}")
