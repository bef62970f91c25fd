"""Accepts the connections on which the switch hands over calls.

Each connection is greeted with `connect` and costs no greenlet until that is answered, which with a switch takes
milliseconds; so thousands of silent clients neither take a call's place nor much memory. Who says nothing is dropped
after a deadline, or earlier, the oldest first, when there are very many.

At the bound on sessions a call is taken over and let go at once: the dialplan goes on to its next `socket` action,
which names another engine. Simply closing the connection would leave it in silence for ever (`engine.switch.session`).
"""

from __future__ import annotations

import _socket
import contextlib
import errno
import logging
import resource
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent import socket
from gevent.server import StreamServer

from engine.switch.adapter import SwitchChannel
from engine.switch.connection import encoded, tune
from engine.switch.outbound import OutboundSession
from engine.switch.port import SwitchError
from engine.switch.session import SESSIONS, Sessions

log = logging.getLogger(__name__)

BACKLOG = 4096
CLOSE_S = 3.0
MAX_SILENT = 1024
"""More connections without a first byte than this are dropped once they are older than `PATIENCE_S`."""
PATIENCE_S = 1.0
_DESCRIPTORS = 0.7
"""The part of the process's descriptors that connections without a first byte may take, however young they are."""
MAX_UNNAMED = 1024
"""Connections that have begun an answer to `connect` and not ended it; with more, the oldest is dropped. A switch's are
so for a millisecond, and each may hold a part of a frame in memory."""
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_REMIND_S = 10.0
_READ = 1


class _Greeted:
    """A connection that was greeted and has not said anything yet."""

    __slots__ = ("address", "since_s", "sock", "watcher")

    def __init__(self, sock: _socket.socket, address: Any) -> None:
        self.sock = sock
        self.address = address
        self.since_s = time.monotonic()
        self.watcher = gevent.get_hub().loop.io(sock.fileno(), _READ)

    def drop(self) -> None:
        self.forget()
        self.sock.close()

    def forget(self) -> None:
        """Stop waiting for the first byte."""
        self.watcher.stop()
        self.watcher.close()


class _Acceptor(StreamServer):  # type: ignore[misc]
    """Gives each connection to `greet`, without a greenlet for it."""

    def __init__(
        self, listener: socket.socket, greet: Callable[[_socket.socket, Any], None], make_room: Callable[[], bool]
    ) -> None:
        """`make_room` closes something when the process has no descriptor left; False when there is nothing."""
        super().__init__(listener, greet)
        self._greet = greet
        self._make_room = make_room

    def do_read(self) -> Any:
        """The next connection. What is raised makes gevent pause, up to a second: accepting never spins or ends."""
        while True:
            try:
                return self.accept()
            except BlockingIOError:
                return None
            except OSError as fault:
                if fault.errno not in _NO_DESCRIPTORS or not self._make_room():
                    raise

    def accept(self) -> tuple[_socket.socket, Any]:
        """The socket as the system gives it: what gevent puts around one costs more than all the rest here."""
        listener = self.socket
        descriptor, address = listener._accept()
        sock = _socket.socket(listener.family, listener.type, listener.proto, descriptor)
        sock.setblocking(False)
        return sock, address

    def do_handle(self, sock: _socket.socket, address: Any) -> None:
        self._greet(sock, address)


