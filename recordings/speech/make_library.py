"""Speak the prompts and pieces of the library that are not recorded yet, make its music, write the voices' manifests.

    python -m recordings.speech.make_library [directory]

What is there stays as it is: delete a file to have it spoken again. To have a person's voice in place of it, see
docs/speech.md.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import soundfile

from ivr_flows import library, say
from ivr_flows.say.voice import MANIFEST, manifest
from recordings import music, sound
from recordings.speech.engines import Voice, find_voices


def texts() -> Iterator[tuple[str, str, str]]:
    """All files with speech: path, language, text."""
    for language in say.LANGUAGES:
        for name, text in say.pieces(language).items():
            yield f"say/{language}/{name}.wav", language, text
    for name, spoken in library.GENERAL.items():
        for language, text in spoken.items():
            yield library.prompt(name, language).path, language, text


def make(target: Path, voices: dict[str, Voice]) -> int:
    """Make what is missing; how many files. Raises SpeechFailed, OSError, KeyError for a language without a voice."""
    made = 0
    for path, language, text in texts():
        file = target / path
        if not file.exists():
            samples, rate = soundfile.read(io.BytesIO(voices[language].speak(text)), dtype="float64")
            sound.put(sound.finish(samples, int(rate)).wav, file)
            made += 1
    if not (target / library.MUSIC.path).exists():
        sound.put(music.music(), target / library.MUSIC.path)
        made += 1
    for language in say.LANGUAGES:
        content = json.dumps(manifest("library", language), indent=1, ensure_ascii=False) + "\n"
        sound.put(content.encode(), target / "say" / language / MANIFEST)
    return made


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else library.prompts_dir()
    print(f"{make(target, find_voices())} files made in {target}")


if __name__ == "__main__":
    main()
