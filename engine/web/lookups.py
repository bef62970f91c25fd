"""Names of hosts to addresses, in threads of its own, so that a slow name server holds up nobody else.

gevent has ten threads for all that the engine resolves, the ways to Redis and PostgreSQL among it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

import gevent
from gevent import monkey
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from engine.domain.web import RequestFailed

Resolve = Callable[[str], Sequence[str]]


def resolve(host: str) -> Sequence[str]:
    """The addresses of a host, in the system's order. Blocks its thread. Raises OSError, UnicodeError."""
    # Not gevent's: in this thread that would start a loop of its own, and one thread more.
    found = monkey.get_original("socket", "getaddrinfo")(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Lookups:
    """One lookup at a time for each host, which all who want it wait for; so there is a thread for every host."""

    def __init__(self, resolve: Resolve, hosts: int) -> None:
        self._resolve = resolve
        self._threads = ThreadPool(max(1, hosts))
        self._under_way: dict[str, AsyncResult] = {}

    def addresses(self, host: str, timeout_s: float) -> Sequence[str]:
        """The addresses, in the system's order. Raises RequestFailed."""
        lookup = self._under_way.get(host)
        if lookup is None:
            lookup = self._under_way[host] = self._threads.spawn(self._outcome, host)
            lookup.rawlink(lambda _: self._under_way.pop(host, None))
        try:
            found: Sequence[str] | Exception = lookup.get(timeout=timeout_s)
        except gevent.Timeout:
            raise RequestFailed("timeout", f"{host} was not resolved within {timeout_s:g} s") from None
        if isinstance(found, Exception):
            raise RequestFailed("error", f"{host} can't be resolved: {found}")
        return found

    def _outcome(self, host: str) -> Sequence[str] | Exception:
        try:
            return self._resolve(host)
        except (OSError, UnicodeError) as error:
            return error
