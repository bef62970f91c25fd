"""What voices of recorded pieces lack."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ivr_flows.say import LANGUAGES, CannotSay
from ivr_flows.say.voice import MANIFEST, Voice, VoiceInvalid


@dataclass(frozen=True, slots=True)
class Lacks:
    """`unsaid`: what the voice can't say, so that another one is heard. `spoilt`: files that are there, and that calls
    play or try to play as they are.
    """

    unsaid: list[str]
    spoilt: list[str]


def lacks(directory: Path) -> Lacks:
    """What is wrong with the voice of this directory."""
    try:
        content = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        voice = Voice.of(content)
        unsaid = voice.faults({file.name for file in directory.iterdir()})
    except OSError as error:
        return Lacks([f"{MANIFEST} can't be read: {error.strerror}"], [])
    except ValueError as error:  # VoiceInvalid and CannotSay among them
        if isinstance(error, VoiceInvalid | CannotSay):
            return Lacks([f"{MANIFEST}: {error}"], [])
        return Lacks([f"{MANIFEST} is no JSON: {error}"], [])
    if directory.name in LANGUAGES and directory.name != voice.language:
        unsaid.insert(0, f"{MANIFEST}: its language is {voice.language!r}, the directory is that of {directory.name!r}")
    files = dict.fromkeys(piece.file for piece in voice.pieces.values())
    return Lacks(unsaid, [fault for file in files if (fault := _unplayable(directory / file))])


def _unplayable(file: Path) -> str:
    import soundfile

    from recordings.resampling import SAMPLE_RATE

    if not file.is_file():
        return ""
    try:
        info = soundfile.info(file)
    except soundfile.SoundFileError:
        return f"{file.name} is no sound file; make it with `callwright prompt convert`"
    if (info.samplerate, info.channels) != (SAMPLE_RATE, 1):
        return (
            f"{file.name} has {info.samplerate} Hz, {info.channels} channels; make it with `callwright prompt convert`"
        )
    return ""
