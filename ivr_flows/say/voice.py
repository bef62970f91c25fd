"""A voice: a directory of recorded pieces with a manifest that says what is spoken in each file.

{"schema": "callwright/voice/1", "name": "jana", "language": "cs",
 "pieces": {"20": {"file": "20.wav", "text": "dvacet"}, …}}
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ivr_flows.say import pieces

SCHEMA = "callwright/voice/1"
MANIFEST = "manifest.json"


class VoiceInvalid(ValueError):
    """The manifest is none, and why."""


@dataclass(frozen=True, slots=True)
class _Piece:
    __pydantic_config__ = ConfigDict(extra="forbid")

    file: str
    text: str


_PIECES = TypeAdapter(dict[str, _Piece])


@dataclass(frozen=True, slots=True)
class Voice:
    """The recorded pieces of a voice. `pieces`: name of the piece, its file and its text."""

    name: str
    language: str
    pieces: Mapping[str, _Piece]

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Voice:
        """The voice of a manifest. Raises VoiceInvalid."""
        if not isinstance(manifest, Mapping) or manifest.get("schema") != SCHEMA:
            raise VoiceInvalid(f"the manifest's schema must be {SCHEMA}")
        name, language = manifest.get("name"), manifest.get("language")
        if not isinstance(name, str) or not isinstance(language, str):
            raise VoiceInvalid("the manifest must have a name and a language")
        try:
            found = _PIECES.validate_python(manifest.get("pieces"))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise VoiceInvalid(f"pieces{'.' + place if place else ''}: {first['msg']}") from None
        for piece, each in found.items():
            if "/" in each.file or each.file.startswith(".") or not each.file.endswith(".wav"):
                raise VoiceInvalid(f"pieces.{piece}.file: a WAV file of this directory is expected, not {each.file!r}")
        return cls(name, language, found)

    def has(self, wanted: Iterable[str]) -> bool:
        """Whether the manifest has all these pieces, with the text that they are to say. Raises `CannotSay`."""
        texts = pieces(self.language)
        return all(piece in self.pieces and self.pieces[piece].text == texts.get(piece) for piece in wanted)

    def file(self, piece: str) -> str:
        """The piece's file in the voice's directory. Raises KeyError."""
        return self.pieces[piece].file

    def faults(self, files: Collection[str]) -> list[str]:
        """What keeps it from saying everything, given the files of its directory. Raises `CannotSay`."""
        found = []
        for piece, text in pieces(self.language).items():
            recorded = self.pieces.get(piece)
            if recorded is None:
                found.append(f"the piece {piece!r} ({text!r}) is not recorded")
            elif recorded.file not in files:
                found.append(f"the file {recorded.file} of the piece {piece!r} ({text!r}) is missing")
            elif recorded.text != text:
                found.append(f"the piece {piece!r} must say {text!r}, but {recorded.file} says {recorded.text!r}")
        return found


def manifest(name: str, language: str) -> dict[str, Any]:
    """The manifest of a voice that has recorded every piece under its own name. Raises `CannotSay`."""
    found = {piece: {"file": f"{piece}.wav", "text": text} for piece, text in pieces(language).items()}
    return {"schema": SCHEMA, "name": name, "language": language, "pieces": found}
