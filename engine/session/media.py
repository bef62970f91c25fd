"""Where the sounds of a flow are on the switch's disk, and how the switch is told to play them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.domain.speech import described
from engine.session.speech import Speaker, Unspoken
from ivr_flows.instructions import Media, Pause, PromptFile, Spoken, Tone
from ivr_flows.say.voice import MANIFEST, Voice, VoiceInvalid

log = logging.getLogger(__name__)

LIBRARY_ROOTS = ("say/", "general/")
"""Prompts that come with the product: pieces of spoken numbers, and the general announcements."""


class NoSpeaker:
    """Where no speech process is configured."""

    def file(self, text: str, language: str, *, keep: bool = True) -> Path:
        """Raises Unspoken."""
        raise Unspoken(f"no voice has recorded all of {described(text)}, and there is no speech engine")


def directly(work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Work that touches the disk, done here and now."""
    return work(*arguments)


@dataclass(slots=True)
class MediaPaths:
    """`prompts_dir`: the customer's prompts; `library_dir`: ours. Both as the switch sees them.

    A text is heard in the pieces of the customer's own voice (`voices/<language>/` in `prompts_dir`) if that has them
    all, in its manifest and as files, else in those of the library's, else as the `speaker` speaks it. `offload` runs
    what touches the disk where it holds up no other call.
    """

    prompts_dir: Path
    library_dir: Path
    speaker: Speaker = field(default_factory=NoSpeaker)
    offload: Callable[..., Any] = directly
    _voices: dict[Path, tuple[int, Voice | None]] = field(default_factory=dict)

    def sources(self, media: Sequence[Media]) -> list[str]:
        """What the switch is to play for the media, in order. May wait for speech. Raises Unspoken."""
        return [source for item in media for source in self._sources(item)]

    def available(self, media: Sequence[Media]) -> list[str]:
        """Like `sources`, without what can't be spoken: where a call goes on better in silence than not at all."""
        found: list[str] = []
        for item in media:
            try:
                found += self._sources(item)
            except Unspoken as fault:
                log.warning("left out: %s", fault)
        return found

    def _sources(self, media: Media) -> Sequence[str]:
        match media:
            case PromptFile(path=path):
                return [str((self.library_dir if path.startswith(LIBRARY_ROOTS) else self.prompts_dir) / path)]
            case Spoken(text=text, language=language, pieces=pieces, keep=keep):
                recorded: list[str] = self.offload(self._recorded, (language, pieces)) if pieces else []
                return recorded or [str(self.speaker.file(text, language, keep=keep))]
            case Tone(hz=hz, on_ms=on_ms, off_ms=off_ms, repeats=repeats):
                frequencies = ",".join(str(f) for f in hz)
                return [f"tone_stream://%({on_ms},{off_ms},{frequencies});loops={repeats or -1}"]
            case Pause(ms=ms):
                return [f"silence_stream://{ms}"]

    def _recorded(self, language: str, pieces: Sequence[str]) -> list[str]:
        """The pieces' files, all of one voice; none if no voice has them all."""
        for directory in (self.prompts_dir / "voices" / language, self.library_dir / "say" / language):
            voice = self._voice(directory)
            if voice is None or voice.language != language or not voice.has(pieces):
                continue
            files = [directory / voice.file(piece) for piece in pieces]
            # looked at each time: a voice is recorded file by file, long after its manifest was written
            if all(file.is_file() for file in files):
                return [str(file) for file in files]
        return []

    def _voice(self, directory: Path) -> Voice | None:
        """The voice of a directory; read again when its manifest was changed."""
        manifest = directory / MANIFEST
        try:
            changed_ns = manifest.stat().st_mtime_ns
        except OSError:
            return None
        known = self._voices.get(directory)
        if known is None or known[0] != changed_ns:
            known = self._voices[directory] = (changed_ns, _read(manifest))
        return known[1]


def _read(manifest: Path) -> Voice | None:
    try:
        content: Mapping[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
        return Voice.of(content)
    except (OSError, ValueError, VoiceInvalid):
        return None  # `callwright doctor` says what is wrong with it
