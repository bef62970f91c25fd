"""What an area says, and what it is asked about."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.config import Config

Level = Literal["ok", "warn", "fail"]
ANSWER_WITHIN_S = 5.0
"""How long anything that is asked over the network may take to answer."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `advice` says what to do, empty when there is nothing to do."""

    level: Level
    what: str
    advice: str = ""


def ok(what: str) -> Finding:
    """All is as it should be."""
    return Finding("ok", what)


def warn(what: str, advice: str) -> Finding:
    """It works, and somebody should look."""
    return Finding("warn", what, advice)


def fail(what: str, advice: str) -> Finding:
    """It does not work, or must not stay so."""
    return Finding("fail", what, advice)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined."""

    config: Config
    file: Path | None = None
    """Where the configuration was read from, None for the environment alone."""
    now: Callable[[], float] = time.time
    """This machine's clock, seconds since the epoch."""

    @property
    def configured(self) -> bool:
        """Whether a system is named at all, or this is a machine on which somebody begins."""
        config = self.config
        return bool(config.database.url or config.redis.url or config.s3.endpoint_url or config.switches)


Area = Callable[[Subject], Iterator[Finding]]


def words_of(error: BaseException) -> str:
    """The first line of what a library says of its failure; of SQLAlchemy's error, what the driver said."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def unfinished(error: Exception) -> Finding:
    """A check that broke down by itself: never the operator's fault, and never a reason to leave the others out."""
    return fail(
        f"a check of doctor itself broke down: {type(error).__name__}: {words_of(error)}",
        "the other checks count all the same; please report this with the version of callwright",
    )
