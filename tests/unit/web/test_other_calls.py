"""Requests in a process that is monkey-patched as the engine's is: deadlines hold, and other greenlets go on meanwhile.

The service is a process of its own, so that it takes its time from nobody, or from the same loop where it waits a lot.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

TLS = Path(__file__).parent / "tls"

_PREAMBLE = f"""
from gevent import monkey
monkey.patch_all()
import gevent, socket, subprocess, sys, threading, time
from gevent.server import StreamServer
from ipaddress import ip_network
from pathlib import Path
from engine.domain.web import RequestFailed, WebRequest
from engine.web.client import MOST_AT_ONCE, PATIENCE_S, WebClient

SLOW = "http://slow.example.com:1"
sleep_a_thread = monkey.get_original("time", "sleep")

def client_of(port, scheme="http", resolve=lambda host: ["127.0.0.1"], **more):
    origin = f"{{scheme}}://crm.example.com:{{port}}"
    networks = [ip_network("127.0.0.0/8")]
    return origin, WebClient([origin, SLOW], networks, ca_file={str(TLS / "ca.pem")!r}, resolve=resolve, **more)

def web(handle, **more):
    server = StreamServer(("127.0.0.1", 0), handle)
    server.start()
    return client_of(server.server_port, **more)

def failed(client, origin, timeout_s):
    try:
        client.fetch(WebRequest("GET", origin, timeout_s))
    except RequestFailed as fault:
        return fault.why

class Ticking:
    '''Notes how long the loop stood still.'''

    def __init__(self):
        self._longest, self._last = 0.0, time.monotonic()
        gevent.spawn(self._tick)
        gevent.sleep(0.01)

    @property
    def longest(self):
        gevent.sleep(0.02)  # it must come round after the last stop to have noticed it
        return self._longest

    def _tick(self):
        while True:
            gevent.sleep(0.005)
            now = time.monotonic()
            self._longest, self._last = max(self._longest, now - self._last), now
"""


def in_engine_like_process(body: str) -> None:
    """Run the script after the preamble; whatever it asserts must hold."""
    script = _PREAMBLE + textwrap.dedent(body)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "answer",
    [
        "time.sleep(60)",
        "drip(b'HTTP/1.1 200 OK\\r\\n' + b'X-A: b\\r\\n' * 999)",
        "drip(b'HTTP/1.1 200 OK\\r\\n\\r\\n' + b'1' * 999)",
    ],
    ids=["silent", "headers that never end", "a body that never ends"],
)
def test_the_deadline_holds_whatever_the_service_does(answer: str) -> None:
    in_engine_like_process(
        f"""
        def handle(connection, address):
            def drip(data):
                for byte in data:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.02)
            try:
                {answer}
            except OSError:
                pass

        origin, client = web(handle)
        began = time.monotonic()
        assert failed(client, origin, 0.3) == "timeout"
        assert time.monotonic() - began < 2
        """
    )


def test_other_calls_go_on_meanwhile() -> None:
    in_engine_like_process(
        """
        def handle(connection, address):
            connection.recv(1000)
            time.sleep(0.4)
            connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
            connection.close()

        origin, client = web(handle)
        ticking = Ticking()
        began = time.monotonic()
        asking = [gevent.spawn(client.fetch, WebRequest("GET", origin, 20)) for _ in range(20)]
        gevent.joinall(asking, raise_error=True)
        assert time.monotonic() - began < 5, "one after the other they would take eight seconds"
        longest = ticking.longest
        assert longest < 0.3, f"the loop stood still for {longest} s"
        """
    )


_ENDLESS = """
import socket, ssl, sys
first, again, certificate = eval(sys.argv[1]), eval(sys.argv[2]), sys.argv[3]
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
connection, _ = listening.accept()
try:
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        connection = context.wrap_socket(connection, server_side=True)
    connection.recv(65536)
    connection.sendall(first)
    while True:
        connection.sendall(again)
except OSError:
    pass
