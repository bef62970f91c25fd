"""One socket to the switch: read in the event loop, commands that are answered in order, waits that all end.

No greenlet belongs to a connection. What comes is read and handed over by a callback of the event loop, one `recv` a
turn; who is given a frame there must not wait, and who can't take more for now says `hold`.

What needs no answer is posted: it is written together with the next command that does, or at the end of the current
turn of the event loop, whichever comes first. So a row of commands costs one write, and none of them lies around.

Memory is bounded by back-pressure: a connection that is held reads nothing, and at most `MAX_UNANSWERED` commands are
on their way.
"""

from __future__ import annotations

import _socket
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable

import gevent
from gevent.socket import socket as Socket

from engine.switch import quoting
from engine.switch.frames import API_RESPONSE, COMMAND_REPLY, Frame, FrameError, FrameReader
from engine.switch.port import DeadlinePassed, SwitchLost
from engine.switch.waiting import Once
from engine.switch.writing import Writer

log = logging.getLogger(__name__)

COMMAND_DEADLINE_S = 10.0
"""How long a command may stay without an answer; FreeSWITCH answers within milliseconds."""
MAX_UNANSWERED = 512
_CHUNK_BYTES = 64 * 1024
_READ = 1

Headers = Iterable[tuple[str, str]]
OnReply = Callable[[Frame | None], None]
"""Called once with the answer, or with None when the connection ended before it came. Must not block."""


def tune(sock: Socket | _socket.socket) -> None:
    """No delay for small writes; a peer that vanished without a word is noticed within about a minute.

    Connections that are accepted inherit all of this from the listening socket.
    """
    for level, option, value in (
        (_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1),
        (_socket.SOL_SOCKET, _socket.SO_KEEPALIVE, 1),
        (_socket.IPPROTO_TCP, getattr(_socket, "TCP_KEEPIDLE", None), 20),
        (_socket.IPPROTO_TCP, getattr(_socket, "TCP_KEEPINTVL", None), 10),
        (_socket.IPPROTO_TCP, getattr(_socket, "TCP_KEEPCNT", None), 3),
        (_socket.IPPROTO_TCP, getattr(_socket, "TCP_USER_TIMEOUT", None), 40_000),
    ):
        if option is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(level, option, value)


def encoded(command: str, headers: Headers = ()) -> bytes:
    """A command as it goes over the wire. Raises UnsafeArgument for anything that would begin another."""
    lines = [command, *[f"{name}: {value}" for name, value in headers]]
    quoting.line("".join(lines))
    return ("\n".join(lines) + "\n\n").encode()


