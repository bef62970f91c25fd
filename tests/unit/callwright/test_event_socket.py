"""Knocking at a switch: the answers of a scripted one, as FreeSWITCH words them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from callwright.local import event_socket, ports

Script = list[tuple[str, str]]
"""What the switch waits for (the beginning of a line) and what it answers."""

ASKS = "Content-Type: auth/request\n\n"
ACCEPTS = "Content-Type: command/reply\nReply-Text: +OK accepted\n\n"


@pytest.fixture
def switch() -> Iterator[Callable[[Script], int]]:
    """Starts a switch that follows a script for one connection; its port."""
    servers: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(script: Script) -> int:
        server = socket.create_server((ports.LOOPBACK, 0))
        servers.append(server)

        def serve() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rw", encoding="utf-8", newline="\n") as stream:
                for awaited, answer in script:
                    while awaited and not stream.readline().startswith(awaited):
                        pass
                    stream.write(answer)
                    stream.flush()

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[-1].start()
        port: int = server.getsockname()[1]
        return port

    yield start
    for thread in threads:
        thread.join(5)
    for server in servers:
        server.close()


def test_an_answer(switch: Callable[[Script], int]) -> None:
    body = "UP 0 years, 0 days\nčeština\n"
    answer = f"Content-Type: api/response\nContent-Length: {len(body.encode())}\n\n{body}"
    port = switch([("", ASKS), ("auth right", ACCEPTS), ("api status", answer)])
    assert event_socket.ask(ports.LOOPBACK, port, "right", "status") == body.strip()


def test_a_wrong_password(switch: Callable[[Script], int]) -> None:
    refusal = "Content-Type: command/reply\nReply-Text: -ERR invalid\n\n"
    port = switch([("", ASKS), ("auth wrong", refusal)])
    with pytest.raises(event_socket.Refused, match="does not take the password"):
        event_socket.ask(ports.LOOPBACK, port, "wrong", "status")


def test_an_address_that_is_not_on_the_list(switch: Callable[[Script], int]) -> None:
    port = switch([("", "Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n")])
    with pytest.raises(event_socket.Refused, match="access list"):
        event_socket.ask(ports.LOOPBACK, port, "right", "status")


def test_a_switch_that_hangs_up(switch: Callable[[Script], int]) -> None:
    port = switch([])
    with pytest.raises(ConnectionError, match="closed the connection"):
        event_socket.ask(ports.LOOPBACK, port, "right", "status")
    assert not event_socket.up(ports.take(), "right")
