"""One socket to the switch: a greenlet that reads, commands that are answered in order, waits that all end.

What needs no answer is posted: it is written together with the next command that does, or at the end of the current
turn of the event loop, whichever comes first. So a row of commands costs one write, and none of them lies around.

Memory is bounded by back-pressure: frames are handed over in the reader's greenlet, nothing is queued behind it, and
at most `MAX_UNANSWERED` commands are on their way.
"""

from __future__ import annotations

import contextlib
import logging
import socket as plain_socket
from collections import deque
from collections.abc import Callable, Iterable

import gevent
from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore
from gevent.socket import socket as Socket

from engine.switch import quoting
from engine.switch.frames import API_RESPONSE, COMMAND_REPLY, Frame, FrameError, FrameReader
from engine.switch.port import DeadlinePassed, SwitchLost

log = logging.getLogger(__name__)

COMMAND_DEADLINE_S = 10.0
"""How long a command may stay without an answer; FreeSWITCH answers within milliseconds."""
MAX_UNANSWERED = 512
_CHUNK_BYTES = 64 * 1024

Headers = Iterable[tuple[str, str]]
OnReply = Callable[[Frame | None], None]
"""Called once with the answer, or with None when the connection ended before it came. Must not block."""


def tune(sock: Socket) -> None:
    """No delay for small writes; a peer that vanished without a word is noticed within about a minute."""
    for level, option, value in (
        (plain_socket.IPPROTO_TCP, plain_socket.TCP_NODELAY, 1),
        (plain_socket.SOL_SOCKET, plain_socket.SO_KEEPALIVE, 1),
        (plain_socket.IPPROTO_TCP, getattr(plain_socket, "TCP_KEEPIDLE", None), 20),
        (plain_socket.IPPROTO_TCP, getattr(plain_socket, "TCP_KEEPINTVL", None), 10),
        (plain_socket.IPPROTO_TCP, getattr(plain_socket, "TCP_KEEPCNT", None), 3),
        (plain_socket.IPPROTO_TCP, getattr(plain_socket, "TCP_USER_TIMEOUT", None), 40_000),
    ):
        if option is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(level, option, value)


def encoded(command: str, headers: Headers = ()) -> bytes:
    """A command as it goes over the wire. Raises UnsafeArgument for anything that would begin another."""
    lines = [quoting.line(command)]
    lines += [f"{quoting.line(name)}: {quoting.line(value)}" for name, value in headers]
    return ("\n".join(lines) + "\n\n").encode()


