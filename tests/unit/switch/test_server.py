"""Accepting calls: bounds, silent clients, draining."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
import pytest
from gevent import socket
from gevent.event import Event
from gevent.queue import Queue

from engine.switch import server as server_module
from engine.switch.adapter import SwitchChannel
from engine.switch.port import ChannelGone, Played, SwitchLost
from engine.switch.server import OutboundServer
from engine.switch.session import Sessions
from tests.unit.switch.peer import DEADLINE_S, FakeCall, Peer, complete, hangup


class Bench:
    """A server whose calls are handed to the test, which says when each is over."""

    def __init__(self, **options: float) -> None:
        self.calls: Queue = Queue()
        self.sessions = Sessions()
        self.server = OutboundServer(("127.0.0.1", 0), self._handle, sessions=self.sessions, **options)  # type: ignore[arg-type]
        self.server.start()
        self._peers: list[Peer] = []
        self.faulty: Callable[[SwitchChannel], None] | None = None

    def _handle(self, channel: SwitchChannel) -> None:
        if self.faulty is not None:
            self.faulty(channel)
        over = Event()
        self.calls.put((channel, over))
        over.wait()

    def dial(self) -> Peer:
        peer = Peer(socket.create_connection(self.server.address))
        self._peers.append(peer)
        return peer

    def call(self, uuid: str = "a-leg") -> tuple[FakeCall, SwitchChannel, Event]:
        fake = FakeCall(self.dial(), uuid=uuid)
        channel, over = self.calls.get(timeout=DEADLINE_S)
        return fake, channel, over

    def close(self) -> None:
        self.server.close()
        for peer in self._peers:
            peer.close()


@contextmanager
def bench_of(**options: float) -> Iterator[Bench]:
    made = Bench(**options)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of() as made:
        yield made


def until(true: Callable[[], bool]) -> None:
    with gevent.Timeout(DEADLINE_S):
        while not true():
            gevent.sleep(0.002)


def test_a_call_is_handed_over_and_its_socket_closed_at_the_end(bench: Bench) -> None:
    fake, channel, over = bench.call()
    assert channel.info.uuid == "a-leg"
    assert bench.server.active == len(bench.sessions) == 1
    assert isinstance(channel.play([]), Played)
    over.set()
    fake._greenlet.join(timeout=DEADLINE_S)
    assert fake._greenlet.ready()
    until(lambda: bench.server.active == len(bench.sessions) == 0)


def test_a_fault_in_a_handler_lets_the_call_go_on_in_the_dialplan(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def faulty(channel: SwitchChannel) -> None:
        raise ValueError("a fault of the handler")

    bench.faulty = faulty
    fake = FakeCall(bench.dial())
    fake._greenlet.join(timeout=DEADLINE_S)
    assert fake._greenlet.ready()
    assert fake.said("set"), "something must have run before the socket is closed"
    assert "a fault of the handler" in caplog.text


@pytest.mark.req("R124")
def test_beyond_the_bound_a_call_is_sent_on_at_once() -> None:
    with bench_of(max_sessions=1) as bench:
        _, _, over = bench.call("a")
        refused = FakeCall(bench.dial(), uuid="b")
        refused._greenlet.join(timeout=DEADLINE_S)
        assert refused._greenlet.ready()
        assert refused.said("set"), "closed before the switch has taken it in, the caller would hear silence for ever"
        assert bench.server.refused == 1
        over.set()
        until(lambda: bench.server.active == 0)
        bench.call("c")


def test_a_call_that_comes_back_is_taken_whatever_the_bound() -> None:
    with bench_of(max_sessions=1, returning=lambda uuid: uuid == "a") as bench:
        _, _, first = bench.call("a")
        _, _, second = bench.call("a")
        assert bench.server.refused == 0
        first.set()
        second.set()


def test_a_silent_client_is_dropped() -> None:
    with bench_of(connect_deadline_s=0.05) as bench:
        peer = bench.dial()
        peer.expect("connect")
        assert peer.ended()


@pytest.mark.parametrize(
    "answer",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"Content-Type: command/reply\nReply-Text: -ERR no\n\n",
        b"Content-Type: command/reply\nUnique-ID: a b\n\n",
        b"Content-Type: command/reply\nUnique-ID: a%0Ab\n\n",
        b"\xff" * 1000,
        b"",
    ],
)
def test_what_is_no_switch_is_dropped(answer: bytes) -> None:
    with bench_of(connect_deadline_s=0.2) as bench:
        peer = bench.dial()
        peer.expect("connect")
        peer.send(answer)
        assert peer.ended()
        bench.call()


def test_many_silent_clients_take_nobodys_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.switch.server.MAX_SILENT", 50)
    monkeypatch.setattr("engine.switch.server.PATIENCE_S", 0.05)
    with bench_of(connect_deadline_s=60) as bench:
        silent = [bench.dial() for _ in range(200)]
        _, channel, _ = bench.call()
        assert channel.info.uuid == "a-leg"
        assert silent[0].ended()
        until(lambda: len(bench.server._silent) <= 50)


def test_silent_clients_never_take_all_descriptors() -> None:
    with bench_of(connect_deadline_s=60) as bench:
        bench.server._most_silent = 20
        silent = [bench.dial() for _ in range(30)]
        assert silent[0].ended()
        _, channel, _ = bench.call()
        assert channel.info.uuid == "a-leg"


@pytest.mark.req("R124")
def test_draining_takes_what_the_kernel_has_accepted_and_keeps_sessions(bench: Bench) -> None:
    fake, channel, _ = bench.call("a")
    late = FakeCall(bench.dial(), uuid="late")
    bench.server.stop_accepting()
    bench.server.stop_accepting()
    channel_late, over_late = bench.calls.get(timeout=DEADLINE_S)
    assert channel_late.info.uuid == "late"
    over_late.set()
    late._greenlet.join(timeout=DEADLINE_S)
    with pytest.raises(OSError):  # noqa: PT011 refused or reset
        bench.dial().expect("connect")
    fake.apps["playback"] = lambda command: complete(command, "FILE PLAYED", "a")
    assert channel.play(["/srv/a.wav"], deadline_s=DEADLINE_S) == Played()


def test_closing_lets_the_calls_go(bench: Bench) -> None:
    fake, channel, _ = bench.call()
    bench.server.close()
    fake._greenlet.join(timeout=DEADLINE_S)
    assert fake._greenlet.ready()
    with pytest.raises(SwitchLost):
        channel.play(["/srv/a.wav"])


def test_a_call_that_comes_back_supersedes_its_old_socket_without_closing_it(bench: Bench) -> None:
    """Closing the old one would take the channel away from the new one."""
    old, channel, over = bench.call("same")
    waiting = gevent.spawn(channel.wait_end, None)
    new, again, _ = bench.call("same")
    with pytest.raises(SwitchLost):
        waiting.get(timeout=DEADLINE_S)
    over.set()
    until(lambda: bench.server.active == 1)
    new.apps["playback"] = lambda command: complete(command, "FILE PLAYED", "same")
    assert again.play(["/srv/a.wav"], deadline_s=DEADLINE_S) == Played()
    assert not old._greenlet.ready(), "the old socket is still open"
    new.send(hangup(uuid="same"))
    with pytest.raises(ChannelGone):
        again.play(["/srv/a.wav"])
    old.peer.close()


def test_an_accepted_socket_inherits_what_the_listening_one_was_told(bench: Bench) -> None:
    _, channel, _ = bench.call()
    inherited = channel._session.sock
    assert inherited.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert inherited.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    seen = [
        inherited.getsockopt(socket.IPPROTO_TCP, option)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
    ]
    assert seen == [20, 10, 3, 40_000]


def test_port_in_use() -> None:
    with bench_of() as bench:
        other = OutboundServer(bench.server.address, lambda channel: None)
        with pytest.raises(OSError):  # noqa: PT011
            other.start()


@pytest.mark.req("R124")
def test_half_frames_are_bounded_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_UNNAMED", 3)
    with bench_of() as bench:
        halves = []
        for _ in range(5):
            halves.append(socket.create_connection(bench.server.address))
            halves[-1].sendall(b"Content-Type: comm")
            until(lambda: not bench.server._silent)
        with gevent.Timeout(DEADLINE_S):
            for dropped in halves[:2]:
                while dropped.recv(4096):
                    pass
        assert len(bench.server._unnamed) == 3
        bench.call()
        for half in halves:
            half.close()


@pytest.mark.req("R124")
def test_without_a_descriptor_the_silent_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench_of() as bench:
        silent = socket.create_connection(bench.server.address)
        until(lambda: len(bench.server._silent) == 1)
        accept, full = server_module._Acceptor.accept, [True]

        def accepting(self: server_module._Acceptor) -> object:
            if full and bench.server._silent:
                raise OSError(errno.EMFILE, "Too many open files")
            full.clear()
            return accept(self)

        monkeypatch.setattr(server_module._Acceptor, "accept", accepting)
        bench.call()
        with gevent.Timeout(DEADLINE_S):
            while silent.recv(4096):
                pass
        silent.close()


@pytest.mark.req("R124")
def test_without_a_descriptor_and_nothing_to_drop_accepting_pauses_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench_of() as bench:
        accept = server_module._Acceptor.accept
        refused: list[int] = []

        def accepting(self: server_module._Acceptor) -> object:
            if len(refused) < 3:
                refused.append(1)
                raise OSError(errno.EMFILE, "Too many open files")
            return accept(self)

        monkeypatch.setattr(server_module._Acceptor, "accept", accepting)
        monkeypatch.setattr(gevent.get_hub(), "handle_error", lambda *fault: None)
        bench.call()
        assert len(refused) == 3, "not more often than gevent's pauses allow"
