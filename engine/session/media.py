"""Where the sounds of a flow are on the switch's disk, and how the switch is told to play them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ivr_flows.instructions import Media, Pause, PromptFile, Tone

LIBRARY_ROOTS = ("say/", "general/")
"""Prompts that come with the product: pieces of spoken numbers, and the general announcements."""


@dataclass(frozen=True, slots=True)
class MediaPaths:
    """`prompts_dir`: the customer's prompts; `library_dir`: ours. Both as the switch sees them."""

    prompts_dir: Path
    library_dir: Path

    def sources(self, media: Sequence[Media]) -> list[str]:
        """What the switch is to play for each of the media, in order."""
        return [self._source(item) for item in media]

    def _source(self, media: Media) -> str:
        match media:
            case PromptFile(path=path):
                return str((self.library_dir if path.startswith(LIBRARY_ROOTS) else self.prompts_dir) / path)
            case Tone(hz=hz, on_ms=on_ms, off_ms=off_ms, repeats=repeats):
                frequencies = ",".join(str(f) for f in hz)
                return f"tone_stream://%({on_ms},{off_ms},{frequencies});loops={repeats or -1}"
            case Pause(ms=ms):
                return f"silence_stream://{ms}"
