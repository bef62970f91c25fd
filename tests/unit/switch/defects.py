"""The same scenes with plain greenswitch and with ours: see `test_greenswitch_defects`."""

from __future__ import annotations

import contextlib
import socket as plain_socket
import statistics
import time
from collections.abc import Iterator
from typing import Any, Literal

import gevent
from gevent import socket
from gevent.event import Event
from greenswitch import esl

from engine.switch.outbound import OutboundSession
from engine.switch.server import OutboundServer
from engine.switch.session import Sessions
from tests.captured.conversation import conversation
from tests.unit.switch.peer import Peer, connect_block, pair, reply

Flavour = Literal["greenswitch", "ours"]
FLAVOURS: tuple[Flavour, ...] = ("greenswitch", "ours")
SOON_S = 0.3
"""How long something is given that should happen at once, and with greenswitch never does."""


def session_of(flavour: Flavour, sock: socket.socket) -> Any:
    if flavour == "ours":
        return OutboundSession(("127.0.0.1", 1), sock, deadline_s=5)
    return esl.OutboundSession(("127.0.0.1", 1), sock)


def release(session: Any) -> None:
    """End a session; greenswitch's own `stop` would wait for an answer that never comes."""
    if isinstance(session, OutboundSession):
        session.abort("the test is over")
        greenlets = [session._handler_greenlet]
    else:
        session._run = False  # its handlers' greenlet survives being killed within a handler
        greenlets = [session._receive_events_greenlet, session._process_events_greenlet]
    gevent.killall([each for each in greenlets if each is not None])
    if not isinstance(session, OutboundSession):
        session.sock_file.close()
        session.sock.close()


@contextlib.contextmanager
def scene(flavour: Flavour, block: bytes | None = None) -> Iterator[tuple[Any, Peer]]:
    """A session that has been connected, and the switch behind it. Ours has subscribed by then."""
    with pair() as (sock, peer):
        session = session_of(flavour, sock)
        connecting = gevent.spawn(session.connect)
        peer.expect("connect")
        peer.send(block or connect_block())
        connecting.get(timeout=5)
        if flavour == "ours":
            for line in ("linger", "filter", "event"):
                peer.expect(line)
            peer.send(reply(), reply(), reply())
        try:
            yield session, peer
        finally:
            release(session)


def ends_soon(greenlet: gevent.Greenlet) -> bool:
    greenlet.join(timeout=SOON_S)
    return bool(greenlet.ready())


def collected(session: Any, name: str) -> list[Any]:
    """The events `name` that a handler gets."""
    got: list[Any] = []
    session.register_handle(name, got.append)
    return got


def forged(name: str) -> bytes:
    """The block of a captured call."""
    return next(turn.wire for turn in conversation(name) if turn.value("Event-Name") == "CHANNEL_DATA")


def wait_for(something: Event) -> None:
    something.wait()


# Accepting


class Application:
    """What greenswitch's server runs for each call."""

    go_on = Event()

    def __init__(self, session: Any) -> None:
        self.session = session

    def run(self) -> None:
        self.go_on.wait()


@contextlib.contextmanager
def server_of(flavour: Flavour, bound: int) -> Iterator[tuple[str, int]]:
    """A server with `bound` places, its calls wait until the end."""
    if flavour == "ours":
        go_on = Event()
        ours = OutboundServer(("127.0.0.1", 0), lambda _: wait_for(go_on), bound, SOON_S / 3, sessions=Sessions())
        ours.start()
        yield ours.address
        go_on.set()
        ours.close()
        return
    Application.go_on = Event()
    with contextlib.closing(plain_socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    theirs = esl.OutboundESLServer("127.0.0.1", port, application=Application, max_connections=bound)
    made: list[Any] = []
    handle = theirs._accept_call

    def accept(session: Any) -> None:
        made.append(session)
        handle(session)

    theirs._accept_call = accept
    listening = gevent.spawn(theirs.listen)
    with gevent.Timeout(5):
        while not theirs._running:
            gevent.sleep(0.002)
    yield ("127.0.0.1", port)
    gevent.killall([listening, *theirs._greenlets])
    theirs.server.close()
    for session in made:
        release(session)


def first_byte_ms(address: tuple[str, int]) -> float:
    """The median time from connecting to the first byte, of several connections one after the other."""
    times = []
    for _ in range(7):
        with contextlib.closing(socket.create_connection(address)) as sock:
            began = time.perf_counter()
            sock.recv(1)
            times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)