"""
_CHUNKED = "b'HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("b''", "b'HTTP/1.1 100 Continue\\r\\n\\r\\n' * 2000"),
        (_CHUNKED + "'", "(b'1;' + b'a' * 60000 + b'\\r\\n \\r\\n') * 10"),
        (_CHUNKED + "2\\r\\n{}\\r\\n0\\r\\n'", "(b'X: ' + b'a' * 60 + b'\\r\\n') * 2000"),
        (_CHUNKED + "'", "b'1\\r\\n \\r\\n' * 5000"),
        (_CHUNKED + "'", "b'1'"),
    ],
    ids=["continue", "chunk extensions", "trailers", "chunks of one byte", "packets of one byte"],
)
def test_a_service_that_sends_without_end_stops_nobody(first: str, again: str, scheme: str) -> None:
    in_engine_like_process(
        f"""
        arguments = [{first!r}, {again!r}, {str(TLS / "server.pem") if scheme == "https" else ""!r}]
        service = subprocess.Popen([sys.executable, "-c", {_ENDLESS!r}, *arguments], stdout=subprocess.PIPE)
        try:
            origin, client = client_of(int(service.stdout.readline()), {scheme!r})
            ticking = Ticking()
            assert failed(client, origin, 15) == "error"
            longest = ticking.longest
            assert longest < 0.3, f"the loop stood still for {{longest}} s"
        finally:
            service.kill()
            service.communicate()
        """
    )


def test_answers_that_are_there_at_once_are_read_in_turns() -> None:
    """Nothing here ever waits for the network: the loop goes round because the client has it go round."""
    in_engine_like_process(
        """
        sent = b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n" + b"1\\r\\n \\r\\n" * 60_000

        def at_once(self, buffer, nbytes=0, flags=0):
            at = self.__dict__.setdefault("at", 0)
            part = sent[at : at + nbytes]
            buffer[: len(part)] = part
            self.at += len(part)
            return len(part)

        origin, client = web(lambda connection, address: time.sleep(60))
        socket.socket.recv_into = at_once
        ticking = Ticking()
        asking = [gevent.spawn(failed, client, origin, 15) for _ in range(30)]
        assert [each.get() for each in asking] == ["error"] * 30
        longest = ticking.longest
        assert longest < 0.5, f"the loop stood still for {longest} s"
        """
    )


def test_a_slow_name_server_holds_up_no_other_service() -> None:
    in_engine_like_process(
        """
        def resolve(host):
            if host.startswith("slow"):
                asked.append(host)
                sleep_a_thread(1.5)
            return ["127.0.0.1"]

        def handle(connection, address):
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
            connection.close()

        asked = []
        origin, client = web(handle, resolve=resolve)
        waiting = [gevent.spawn(failed, client, SLOW, 0.5) for _ in range(12)]
        gevent.sleep(0.05)
        began = time.monotonic()
        assert client.fetch(WebRequest("GET", origin, 5)).status == 200
        assert socket.getaddrinfo("localhost", 80)
        assert time.monotonic() - began < 0.4, "the service, or the engine itself, waited for another's name server"
        assert [each.get() for each in waiting] == ["timeout"] * 12
        assert asked == ["slow.example.com"], "one lookup serves all who wait for it"
        """
    )


def test_the_system_resolves_in_threads_that_are_not_gevents() -> None:
    in_engine_like_process(
        """
        from engine.web.lookups import resolve
        from gevent import get_hub
        holding = [get_hub().threadpool.spawn(sleep_a_thread, 1.5) for _ in range(get_hub().threadpool.maxsize)]
        origin, client = client_of(1, resolve=lambda host: resolve("localhost"))
        began = time.monotonic()
        assert failed(client, origin, 1) == "error"
        assert time.monotonic() - began < 0.5
        """
    )


def test_an_address_that_does_not_answer_leaves_time_for_the_next() -> None:
    in_engine_like_process(
        """
        def handle(connection, address):
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
            connection.close()

        # A listener whose queue is full takes nobody in, and says nothing.
        deaf = socket.socket()
        deaf.bind(("127.0.0.2", 0))
        port = deaf.getsockname()[1]
        deaf.listen(0)
        filling = [socket.socket() for _ in range(4)]
        for each in filling:
            each.setblocking(False)
            each.connect_ex(("127.0.0.2", port))
        server = StreamServer(("127.0.0.1", port), handle)
        server.start()
        origin, client = client_of(port, resolve=lambda host: ["127.0.0.2", "127.0.0.1"])
        assert client.fetch(WebRequest("GET", origin, 1)).status == 200
        """
    )


def test_a_service_that_hangs_gathers_no_more_than_so_many_calls() -> None:
    in_engine_like_process(
        """
        origin, client = web(lambda connection, address: time.sleep(60))
        waiting = [gevent.spawn(failed, client, origin, 20) for _ in range(MOST_AT_ONCE)]
        gevent.sleep(0.2)
        began = time.monotonic()
        assert failed(client, origin, 20) == "error"
        assert time.monotonic() - began < 1
        waiting.pop().kill()
        another = gevent.spawn(failed, client, origin, 20)
        gevent.sleep(0.1)
        assert not another.ready(), "there is room again"
        """
    )


@pytest.mark.parametrize(("waited", "left_alone"), [("PATIENCE_S", True), ("PATIENCE_S - 0.1", False)])
def test_a_caller_who_gives_up_after_a_while_gave_up_on_the_service(waited: str, left_alone: bool) -> None:
    in_engine_like_process(
        f"""
        now = [0.0]
        origin, client = web(lambda connection, address: time.sleep(60), clock=lambda: now[0])
        waiting = [gevent.spawn(failed, client, origin, 20) for _ in range(5)]
        gevent.sleep(0.1)
        now[0] += {waited}
        gevent.killall(waiting)
        another = gevent.spawn(failed, client, origin, 20)
        gevent.sleep(0.1)
        assert another.ready() is {left_alone}
        """
    )