class Connection:
    """Commands out, frames in, over one socket which it owns from now on.

    `on_frame` gets every frame that answers no command, in the reader's greenlet: it must not wait for an answer.
    `on_end` is called once, after every waiter was released, with the reason.
    """

    def __init__(
        self,
        sock: Socket,
        on_frame: Callable[[Frame], None],
        on_end: Callable[[SwitchLost], None],
        *,
        reader: FrameReader | None = None,
        name: str = "",
    ) -> None:
        self.name = name
        self.ended: SwitchLost | None = None
        self._sock = sock
        self._on_frame = on_frame
        self._on_end = on_end
        self._reader = reader or FrameReader()
        self._out: list[bytes] = []
        self._unanswered: deque[OnReply] = deque()
        self._writing = BoundedSemaphore(1)
        self._flush_due = False
        tune(sock)
        self._greenlet = gevent.spawn(self._read)

    def send(self, command: str, headers: Headers = (), deadline_s: float = COMMAND_DEADLINE_S) -> Frame:
        """Write everything posted and this command, wait for its answer.

        Raises SwitchLost, DeadlinePassed, UnsafeArgument.
        """
        result: AsyncResult = AsyncResult()
        self._enqueue(encoded(command, headers), result.set)
        self.flush(deadline_s)
        return self._answer(result, command, deadline_s)

    def _answer(self, result: AsyncResult, command: str, deadline_s: float) -> Frame:
        if self.ended is None:
            result.wait(deadline_s)
        elif not result.ready():
            raise self.ended
        if not result.ready():
            raise DeadlinePassed(f"no answer to `{' '.join(command.split(' ', 2)[:2])}` within {deadline_s:.1f} s")
        frame: Frame | None = result.value
        if frame is None:
            raise self.ended or SwitchLost("the connection ended")
        return frame

    def await_first(self, command: str, deadline_s: float) -> Frame:
        """Wait for the answer to a command that was written before this connection was made of its socket."""
        result: AsyncResult = AsyncResult()
        self._unanswered.appendleft(result.set)
        return self._answer(result, command, deadline_s)

    def post(self, command: str, headers: Headers = (), on_reply: OnReply | None = None) -> None:
        """Have a command written with the next one, at the latest when this greenlet next lets another run."""
        self._enqueue(encoded(command, headers), on_reply or _log_refusal(command))
        if not self._flush_due:
            self._flush_due = True
            gevent.get_hub().loop.run_callback(self._flush_in_own_greenlet)

    def flush(self, deadline_s: float = COMMAND_DEADLINE_S) -> None:
        """Write what is posted. Raises SwitchLost, also when the switch takes nothing within the deadline."""
        if not self._writing.acquire(timeout=deadline_s):
            raise DeadlinePassed(f"the switch took nothing within {deadline_s} s")
        try:
            while self._out and self.ended is None:
                data = b"".join(self._out)
                self._out.clear()
                written = False
                try:
                    with gevent.Timeout(deadline_s, False):
                        self._sock.sendall(data)
                        written = True
                finally:
                    if not written:
                        # Half a command may be on the wire: nothing that follows could be understood.
                        self._finish(SwitchLost("writing a command was broken off"))
        except OSError as fault:
            self._finish(SwitchLost(f"writing to the switch failed: {fault}"))
        finally:
            self._writing.release()
        if self.ended is not None:
            raise self.ended

    def settle(self, timeout_s: float) -> bool:
        """Write what is posted and wait until every command is answered; False when that takes too long or fails."""
        if self.ended is None and not self._out and not self._unanswered:
            return True
        done: AsyncResult = AsyncResult()
        try:
            if self._unanswered:
                last = self._unanswered.pop()
                self._unanswered.append(lambda frame: (last(frame), done.set(frame))[0])
            self.flush(timeout_s)
            done.wait(timeout_s)
            return done.ready() and done.value is not None
        except (SwitchLost, DeadlinePassed):
            return False

    def close(self, reason: str = "closed by the engine") -> None:
        """End the connection; every waiter is released with SwitchLost. Doing it twice changes nothing."""
        self._finish(SwitchLost(reason))

    def _enqueue(self, data: bytes, on_reply: OnReply) -> None:
        # Appending both without a switch between greenlets keeps answers and commands in the same order.
        if self.ended is not None:
            raise self.ended
        if len(self._unanswered) >= MAX_UNANSWERED:
            raise DeadlinePassed(f"{MAX_UNANSWERED} commands without an answer")
        self._out.append(data)
        self._unanswered.append(on_reply)

    def _flush_in_own_greenlet(self) -> None:
        self._flush_due = False
        if self._out and self.ended is None:
            gevent.spawn(self._flush_quietly)

    def _flush_quietly(self) -> None:
        with contextlib.suppress(SwitchLost, DeadlinePassed):
            self.flush()

    def _read(self) -> None:
        try:
            while self.ended is None:
                data = self._sock.recv(_CHUNK_BYTES)
                if not data:
                    part = f" within a frame, {self._reader.pending} bytes" if self._reader.pending else ""
                    self._finish(SwitchLost(f"the switch closed the connection{part}"))
                    return
                for frame in self._reader.feed(data):
                    self._take(frame)
                    if self.ended is not None:
                        return
                if len(data) == _CHUNK_BYTES:
                    gevent.sleep(0)  # a peer that never stops sending must not hold up the other calls
        except FrameError as fault:
            self._finish(SwitchLost(f"the switch sent what is no frame: {fault}"))
        except OSError as fault:
            self._finish(SwitchLost(f"reading from the switch failed: {fault}"))

    def _take(self, frame: Frame) -> None:
        if frame.content_type in (COMMAND_REPLY, API_RESPONSE):
            if not self._unanswered:
                log.warning("%s: an answer that nobody asked for: %s", self.name, quoting.visible(frame.reply[:80]))
                return
            self._guarded(self._unanswered.popleft(), frame)
            return
        self._guarded(self._on_frame, frame)

    def _guarded(self, call: Callable[[Frame], None], frame: Frame) -> None:
        try:
            call(frame)
        except Exception:
            log.exception("%s: handling %r failed", self.name, frame)

    def _finish(self, reason: SwitchLost) -> None:
        if self.ended is not None:
            return
        self.ended = reason
        with contextlib.suppress(OSError):
            self._sock.shutdown(plain_socket.SHUT_RDWR)
        self._sock.close()
        self._reader = FrameReader()  # half a frame must not stay in memory until the rest of the session goes
        self._out.clear()
        while self._unanswered:
            try:
                self._unanswered.popleft()(None)
            except Exception:
                log.exception("%s: releasing a waiter failed", self.name)
        self._on_end(reason)


def _log_refusal(command: str) -> OnReply:
    def check(frame: Frame | None) -> None:
        if frame is not None and frame.refused:
            log.warning("refused: %s: %s", quoting.visible(command[:80]), quoting.visible(frame.reply[:120]))

    return check
