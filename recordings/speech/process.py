"""The process `callwright speech`: speaks what calls and uploads ask for over Redis, into the prompts directory."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

import redis

from engine.domain.speech import (
    AHEAD,
    CALLS,
    LONGEST_TEXT,
    PROCESS,
    REPLY_EXPIRY_S,
    Answer,
    OrderInvalid,
    Wanted,
    normal,
    waiting,
)
from recordings.speech.cache import SpeechCache
from recordings.speech.engines import SpeechError, find_voices

if TYPE_CHECKING:
    from pathlib import Path

    from engine.config import Config

log = logging.getLogger(__name__)

POLL_S = 1
"""How soon it notices that it is to stop."""
PAUSE_S = 2.0
SIGN_EVERY_S = 5.0
"""How often it gives a sign of life, by which `callwright doctor` knows of it."""
SIGN_EXPIRY_S = 15
PRUNE_EVERY_S = 24 * 3600
PRUNE_PASSING_EVERY_S = 60
PASSING_S = 600
"""What is not to be kept is deleted when no call has used it for so long: the longest text is heard in less."""
SECONDS_A_DAY = 86400
BROKE_DOWN = Answer(fault="the speech process broke down at this text; its log says why")


class SpeechWorker:
    """Serves the lists until `stop`, with several threads at once; the first of them takes nothing but what calls
    wait for, so that they never stand behind a long text of an upload.
    """

    def __init__(
        self, client: redis.Redis, cache: SpeechCache, prompts_dir: Path, *, threads: int = 1, keep_days: int = 30
    ) -> None:
        self._client = client
        self._cache = cache
        self._prompts_dir = prompts_dir
        self._threads = threads
        self._keep_days = keep_days
        self._stopping = threading.Event()
        self._guard = threading.Lock()
        self._asking: dict[tuple[str, str, bool], list[str]] = {}
        """The texts that are being spoken, and who waits for each."""
        self._name = f"{PROCESS}{socket.gethostname()}-{os.getpid()}"
        self._version = metadata.version("callwright")

    def stop(self) -> None:
        """Lets `run` return after the texts that it is at. May be called from a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Works until `stop`."""
        served = [(CALLS, AHEAD) if n or self._threads == 1 else (CALLS,) for n in range(self._threads)]
        threads = [
            threading.Thread(target=self._serve, args=(lists,), name=f"speech-{n}") for n, lists in enumerate(served)
        ]
        for each in threads:
            each.start()
        try:
            self._keep_up()
        finally:
            self._stopping.set()
            for each in threads:
                each.join()
            with contextlib.suppress(redis.RedisError):
                self._client.delete(self._name)

    def serve_one(self, wait_s: float = POLL_S, lists: Sequence[str] = (CALLS, AHEAD)) -> bool:
        """Takes one order, if one comes within that time, and sees to it. Raises redis.RedisError."""
        came: Any = self._client.blpop(list(lists), timeout=wait_s)
        if came is None:
            return False
        try:
            wanted = Wanted.load(came[1])
        except OrderInvalid as error:
            log.error("speech: what came in %s is no order: %s", came[0].decode(), error)
            self._tell([error.reply] if error.reply else [], Answer(fault=f"this is no order: {error}"))
            return True
        if wanted.reply and not self._client.exists(waiting(wanted.reply)):
            return True  # nobody waits for it any more
        text = (normal(wanted.text), wanted.language, wanted.keep)
        if not self._is_first(text, wanted.reply):
            return True
        answer = BROKE_DOWN
        try:
            answer = self._answer(wanted)
        finally:
            with self._guard:
                replies = self._asking.pop(text)
            self._tell(replies, answer)
        return True

    def _is_first(self, text: tuple[str, str, bool], reply: str) -> bool:
        """Whether nobody here is speaking the text; who is tells those who asked later too."""
        with self._guard:
            replies = self._asking.get(text)
            if replies is None:
                self._asking[text] = [reply] if reply else []
                return True
            replies += [reply] if reply else []
            return False

    def _tell(self, replies: Sequence[str], answer: Answer) -> None:
        if not replies:
            return
        with self._client.pipeline() as pipe:
            for reply in replies:
                pipe.rpush(reply, answer.dump())
                pipe.expire(reply, REPLY_EXPIRY_S)
            pipe.execute()

    def _answer(self, wanted: Wanted) -> Answer:
        if len(wanted.text) > LONGEST_TEXT:
            return Answer(fault=f"a text may have {LONGEST_TEXT} characters, not {len(wanted.text)}")
        try:
            file = self._cache.file(wanted.text, wanted.language, keep=wanted.keep)
        except (SpeechError, OSError) as error:
            log.warning("speech: %s", error)
            return Answer(fault=str(error))
        return Answer(file=str(file.relative_to(self._prompts_dir)))

    def _serve(self, lists: Sequence[str]) -> None:
        away = False
        while not self._stopping.is_set():
            try:
                self.serve_one(lists=lists)
                away = False
            except redis.RedisError as error:
                if not away:
                    log.error("speech: Redis is away, texts are not spoken meanwhile: %s", error)
                away = True
                self._stopping.wait(PAUSE_S)
            except Exception:
                log.exception("speech: a text was not spoken")

    def _keep_up(self) -> None:
        """Signs of life, and what is to be deleted, until `stop`."""
        next_prune_s = {True: 0.0, False: 0.0}
        while True:
            with contextlib.suppress(redis.RedisError):  # the threads tell of it
                self._client.set(self._name, self._version, ex=SIGN_EXPIRY_S)
            for keep, due_s in next_prune_s.items():
                if time.monotonic() >= due_s:
                    self._prune(keep)
                    next_prune_s[keep] = time.monotonic() + (PRUNE_EVERY_S if keep else PRUNE_PASSING_EVERY_S)
            if self._stopping.wait(SIGN_EVERY_S):
                return

    def _prune(self, keep: bool) -> None:
        try:
            gone = self._cache.prune(self._keep_days * SECONDS_A_DAY if keep else PASSING_S, keep=keep)
        except OSError as error:
            log.warning("speech: old files are not deleted: %s", error)
            return
        if gone and keep:
            log.info("speech: deleted %d files that nobody used for %d days", gone, self._keep_days)


def run(config: Config) -> int:
    """Runs the process until SIGTERM or SIGINT; the exit code. Raises ConfigError, OSError."""
    config.require("redis.url")
    voices = find_voices(config.speech.piper_voices_dir, config.speech.piper_program)
    prompts_dir = config.engine.prompts_dir
    cache = SpeechCache(prompts_dir, voices)
    cache.announce_voices()
    client = redis.Redis.from_url(config.redis.dsn, socket_timeout=POLL_S + 2, socket_connect_timeout=2)
    worker = SpeechWorker(client, cache, prompts_dir, threads=config.speech.workers, keep_days=config.speech.keep_days)
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: worker.stop())
    told = ", ".join(f"{language}: {voice.id}" for language, voice in sorted(voices.items()))
    log.info("speech into %s by %s", prompts_dir, told or "nobody: install callwright[speech]")
    worker.run()
    client.close()
    return 0