class OutboundServer:
    """Hands every call that arrives to `handler`, each in a greenlet of its own; the call is let go when it returns.

    `listen` is (host, port); port 0 takes a free one, see `address`.
    """

    def __init__(
        self,
        listen: tuple[str, int],
        handler: Callable[[SwitchChannel], None],
        max_sessions: int = 1000,
        connect_deadline_s: float = 10.0,
        sessions: Sessions = SESSIONS,
        returning: Callable[[str], bool] = lambda uuid: False,
    ) -> None:
        """`returning` tells of a call that this engine has already: it is taken whatever the bound."""
        self._listen = listen
        self._handler = handler
        self._max_sessions = max_sessions
        self._returning = returning
        self._connect_deadline_s = connect_deadline_s
        self._sessions = sessions
        self._silent: dict[_Greeted, None] = {}
        """Connections without a first byte, the oldest first."""
        self._unnamed: dict[OutboundSession, float] = {}
        """Connections that have said something, but not yet which call they are, and since when; the oldest first."""
        self._reminded_s = -_REMIND_S
        self._most_silent = int(resource.getrlimit(resource.RLIMIT_NOFILE)[0] * _DESCRIPTORS)
        self._active = 0
        self.refused = 0
        """Calls that were sent on to another engine because of the bound."""
        self._serving: dict[gevent.Greenlet, OutboundSession] = {}
        self._server: _Acceptor | None = None
        self._sweeper: gevent.Greenlet | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, once started."""
        return self._listen

    @property
    def active(self) -> int:
        """Sessions whose handler runs."""
        return self._active

    def start(self) -> None:
        """Listen; raises OSError where the address is taken."""
        listener = socket.socket(socket.AF_INET6 if ":" in self._listen[0] else socket.AF_INET)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tune(listener)
            listener.bind(self._listen)
            listener.listen(BACKLOG)
            self._listen = listener.getsockname()[:2]
        except OSError:
            listener.close()
            raise
        self._server = _Acceptor(listener, self._greet, self._make_room)
        self._server.start()
        self._sweeper = gevent.spawn(self._sweep)

    def stop_accepting(self) -> None:
        """Close the listening socket: the switch takes the next `socket` action. Sessions go on.

        Connections that the kernel has accepted already are taken too: a call whose connection is reset before anybody
        said `connect` stays in the switch's waiting loop for ever (measured).
        """
        if self._server is None or self._server.closed:
            return
        self._server.stop_accepting()
        with contextlib.suppress(OSError):
            while (accepted := self._server.do_read()) is not None:
                self._server.do_handle(*accepted)
        self._server.close()

    def close(self) -> None:
        """Stop accepting and end the handlers that still run; their calls go on in the dialplan."""
        self.stop_accepting()
        if self._sweeper is not None:
            self._sweeper.kill()
        while self._silent:
            self._drop_oldest()
        while self._unnamed:
            self._drop_oldest_unnamed()
        gevent.killall(list(self._serving), timeout=CLOSE_S)
        while self._serving:  # those that were killed before they began
            self._serving.popitem()[1].abort("the engine is being stopped")

    # From a connection to a call

    def _greet(self, sock: _socket.socket, address: Any) -> None:
        """Say `connect` and wait for the first byte without a greenlet. Runs in the event loop: must not block."""
        greeting = encoded("connect")
        try:
            # A new socket has room for this; one that has not is of no use.
            if sock.send(greeting) != len(greeting):
                raise OSError("not written")
        except OSError as fault:
            log.info("%s: gone at once: %s", address, fault)
            sock.close()
            return
        greeted = _Greeted(sock, address)
        self._silent[greeted] = None
        greeted.watcher.start(self._on_first_byte, greeted)
        if len(self._silent) > self._most_silent:
            self._drop_oldest()

    def _on_first_byte(self, greeted: _Greeted) -> None:
        if greeted not in self._silent:
            return
        del self._silent[greeted]
        greeted.forget()
        session = OutboundSession(greeted.address, greeted.sock, deadline_s=self._connect_deadline_s)
        self._unnamed[session] = time.monotonic()
        if len(self._unnamed) > MAX_UNNAMED:
            self._drop_oldest_unnamed()
        session.when_answered(lambda answered: self._on_answer(session, answered))

    def _on_answer(self, session: OutboundSession, answered: bool) -> None:
        self._unnamed.pop(session, None)
        if answered:
            self._serving[gevent.spawn(self._serve, session)] = session
        else:
            log.info("%s: not a call", session.client_address)

    def _drop_oldest(self) -> None:
        oldest = next(iter(self._silent))
        del self._silent[oldest]
        oldest.drop()

    def _make_room(self) -> bool:
        if time.monotonic() - self._reminded_s > _REMIND_S:
            self._reminded_s = time.monotonic()
            log.warning(
                "no descriptor left for a new connection (%d are silent); raise the limit (LimitNOFILE)",
                len(self._silent),
            )
        if self._silent:
            self._drop_oldest()
        elif self._unnamed:
            self._drop_oldest_unnamed()
        else:
            return False
        return True

    def _drop_oldest_unnamed(self, reason: str = "too many connections that name no call") -> None:
        oldest = next(iter(self._unnamed))
        del self._unnamed[oldest]
        oldest.abort(reason)

    def _sweep(self) -> None:
        """Drop who has been silent for too long, or has not come to the end of its first answer."""
        while True:
            gevent.sleep(min(self._connect_deadline_s, PATIENCE_S) / 4)
            now_s = time.monotonic()
            while self._silent:
                age_s = now_s - next(iter(self._silent)).since_s
                if age_s < self._connect_deadline_s and (age_s < PATIENCE_S or len(self._silent) <= MAX_SILENT):
                    break
                self._drop_oldest()
            while self._unnamed and now_s - next(iter(self._unnamed.values())) >= self._connect_deadline_s:
                self._drop_oldest_unnamed("names no call within the deadline")

    def _serve(self, session: OutboundSession) -> None:
        try:
            channel = self._connected(session)
            if channel is not None:
                self._run(session, channel)
        finally:
            self._serving.pop(gevent.getcurrent(), None)
            if session.connected_frame is not None:
                session.stop()
            session.abort("not a call")

    def _connected(self, session: OutboundSession) -> SwitchChannel | None:
        """The channel that the switch has named; None where it did not or where there is no place for it."""
        try:
            session.take_over()
            channel = SwitchChannel(session)
        except SwitchError as fault:
            log.info("%s: not a call: %s", session.client_address, fault)
            return None
        if self._active >= self._max_sessions and not self._returning(session.uuid):
            self.refused += 1
            log.warning("%s: refused, %d sessions", session.uuid, self._active)
            return None
        return channel

    def _run(self, session: OutboundSession, channel: SwitchChannel) -> None:
        self._active += 1
        self._sessions.add(session)
        try:
            self._handler(channel)
        except SwitchError as fault:
            log.info("%s: ended: %s", session.uuid, fault)
        except Exception:
            log.exception("%s: the handler failed", session.uuid)
        finally:
            self._active -= 1
            self._sessions.remove(session)
            with contextlib.suppress(SwitchError):
                channel.close()
