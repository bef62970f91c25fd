"""Has the texts of flows spoken before the first caller hears them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Protocol

import redis

from engine.domain.speech import AHEAD, AHEAD_EXPIRY_S, MOST_AHEAD, Wanted, read_voices, voices_file
from ivr_flows.instructions import Spoken

log = logging.getLogger(__name__)


class Speech(Protocol):
    """The speech process, as far as uploads of flows need it."""

    def languages(self) -> Collection[str] | None:
        """Those that it has a voice for; None: not known here."""

    def prepare(self, texts: Iterable[Spoken]) -> None:
        """Have these texts spoken soon. Never raises: a call that needs one sooner asks by itself."""


class RedisSpeech:
    """Asks the speech process over Redis; its voices stand in the prompts directory."""

    def __init__(self, client: redis.Redis, prompts_dir: Path) -> None:
        self._client = client
        self._prompts_dir = prompts_dir

    def languages(self) -> Collection[str] | None:
        """Those of the voices that the speech process found at its start; None where it never ran."""
        try:
            return read_voices(voices_file(self._prompts_dir).read_text(encoding="utf-8")).keys()
        except (OSError, ValueError):
            return None

    def prepare(self, texts: Iterable[Spoken]) -> None:
        """Puts the texts into the speech process's list, each once however often the flow is uploaded."""
        wanted = [Wanted(each.text, each.language).dump() for each in texts]
        if not wanted:
            return
        try:
            with self._client.pipeline() as pipe:
                for each in wanted:
                    pipe.lrem(AHEAD, 0, each.decode())
                pipe.rpush(AHEAD, *wanted)
                pipe.ltrim(AHEAD, -MOST_AHEAD, -1)
                pipe.expire(AHEAD, AHEAD_EXPIRY_S)
                pipe.execute()
        except redis.RedisError as error:
            log.warning("%d texts are not spoken ahead: %s", len(wanted), error)


class NoSpeech:
    """Where there is no Redis to ask over."""

    def languages(self) -> Collection[str] | None:
        """Not known."""
        return None

    def prepare(self, texts: Iterable[Spoken]) -> None:
        """Does nothing."""
