"""Accepts the connections on which the switch hands over calls.

A connection counts as a session once the switch has answered `connect`, which takes milliseconds. Those that have not
are kept apart: each has a deadline, and when there are too many the oldest goes, so that thousands of silent clients
neither take a call's place nor the process's descriptors. At the bound on sessions a connection is closed at once
after `connect`: the dialplan goes on to its next `socket` action, which names another engine.
"""

from __future__ import annotations

import contextlib
import logging
import resource
from collections.abc import Callable
from typing import Any

from gevent import socket
from gevent.pool import Pool
from gevent.server import StreamServer

from engine.switch.adapter import SwitchChannel
from engine.switch.outbound import OutboundSession
from engine.switch.port import SwitchError
from engine.switch.session import SESSIONS, Sessions

log = logging.getLogger(__name__)

BACKLOG = 1024
CLOSE_S = 3.0
MAX_SILENT = 1024
"""At most so many connections may be on their way to a session; fewer where the process has few descriptors."""


class _Acceptor(StreamServer):  # type: ignore[misc]
    def do_close(self, *args: Any) -> None:
        """Left to the session: a superseded one must stay open after its handler has returned."""


class OutboundServer:
    """Hands every call that arrives to `handler`, each in a greenlet of its own; the socket is closed when it returns.

    `listen` is (host, port); port 0 takes a free one, see `address`.
    """

    def __init__(
        self,
        listen: tuple[str, int],
        handler: Callable[[SwitchChannel], None],
        max_sessions: int = 1000,
        connect_deadline_s: float = 10.0,
        sessions: Sessions = SESSIONS,
    ) -> None:
        self._handler = handler
        self._max_sessions = max_sessions
        self._connect_deadline_s = connect_deadline_s
        self._sessions = sessions
        self._silent: dict[OutboundSession, None] = {}
        """Connections that have not answered `connect`, the oldest first."""
        self._max_silent = min(MAX_SILENT, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
        self._active = 0
        self.refused = 0
        """Calls that were sent on to another engine because of the bound."""
        self._listen = listen
        self._server: _Acceptor | None = None

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
            listener.bind(self._listen)
            listener.listen(BACKLOG)
            self._listen = listener.getsockname()[:2]
        except OSError:
            listener.close()
            raise
        self._server = _Acceptor(listener, self._serve, spawn=Pool())
        self._server.start()

    def stop_accepting(self) -> None:
        """Close the listening socket: the switch takes the next `socket` action. Sessions go on.

        Connections that the kernel has accepted already are taken too: a call whose connection is reset before anybody
        said `connect` stays in the switch's waiting loop for ever (measured).
        """
        if self._server is None or self._server.closed:
            return
        self._server.stop_accepting()
        while (accepted := self._server.do_read()) is not None:
            self._server.do_handle(*accepted)
        self._server.close()

    def close(self) -> None:
        """Stop accepting and end the handlers that still run; their calls go on in the dialplan."""
        self.stop_accepting()
        if self._server is not None:
            self._server.pool.kill(timeout=CLOSE_S)

    def _serve(self, sock: socket.socket, address: Any) -> None:
        session = OutboundSession(address, sock, deadline_s=self._connect_deadline_s)
        try:
            channel = self._connected(session)
            if channel is not None:
                self._run(session, channel)
        finally:
            self._silent.pop(session, None)
            if session.connected_frame is not None:
                session.stop()
            session.abort("not a call")

    def _connected(self, session: OutboundSession) -> SwitchChannel | None:
        """The channel, once the switch has named it; None where it did not or where there is no place for it."""
        self._silent[session] = None
        if len(self._silent) > self._max_silent:
            oldest = next(iter(self._silent))
            del self._silent[oldest]
            oldest.abort("silent for too long while others came")
        try:
            channel = SwitchChannel(session)
        except SwitchError as fault:
            log.info("%s: not a call: %s", session.client_address, fault)
            return None
        finally:
            self._silent.pop(session, None)
        if self._active >= self._max_sessions:
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
