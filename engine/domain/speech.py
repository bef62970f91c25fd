"""Speech that is generated once and kept: where the files are, and how they are asked for.

Below the prompts directory, which the switch, the engines and the speech process share:

    speech/voices.json                      which voice speaks which language, written by the speech process
    speech/<language>/<voice>-<hash>.wav    a text spoken by a voice; another engine, version or voice: another file
    speech/passing/<language>/…             the same for texts that are not to be kept: deleted soon after their use

Texts hold what is personal: they stand in no log and no name of a file, `described` stands for them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

DIRECTORY = "speech"
PASSING = "passing"
VOICES = "voices.json"
LONGEST_TEXT = 2000

CALLS = "cw:speech:calls"
"""Redis list of what calls wait for; served first. Who gives up waiting takes the order out again."""
MOST_CALLS = 500
"""Longer than this the list of calls does not grow: who comes then would wait in vain."""
AHEAD = "cw:speech:ahead"
"""Redis list of what will be needed: the texts of a flow that was uploaded."""
MOST_AHEAD = 5000
"""Beyond this the oldest texts of that list are forgotten: a call that needs one asks for itself."""
AHEAD_EXPIRY_S = 24 * 3600
REPLY = "cw:speech:reply:"
"""Begins the name of the Redis list on which somebody waits to be told."""
REPLY_EXPIRY_S = 60
PROCESS = "cw:speech:process:"
"""Begins the key that each speech process keeps alive; its value is the version of the program."""


def normal(text: str) -> str:
    """The text without what can't be heard: line breaks, control characters, double blanks."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def described(text: str) -> str:
    """The text as logs and faults may name it: its length, and a hash by which who has the text can recognise it."""
    digest = hashlib.sha256(normal(text).encode()).hexdigest()[:8]
    return f"a text of {len(normal(text))} characters ({digest})"


def voices_file(prompts_dir: Path) -> Path:
    """Where it stands which voice speaks which language."""
    return prompts_dir / DIRECTORY / VOICES


def speech_file(prompts_dir: Path, language: str, voice: str, text: str, *, keep: bool = True) -> Path:
    """Where the text is kept as this voice speaks it. `voice` names engine, version and voice."""
    digest = hashlib.sha256(f"{voice}\n{normal(text)}".encode()).hexdigest()[:32]
    return spoken_dir(prompts_dir, keep=keep) / language / f"{voice}-{digest}.wav"


def spoken_dir(prompts_dir: Path, *, keep: bool) -> Path:
    """Where the directories of the languages are; for texts to `keep`, or for those that are deleted soon."""
    return prompts_dir / DIRECTORY if keep else prompts_dir / DIRECTORY / PASSING


def read_voices(content: str) -> Mapping[str, str]:
    """The content of the voices' file. Raises ValueError."""
    voices = json.loads(content)
    if not isinstance(voices, dict) or not all(isinstance(voice, str) for voice in voices.values()):
        raise ValueError("no object of languages and voices")
    return voices


def waiting(reply: str) -> str:
    """The Redis key that is there as long as somebody waits for this reply.

    It expires with the wait: orders run out by Redis's clock, since those of engine and speech process may differ.
    """
    return f"cw:speech:waiting:{reply.removeprefix(REPLY)}"


class OrderInvalid(ValueError):
    """What stands in the list is no order; `reply` says who waits for an answer to it all the same, empty: nobody."""

    def __init__(self, reason: str, reply: str = "") -> None:
        super().__init__(reason)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Wanted:
    """A text to be spoken. `reply`: the Redis list on which somebody waits to be told; empty for nobody.

    `keep` false: the sound is deleted soon after its use.
    """

    text: str
    language: str
    reply: str = ""
    keep: bool = True

    def dump(self) -> bytes:
        """As it is put into the list."""
        return json.dumps(asdict(self), ensure_ascii=False).encode()

    @classmethod
    def load(cls, data: bytes) -> Wanted:
        """Raises OrderInvalid, whose words quote nothing of the order."""
        try:
            found: Any = json.loads(data)
        except (ValueError, RecursionError):
            raise OrderInvalid("it is no JSON") from None
        if not isinstance(found, dict):
            raise OrderInvalid("it is no JSON object")
        reply = found.get("reply", "")
        if not isinstance(reply, str) or (reply and not reply.startswith(REPLY)):
            raise OrderInvalid(f"its reply is no text that begins with {REPLY}")
        unknown = found.keys() - _TYPES.keys()
        if unknown:
            raise OrderInvalid(f"it has {len(unknown)} unknown fields", reply)
        for name, expected in _TYPES.items():
            if type(found.get(name, _DEFAULTS.get(name))) is not expected:
                raise OrderInvalid(f"its {name} is no {expected.__name__}", reply)
        return cls(**found)


_TYPES: Mapping[str, type] = {"text": str, "language": str, "reply": str, "keep": bool}
_DEFAULTS: Mapping[str, Any] = {"reply": "", "keep": True}


@dataclass(frozen=True, slots=True)
class Answer:
    """The file, below the prompts directory; or, where there is none, why not."""

    file: str = ""
    fault: str = ""

    def dump(self) -> bytes:
        """As it is put into the list."""
        return json.dumps(asdict(self), ensure_ascii=False).encode()

    @classmethod
    def load(cls, data: bytes) -> Answer:
        """Raises ValueError, TypeError."""
        return cls(**json.loads(data))
