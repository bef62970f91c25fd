"""One socket: order, deadlines, and every way in which it ends."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from gevent import socket
from gevent.event import AsyncResult

from engine.switch.connection import MAX_UNANSWERED, Connection
from engine.switch.frames import Frame, FrameReader
from engine.switch.port import DeadlinePassed, SwitchLost, UnsafeArgument
from tests.unit.switch.peer import Peer, api, event, key, notice, pair, reply


class Line:
    """A connection and what came out of it."""

    def __init__(self, sock: socket.socket, reader: FrameReader | None = None) -> None:
        self.frames: list[Frame] = []
        self.ended: AsyncResult = AsyncResult()
        self.connection = Connection(sock, self.frames.append, self.ended.set, reader=reader)


@pytest.fixture
def ends() -> Iterator[tuple[Line, Peer]]:
    with pair() as (sock, peer):
        line = Line(sock)
        yield line, peer
        line.connection.close()


def test_answers_go_to_commands_in_order(ends: tuple[Line, Peer]) -> None:
    line, peer = ends
    asked = [gevent.spawn(line.connection.send, f"api {number}") for number in range(50)]
    commands = [peer.expect("api") for _ in range(50)]
    peer.send(*(api(command.line) for command in commands))
    gevent.joinall(asked, timeout=5, raise_error=True)
    assert [each.value.reply for each in asked] == [f"api {number}" for number in range(50)]


def test_events_between_answers_do_not_disturb(ends: tuple[Line, Peer]) -> None:
    line, peer = ends
    asked = gevent.spawn(line.connection.send, "api status")
    peer.expect("api status")
    peer.send(key("1"), event("X", {}, b"body"), api("fine"), key("2"))
    assert asked.get(timeout=5).reply == "fine"
    assert [frame.name for frame in line.frames] == ["DTMF", "X", "DTMF"]


def test_posted_commands_are_written_with_the_next(ends: tuple[Line, Peer]) -> None:
    line, peer = ends
    line.connection.post("linger 5")
    line.connection.post("filter a b")
    asked = gevent.spawn(line.connection.send, "api status")
    gevent.sleep(0)
    first = peer.sock.recv(65536)
    assert first == b"linger 5\n\nfilter a b\n\napi status\n\n"
    peer.send(reply(), reply(), api("ok"))
    assert asked.get(timeout=5).reply == "ok"


def test_posted_commands_do_not_lie_around(ends: tuple[Line, Peer]) -> None:
    line, peer = ends
    answers: list[Frame | None] = []
    line.connection.post("linger 5", on_reply=answers.append)
    peer.expect("linger 5")
    peer.send(reply("+OK will linger"))
    assert line.connection.settle(5)
    assert [answer.reply for answer in answers if answer] == ["+OK will linger"]


def test_settle_waits_for_the_answers(ends: tuple[Line, Peer]) -> None:
    line, peer = ends
    assert line.connection.settle(1)
    line.connection.post("a")
    line.connection.post("b")
    waiting = gevent.spawn(line.connection.settle, 5)
    peer.expect("a")
    peer.expect("b")
    peer.send(reply())
    gevent.idle()
    assert not waiting.ready()
    peer.send(reply())
    assert waiting.get(timeout=5) is True
    line.connection.post("c")
    assert line.connection.settle(0.05) is False


def test_a_command_has_a_deadline_and_its_late_answer_goes_nowhere_else(ends: tuple[Line, Peer]) -> None:
    line, peer = ends
    with pytest.raises(DeadlinePassed):
        line.connection.send("api slow", deadline_s=0.05)
    asked = gevent.spawn(line.connection.send, "api next")
    peer.expect("api slow")
    peer.expect("api next")
    peer.send(api("late"), api("right"))
    assert asked.get(timeout=5).reply == "right"


def test_someone_elses_timeout_stays_theirs(ends: tuple[Line, Peer]) -> None:
    line, _ = ends
    theirs = gevent.Timeout(0.05)
    with pytest.raises(gevent.Timeout) as caught, theirs:
        line.connection.send("api slow", deadline_s=5)
    assert caught.value is theirs


@pytest.mark.parametrize(
    "last",
    [
        b"",
        b"Content-Type: api/resp",
        b"Content-Type: api/response\nContent-Length: 1000\n\nhalf a body",
        b"Content-Type: api/response\nContent-Length: many\n\n",
        b"x" * 300_000,
    ],
    ids=["end of file", "half a head", "half a body", "no length", "endless head"],
)
def test_every_end_releases_every_waiter(ends: tuple[Line, Peer], last: bytes) -> None:
    line, peer = ends
    waiting = [gevent.spawn(line.connection.send, f"api {number}", (), 60) for number in range(3)]
    posted: list[Frame | None] = []
    line.connection.post("linger", on_reply=posted.append)
    for _ in range(4):
        peer.read()
    peer.send(key("1"), last)
    peer.close()
    gevent.joinall(waiting, timeout=5)
    assert all(isinstance(each.exception, SwitchLost) for each in waiting)
    assert posted == [None]
    assert [frame.name for frame in line.frames] == ["DTMF"], "what came before the end is handed over"
    assert isinstance(line.ended.get(timeout=1), SwitchLost)
    with pytest.raises(SwitchLost):
        line.connection.send("api x")
    with pytest.raises(SwitchLost):
        line.connection.post("x")


def test_an_answer_that_nobody_asked_for_changes_nothing(
    ends: tuple[Line, Peer], caplog: pytest.LogCaptureFixture
) -> None:
    line, peer = ends
    peer.send(reply("+OK what"), b"Some: thing\n\n")
    with gevent.Timeout(5):
        while not line.frames:
            gevent.sleep(0.002)
    asked = gevent.spawn(line.connection.send, "api x")
    peer.expect("api x")
    peer.send(api("right"))
    assert asked.get(timeout=5).reply == "right"
    assert "nobody asked for" in caplog.text


def test_a_fault_in_a_handler_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with pair() as (sock, peer):
        seen: list[str] = []

        def handler(frame: Frame) -> None:
            seen.append(frame.name)
            raise ValueError("a fault of the handler")

        connection = Connection(sock, handler, lambda reason: None)
        peer.send(key("1"), key("2"))
        asked = gevent.spawn(connection.send, "api x")
        peer.expect("api x")
        peer.send(api("right"))
        assert asked.get(timeout=5).reply == "right"
        assert seen == ["DTMF", "DTMF"]
        assert "a fault of the handler" in caplog.text
        connection.close()


@pytest.mark.parametrize("command", ["a\n\nb", "a\rb", "a\x00"])
def test_a_second_command_is_not_smuggled_in(ends: tuple[Line, Peer], command: str) -> None:
    line, peer = ends
    for call in (
        lambda: line.connection.send(command),
        lambda: line.connection.post(command),
        lambda: line.connection.send("sendmsg", [("execute-app-arg", command)]),
        lambda: line.connection.send("sendmsg", [(command, "x")]),
    ):
        with pytest.raises(UnsafeArgument):
            call()
    line.connection.post("end")
    peer.expect("end")


def test_a_switch_that_takes_nothing_is_noticed() -> None:
    with pair() as (sock, peer):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line = Line(sock)
        with pytest.raises(SwitchLost):
            line.connection.send("x" * 8_000_000, deadline_s=0.1)
        assert line.connection.ended is not None


def test_memory_is_bounded_in_both_directions(ends: tuple[Line, Peer]) -> None:
    line, _ = ends
    for number in range(MAX_UNANSWERED):
        line.connection.post(f"a{number}")
    with pytest.raises(DeadlinePassed):
        line.connection.post("one too many")


def test_who_can_take_no_more_holds_up_the_switch() -> None:
    with pair() as (sock, peer):
        count = 0

        def handler(frame: Frame) -> None:
            nonlocal count
            count += 1
            if count == 1:
                connection.hold()

        connection = Connection(sock, handler, lambda reason: None)
        flood = b"".join(event("X", {"Pad": "x" * 1000}) for _ in range(20_000))
        sender = gevent.spawn(peer.send, flood)
        sender.join(0.2)
        assert not sender.ready(), "the switch could write without limit"
        assert count == 1
        connection.go_on()
        sender.get(timeout=20)
        peer.close()
        with gevent.Timeout(20):
            while connection.ended is None:
                gevent.sleep(0.01)
        assert count == 20_000


def test_one_that_never_stops_sending_does_not_hold_up_others() -> None:
    with pair() as (sock, peer), pair() as (other_sock, other_peer):
        connection = Connection(sock, lambda frame: None, lambda reason: None)
        other = Line(other_sock)
        data = b"".join(event("X", {"Pad": "x" * 1000}) for _ in range(1000))

        def flood() -> None:
            with gevent.Timeout(20, False):
                while True:
                    peer.send(data)

        flooding = gevent.spawn(flood)
        for number in range(20):
            asked = gevent.spawn(other.connection.send, f"api {number}")
            other_peer.expect("api")
            other_peer.send(api("ok"))
            assert asked.get(timeout=2).reply == "ok"
        flooding.kill()
        connection.close()
        other.connection.close()


def test_closing_twice_is_no_error(ends: tuple[Line, Peer]) -> None:
    line, peer = ends
    line.connection.close("first")
    line.connection.close("second")
    assert "first" in str(line.connection.ended)
    assert peer.ended()


def test_notices_are_handed_over(ends: tuple[Line, Peer]) -> None:
    line, peer = ends
    peer.send(notice("linger"), b"Content-Type: text/rude-rejection\nContent-Length: 5\n\nAway\n")
    peer.close()
    line.ended.get(timeout=5)
    assert [frame.content_type for frame in line.frames] == ["text/disconnect-notice", "text/rude-rejection"]
