"""What is done with a leg that waits parked: playing to it, and asking it for a key.

Over a connection of its own, filtered to this one leg: on the shared one the completions and keys of every managed
call would come along.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from typing import NoReturn

import gevent

from engine.switch.control_line import ControlAddress, ControlLine
from engine.switch.execution import UNKNOWN_CAUSE, Execution, channel_end, execute_headers
from engine.switch.frames import Frame
from engine.switch.port import ChannelEnd, ChannelGone, DeadlinePassed, SwitchError, SwitchLost
from engine.switch.waiting import Once

log = logging.getLogger(__name__)

_HANGUP_S = 3.0
"""How long the event that tells about a hangup may come after an application that the hangup ended."""
_STOP_S = 2.0
_EVENTS = "CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP_COMPLETE DTMF"


class ParkedLeg:
    """One leg, and the connection that sees it. Use it as a context manager: nothing of it stays behind."""

    def __init__(self, address: ControlAddress, leg: str, deadline_s: float) -> None:
        """Raises SwitchLost, DeadlinePassed."""
        self._leg = leg
        self._running: Execution | None = None
        self._end: Once[ChannelEnd] = Once()
        self._wanted = ""
        self._key: Once[str] = Once()
        self._news: Once[None] = Once()
        """A completion, a key that is wanted, or an end."""
        self._line = ControlLine(address, self._on_event, self._ended, deadline_s)
        try:
            self._line.subscribe([f"Unique-ID {leg}"], _EVENTS)
        except BaseException:
            self._line.close()
            raise

    def __enter__(self) -> ParkedLeg:
        return self

    def __exit__(self, *_: object) -> None:
        running = self._running
        if running is None or running.completed or self._line.ended is not None:
            self._line.close()
        else:
            # The deadline, or the greenlet was stopped from outside: what plays must not go on.
            gevent.spawn(self._stop_and_close, running)

    def play(self, sources: Sequence[str], deadline_s: float) -> bool:
        """Play all of them; False when one could not be played or the leg hung up. Raises SwitchLost,
        DeadlinePassed."""
        with gevent.Timeout(deadline_s, False):
            return all(_was_played(self._completion(self._start(source))) for source in sources)
        raise DeadlinePassed(f"playing to {self._leg} took longer than {deadline_s} s")

    def ask(self, sources: Sequence[str], keys: str, timeout_s: float, deadline_s: float) -> str | None:
        """Play, and wait for one of `keys`, which stops what plays. Raises ChannelGone, SwitchLost, DeadlinePassed."""
        self._wanted = keys
        # A leg that went before our subscription is told by nobody.
        if self._line.send(f"api uuid_exists {self._leg}").reply != "true":
            self._raise_gone(0)
        played = False
        with gevent.Timeout(deadline_s, False):
            for source in sources:
                if not self._key.ready:
                    self._play_until_key(source)
            played = True
        if not played:
            raise DeadlinePassed(f"playing to {self._leg} took longer than {deadline_s} s")
        self._wait_for_key(timeout_s)
        return self._key.value

    # Playing

    def _start(self, source: str) -> Execution:
        """Start one source, completed at once where the leg has gone."""
        execution = self._running = Execution("playback")
        command = f"sendmsg {self._leg}"
        if self._end.ready or self._line.send(command, execute_headers(execution, source)).refused:
            execution.complete(None)
        return execution

    def _completion(self, execution: Execution) -> Frame | None:
        """How it ended; None where the leg hung up. Raises SwitchLost."""
        frame = execution.wait(None)
        if frame is None and self._line.ended is not None:
            raise self._line.ended
        return frame

    def _play_until_key(self, source: str) -> None:
        self._news = Once()
        execution = self._start(source)
        if not execution.completed and not self._key.ready:
            self._news.wait()
        if self._key.ready and not execution.completed:
            execution.stop(self._break)
        frame = self._completion(execution)
        if self._key.ready or _was_played(frame):
            return
        if frame is None or frame.get("Answer-State") == "hangup":
            self._raise_gone(_HANGUP_S)
        log.warning("%s: not played: %s: %s", self._leg, source, frame.get("Application-Response"))

    def _wait_for_key(self, timeout_s: float) -> None:
        self._news = Once()
        if not (self._key.ready or self._end.ready or self._line.ended is not None):
            self._news.wait(timeout_s)
        if self._key.ready:
            return
        if self._end.ready:
            self._raise_gone(0)
        if self._line.ended is not None:
            raise self._line.ended

    def _raise_gone(self, within_s: float) -> NoReturn:
        """`within_s`: how long the event that tells about the hangup may yet come."""
        self._end.wait(within_s)
        raise ChannelGone(self._end.value or ChannelEnd(self._leg, UNKNOWN_CAUSE, by_remote=False, variables={}))

    def _break(self) -> None:
        self._line.send(f"api uuid_break {self._leg}")

    def _stop_and_close(self, execution: Execution) -> None:
        try:
            with gevent.Timeout(_STOP_S, False), contextlib.suppress(SwitchError):
                execution.stop(self._break)
        finally:
            self._line.close()

    # What comes in, in the event loop

    def _on_event(self, frame: Frame) -> None:
        if frame.get("Unique-ID") != self._leg:
            return
        if frame.name == "CHANNEL_HANGUP_COMPLETE":
            self._end.set(channel_end(frame))
            self._release(None)
        elif frame.name == "DTMF":
            key = frame.get("DTMF-Digit") or ""
            if len(key) == 1 and key in self._wanted:
                self._key.set(key)
                self._news.set()
        elif self._running is not None and frame.get("Application-UUID") == self._running.uuid:
            self._release(frame)

    def _ended(self, reason: SwitchLost) -> None:
        self._release(None)

    def _release(self, frame: Frame | None) -> None:
        if self._running is not None and not self._running.completed:
            self._running.complete(frame)
        self._news.set()


def _was_played(frame: Frame | None) -> bool:
    if frame is None:
        return False
    return frame.get("Application-Response") == "FILE PLAYED" and frame.get("Answer-State") != "hangup"