class Connection:
    """Commands out, frames in, over one socket which it owns from now on: the object given is detached from it.

    `on_frame` gets every frame that answers no command, in the event loop: it must not wait for anything.
    `on_end` is called once, after every waiter was released, with the reason.
    """

    def __init__(
        self,
        sock: Socket | _socket.socket,
        on_frame: Callable[[Frame], None],
        on_end: Callable[[SwitchLost], None],
        *,
        reader: FrameReader | None = None,
        name: str = "",
    ) -> None:
        self.name = name
        self.ended: SwitchLost | None = None
        self.sock = sock if type(sock) is _socket.socket else _plain(sock)
        self._on_frame = on_frame
        self._on_end = on_end
        self._reader = reader or FrameReader()
        self._unanswered: deque[OnReply] = deque()
        self._writer = Writer(self.sock, self.close)
        self._flush_due = False
        self._held = False
        self._loop = gevent.get_hub().loop
        self._watcher = self._loop.io(self.sock.fileno(), _READ)
        self._watcher.start(self.read)

    def send(self, command: str, headers: Headers = (), deadline_s: float = COMMAND_DEADLINE_S) -> Frame:
        """Write everything posted and this command, wait for its answer.

        Raises SwitchLost, DeadlinePassed, UnsafeArgument.
        """
        answer: Once[Frame] = Once()
        self._enqueue(encoded(command, headers), answer.set)
        self.flush(deadline_s)
        if not answer.wait(deadline_s) and not self._writer.overdue():
            raise DeadlinePassed(f"no answer to `{' '.join(command.split(' ', 2)[:2])}` within {deadline_s:.1f} s")
        if answer.value is None:
            raise self.ended or SwitchLost("the connection ended")
        return answer.value

    def take_first(self, on_reply: OnReply) -> None:
        """Take the answer to a command that was written before this connection was made of its socket.

        Reads what has come, so `on_reply` may be called at once.
        """
        self._unanswered.appendleft(on_reply)
        self.read()

    def post(self, command: str, headers: Headers = (), on_reply: OnReply | None = None) -> None:
        """Have a command written with the next one, at the latest when this greenlet next lets another run."""
        self._enqueue(encoded(command, headers), on_reply or _log_refusal(command))
        if not self._flush_due:
            self._flush_due = True
            self._loop.run_callback(self._flush_posted)

    def flush(self, deadline_s: float = COMMAND_DEADLINE_S) -> None:
        """Write what is posted, without waiting; what there is no room for follows when there is.

        Raises SwitchLost; the connection ends when the switch takes nothing within the deadline.
        """
        if self.ended is None:
            self._writer.flush(deadline_s)
        if self.ended is not None:
            raise self.ended

    def settle(self, timeout_s: float) -> bool:
        """Write what is posted and wait until every command is answered; False when that takes too long or fails."""
        if not self._unanswered:
            return self.ended is None
        done: Once[Frame] = Once()
        last = self._unanswered.pop()

        def both(frame: Frame | None) -> None:
            last(frame)
            done.set(frame)

        self._unanswered.append(both)
        try:
            self.flush(timeout_s)
        except SwitchLost:
            return False
        return done.wait(timeout_s) and done.value is not None

    def hold(self) -> None:
        """Read nothing until `go_on`: the switch has to wait. What has been read already is kept, not handed over."""
        self._held = True
        if self.ended is None:
            self._watcher.stop()

    def go_on(self) -> None:
        """Take what was held up."""
        if self._held:
            self._held = False
            self._loop.run_callback(self._take_up)

    def close(self, reason: str = "closed by the engine") -> None:
        """End the connection; every waiter is released with SwitchLost. Doing it twice changes nothing."""
        if self.ended is not None:
            return
        self.ended = lost = SwitchLost(reason)
        self._writer.clear()
        self._watcher.stop()
        self._watcher.close()
        with contextlib.suppress(OSError):
            self.sock.shutdown(_socket.SHUT_RDWR)
        self.sock.close()
        self._reader = FrameReader()  # half a frame must not stay in memory until the rest of the session goes
        while self._unanswered:
            try:
                self._unanswered.popleft()(None)
            except Exception:
                log.exception("%s: releasing a waiter failed", self.name)
        self._on_end(lost)

    def read(self) -> None:
        """Take what is there. Once a turn of the event loop: one that never stops sending must not hold up others."""
        if self._held or self.ended is not None:
            return
        try:
            data = self.sock.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError as fault:
            self.close(f"reading from the switch failed: {fault}")
            return
        if data:
            self._cut(data)
            return
        part = f" within a frame, {self._reader.pending} bytes" if self._reader.pending else ""
        self.close(f"the switch closed the connection{part}")

    def _cut(self, data: bytes) -> None:
        """Hand over the frames that are complete with `data`, until the end or until held."""
        try:
            for frame in self._reader.feed(data):
                self._take(frame)
                if self._held or self.ended is not None:
                    return
        except FrameError as fault:
            self.close(f"the switch sent what is no frame: {fault}")

    def _take_up(self) -> None:
        if self.ended is None and not self._held:
            self._cut(b"")
        if self.ended is None and not self._held:
            self._watcher.start(self.read)

    def _enqueue(self, data: bytes, on_reply: OnReply) -> None:
        # Adding both without a switch between greenlets keeps answers and commands in the same order.
        if self.ended is not None:
            raise self.ended
        if len(self._unanswered) >= MAX_UNANSWERED:
            raise DeadlinePassed(f"{MAX_UNANSWERED} commands without an answer")
        self._writer.add(data)
        self._unanswered.append(on_reply)

    def _flush_posted(self) -> None:
        self._flush_due = False
        if self.ended is None:
            self._writer.flush(COMMAND_DEADLINE_S)

    def _take(self, frame: Frame) -> None:
        try:
            if frame.content_type not in _ANSWERS:
                self._on_frame(frame)
            elif self._unanswered:
                self._unanswered.popleft()(frame)
            else:
                log.warning("%s: an answer that nobody asked for: %s", self.name, quoting.visible(frame.reply[:80]))
        except Exception:
            log.exception("%s: handling %r failed", self.name, frame)


_ANSWERS = (COMMAND_REPLY, API_RESPONSE)


def _plain(sock: Socket | _socket.socket) -> _socket.socket:
    """The socket without what gevent, or the standard library, puts around it; never blocking."""
    plain = _socket.socket(sock.family, sock.type, sock.proto, sock.detach())
    plain.setblocking(False)
    return plain


def _log_refusal(command: str) -> OnReply:
    def check(frame: Frame | None) -> None:
        if frame is not None and frame.refused:
            log.warning("refused: %s: %s", quoting.visible(command[:80]), quoting.visible(frame.reply[:120]))

    return check
