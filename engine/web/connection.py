"""Connections to addresses that were looked at. What a service may send is bounded, and so is what reading it takes."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import gevent
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssltransport import SSLTransport

from engine.domain.web import RequestFailed

MAX_ANSWER = 256 * 1024
"""Bytes of an answer's body."""
MAX_RECEIVED = MAX_ANSWER + 64 * 1024
"""Bytes of all that comes: TLS, `100 Continue`, headers, the framing of chunks, the body."""
_CHUNK = 4096
_SLICE_S = 0.0005
"""How long one request may keep the processor from the others."""
_PAUSE_S = 0.001


@dataclass(frozen=True, slots=True)
class Route:
    """Where a connection goes: the addresses in order, until when (`time.monotonic()`), and what for."""

    addresses: Sequence[str]
    until: float
    origin: str


class MeteredSocket(socket.socket):
    """Counts what comes and gives the other greenlets their turn. Raises RequestFailed when it was too much.

    gevent waits only where there is nothing to read: a service that goes on sending would be read without end, and no
    deadline could come in between.
    """

    def __init__(self, family: int, origin: str) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._origin = origin
        self._left = MAX_RECEIVED
        self._used_s = 0.0
        self._since = time.monotonic()

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        self._pause()
        data = super().recv(min(bufsize, _CHUNK), flags)
        self._count(len(data))
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        self._pause()
        count = super().recv_into(buffer, min(nbytes or len(buffer), _CHUNK), flags)
        self._count(count)
        return count

    def _pause(self) -> None:
        self._used_s += time.monotonic() - self._since
        if self._used_s >= _SLICE_S:
            gevent.sleep(_PAUSE_S)  # not 0: timers, deadlines among them, must have their turn, too
            self._used_s = 0.0

    def _count(self, received: int) -> None:
        self._since = time.monotonic()
        self._left -= received
        if self._left < 0:
            raise RequestFailed("error", f"{self._origin} sends more than {MAX_RECEIVED} bytes in all")


class PlainConnection(HTTPConnection):
    """`route` in place of the host's name."""

    def __init__(self, *args: Any, route: Route, **options: Any) -> None:
        super().__init__(*args, **options)
        self._route = route

    def connect(self) -> None:
        """Raises RequestFailed."""
        self.sock = _connected(self._route, self.port)


class TlsConnection(HTTPSConnection):
    """`route` in place of the host's name, by which the certificate is checked.

    TLS is done in memory, so that its own messages are counted, too: OpenSSL would read them without end.
    """

    def __init__(self, *args: Any, route: Route, **options: Any) -> None:
        super().__init__(*args, **options)
        self._route = route

    def connect(self) -> None:
        """Raises RequestFailed, ssl.SSLError, OSError."""
        assert self.ssl_context is not None
        connected = _connected(self._route, self.port)
        try:
            secured = SSLTransport(connected, self.ssl_context, server_hostname=self.host)
        except BaseException:
            connected.close()
            raise
        self.sock = cast("socket.socket", secured)
        self.is_verified = True


def _connected(route: Route, port: int) -> MeteredSocket:
    """A connection to the first address that takes one; each has its share of the time that is left."""
    fault = OSError("no address")
    for tried, address in enumerate(route.addresses):
        left_s = route.until - time.monotonic()
        if left_s <= 0:
            break
        connection = MeteredSocket(socket.AF_INET6 if ":" in address else socket.AF_INET, route.origin)
        try:
            connection.settimeout(left_s / (len(route.addresses) - tried))
            connection.connect((address, port))
            connection.settimeout(left_s)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            connection.close()
            fault = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    why: Any = "timeout" if isinstance(fault, TimeoutError) else "error"
    raise RequestFailed(why, f"{route.origin} can't be reached: {fault}"[:300])
