"""What calls hear of texts: a file that the speech process made before, or makes now while the call waits.

Nothing is generated here: it would hold up every other call of this engine.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import redis

from engine.domain.ports import Ids
from engine.domain.speech import (
    CALLS,
    LONGEST_TEXT,
    MOST_CALLS,
    REPLY,
    Answer,
    Wanted,
    normal,
    read_voices,
    speech_file,
    voices_file,
    waiting,
)


class Unspoken(Exception):
    """There is no sound of this text, and why."""


class Speaker(Protocol):
    """Turns texts into files that the switch can play."""

    def file(self, text: str, language: str, *, keep: bool = True) -> Path:
        """The file. May take seconds. `keep` false: it may be gone minutes later. Raises Unspoken."""


class RedisSpeaker:
    """Asks the speech process over Redis. `client` must let a command take longer than `wait_s`.

    `offload` runs a function that touches the disk where it holds up no other call.
    """

    def __init__(
        self, client: redis.Redis, prompts_dir: Path, ids: Ids, wait_s: float, offload: Callable[..., Any]
    ) -> None:
        self._client = client
        self._prompts_dir = prompts_dir
        self._ids = ids
        self._wait_s = wait_s
        self._offload = offload

    def file(self, text: str, language: str, *, keep: bool = True) -> Path:
        """The file, at once when the text was spoken before. Raises Unspoken.

        A greenlet that is killed while it waits takes its order back.
        """
        text = normal(text)
        if not text or len(text) > LONGEST_TEXT:
            raise Unspoken(f"a text of {len(text)} characters can't be spoken; 1 to {LONGEST_TEXT} are taken")
        kept: Path | None = self._offload(self._kept, (text, language, keep))
        return kept or self._made(Wanted(text, language, REPLY + self._ids.new(), keep))

    def _kept(self, text: str, language: str, keep: bool) -> Path | None:
        """The file if it is there; marked as used, since what nobody uses any more is deleted one day."""
        try:
            voice = read_voices(voices_file(self._prompts_dir).read_text(encoding="utf-8")).get(language)
            if voice is None:
                return None
            path = speech_file(self._prompts_dir, language, voice, text, keep=keep)
            os.utime(path)
        except (OSError, ValueError):
            return None
        return path

    def _made(self, wanted: Wanted) -> Path:
        try:
            answer = self._answer(wanted)
        except redis.RedisError as error:  # an order that got there runs out by itself
            raise Unspoken(f"the speech process can't be asked: {error}") from error
        except BaseException:
            with contextlib.suppress(redis.RedisError):
                self._take_back(wanted)
            raise
        if answer.fault:
            raise Unspoken(answer.fault)
        return self._prompts_dir / answer.file

    def _answer(self, wanted: Wanted) -> Answer:
        """What the speech process says. Raises Unspoken, redis.RedisError."""
        with self._client.pipeline(transaction=False) as pipe:
            pipe.set(waiting(wanted.reply), "", px=math.ceil(self._wait_s * 1000))
            pipe.rpush(CALLS, wanted.dump())
            # nobody waits longer: when no order has come for so long, all that are left are stale
            pipe.expire(CALLS, math.ceil(self._wait_s))
            _, length, _ = pipe.execute()
        if length > MOST_CALLS:
            raise Unspoken(f"{MOST_CALLS} calls wait for texts already; does `callwright speech` run?")
        came: Any = self._client.blpop([wanted.reply], timeout=self._wait_s)
        if came is None:
            raise Unspoken(f"not spoken within {self._wait_s:g} s; does `callwright speech` run?")
        return Answer.load(came[1])

    def _take_back(self, wanted: Wanted) -> None:
        with self._client.pipeline(transaction=False) as pipe:
            pipe.lrem(CALLS, 1, wanted.dump().decode())
            pipe.delete(waiting(wanted.reply))
            pipe.execute()
