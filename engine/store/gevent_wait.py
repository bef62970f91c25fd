"""Lets psycopg2 wait without blocking gevent's loop.

libpq is C and waits in C; monkey-patching can't reach it. psycopg2 offers a hook for this: with a wait callback set, it
works non-blocking and calls back whenever it would wait for the socket. The hook is one for the whole process.

Two of libpq's limits don't hold in this mode and are made up for here: `connect_timeout` (libpq applies it in its
blocking connect only) and the lookup of the host's name (blocking in any mode; `resolve` does it through gevent).
"""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any

import psycopg2  # type: ignore[import-untyped]
from gevent import monkey
from gevent.socket import wait_read, wait_write
from psycopg2 import extensions

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 90.0
"""Longest wait for one answer. Above the server's own statement_timeout: it only acts when the server is gone."""


def in_use() -> bool:
    """Whether this process is monkey-patched, so that waiting must go through gevent."""
    return bool(monkey.is_module_patched("socket"))


def install() -> None:
    """Makes all psycopg2 connections of this process wait through gevent. May be called more than once."""
    extensions.set_wait_callback(wait)


def wait(connection: Any) -> None:
    """Waits until the connection's current work is done. Raises `psycopg2.OperationalError` when that takes too long.

    psycopg2 closes a connection whose wait was broken off, be it by this error or by gevent's (`Timeout`, `kill`).
    """
    connecting = connection.status == extensions.STATUS_SETUP
    limit_s = CONNECT_TIMEOUT_S if connecting else ANSWER_TIMEOUT_S
    late = psycopg2.OperationalError(f"no answer from the database within {limit_s:g} s")
    while True:
        state = connection.poll()
        if state == extensions.POLL_OK:
            return
        # A fresh fileno each time: while connecting, libpq goes through the host's addresses one socket after another.
        if state == extensions.POLL_READ:
            wait_read(connection.fileno(), timeout=limit_s, timeout_exc=late)
        elif state == extensions.POLL_WRITE:
            wait_write(connection.fileno(), timeout=limit_s, timeout_exc=late)
        else:
            raise psycopg2.OperationalError(f"unexpected state {state} of the database connection")


def resolve(parameters: dict[str, Any]) -> None:
    """Adds `hostaddr` to connection parameters, looked up without blocking. `host` stays: TLS checks the name.

    Raises `psycopg2.OperationalError` when the name is not known.
    """
    host = parameters.get("host")
    if not host or host.startswith("/") or "," in host or parameters.get("hostaddr") or _is_address(host):
        return
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise psycopg2.OperationalError(f"the database's host {host!r} is not known: {error}") from error
    addresses = list(dict.fromkeys(entry[4][0] for entry in found))
    # libpq wants as many hosts as addresses, and then tries them in order
    parameters["hostaddr"] = ",".join(str(address) for address in addresses)
    parameters["host"] = ",".join([host] * len(addresses))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
