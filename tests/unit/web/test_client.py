"""Requests against a real server on this machine, which is allowed by its network; names are resolved by the tests."""

from __future__ import annotations

import gzip
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from engine.domain.web import RequestFailed, WebRequest
from engine.web.client import Secret, WebClient
from engine.web.connection import MAX_ANSWER

LOOPBACK = (ip_network("127.0.0.0/8"),)
HOST = "crm.example.com"
TLS = Path(__file__).parent / "tls"
"""A certificate of that host, and the authority that signed it, whose key is gone."""


class Handler(BaseHTTPRequestHandler):
    """Answers by the path; what was asked is kept."""

    server: Server

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.server.asked.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.names: list[str | None] = []
        self.answer: tuple[int, dict[str, str], bytes] = (200, {}, b'{"ok": true}')

    @property
    def origin(self) -> str:
        return f"http://{HOST}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client went away in the middle of an answer, as it should."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def to(*addresses: str) -> Callable[[str], Sequence[str]]:
    return lambda host: addresses


def client(server: Server, **more: Any) -> WebClient:
    return WebClient([server.origin], **{"networks": LOOPBACK, "resolve": to("127.0.0.1"), **more})


def get(server: Server, path: str = "/", **more: Any) -> WebRequest:
    return WebRequest("GET", server.origin + path, **{"timeout_s": 5, **more})


def refused(web: WebClient, request: WebRequest) -> RequestFailed:
    with pytest.raises(RequestFailed) as caught:
        web.fetch(request)
    return caught.value


def test_a_request_and_its_answer(server: Server) -> None:
    answer = client(server).fetch(get(server, "/customers/47%2F11?from=%2B420", headers={"X-Call": "1"}))
    assert (answer.status, json.loads(answer.content)) == (200, {"ok": True})
    ((method, path, headers, body),) = server.asked
    assert (method, path, body) == ("GET", "/customers/47%2F11?from=%2B420", b"")
    assert headers["Host"] == server.origin.removeprefix("http://")
    assert headers["X-Call"] == "1"
    assert headers["Accept-Encoding"] == "identity"


def test_a_post(server: Server) -> None:
    request = WebRequest("POST", server.origin, 5, body='{"a": "č"}', key="call-7")
    client(server).fetch(request)
    ((method, path, headers, body),) = server.asked
    assert (method, path, json.loads(body)) == ("POST", "/", {"a": "č"})
    assert (headers["Content-Type"], headers["Idempotency-Key"]) == ("application/json", "call-7")


def test_only_origins_that_are_allowed(server: Server) -> None:
    for url in (
        "http://other.example.com/",
        f"https://{HOST}/",
        f"http://{HOST}/",
        f"{server.origin}@other.example.com/",
        f"http://{HOST}@127.0.0.1/",
        "file:///etc/passwd",
        "http://[::1",
    ):
        assert refused(client(server), WebRequest("GET", url, 5)).why == "refused"
    assert server.asked == []


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.1"])
def test_a_name_that_leads_inside_is_refused_without_a_connection(server: Server, address: str) -> None:
    fault = refused(client(server, networks=(), resolve=to(address)), get(server))
    assert (fault.why, fault.status) == ("refused", 0)
    assert fault.reason == f"{HOST} leads to {address}; no such address may be asked, see http.networks"
    assert server.asked == []


def test_the_name_is_resolved_once_and_that_address_is_asked(server: Server) -> None:
    """A name that leads outside when it is checked and inside a moment later (DNS rebinding) gains nothing."""
    answers = iter([["127.0.0.1"], ["127.0.0.66"]])
    seen = []

    def rebinding(host: str) -> Sequence[str]:
        seen.append(host)
        return next(answers)

    client(server, networks=(ip_network("127.0.0.1/32"),), resolve=rebinding).fetch(get(server))
    assert seen == [HOST]
    assert len(server.asked) == 1


def test_of_several_addresses_the_first_that_is_permitted_is_asked(server: Server) -> None:
    client(server, resolve=to("10.0.0.1", "::1", "127.0.0.1")).fetch(get(server))
    assert len(server.asked) == 1


def test_an_address_where_nobody_is_does_not_keep_it_from_the_next(server: Server) -> None:
    client(server, resolve=to("127.66.66.66", "127.0.0.1")).fetch(get(server))
    assert len(server.asked) == 1


def test_what_a_name_server_says_need_not_be_an_address(server: Server) -> None:
    fault = refused(client(server, resolve=to("8.8.8.8%1", "no address")), get(server))
    assert (fault.why, fault.status) == ("refused", 0)


def test_a_name_that_does_not_resolve(server: Server) -> None:
    def fails(host: str) -> Sequence[str]:
        raise OSError("Name or service not known")

    assert refused(client(server, resolve=fails), get(server)).why == "error"


@pytest.mark.parametrize(
    ("status", "headers", "body", "why", "reason"),
    [
        (302, {"Location": "http://127.0.0.1/admin"}, b"", "refused", "redirects, which is not followed: 302 Found"),
        (404, {}, b"", "refused", "says no: 404 Not Found"),
        (503, {}, b"", "error", ": 503 Service Unavailable"),
        (200, {}, b"x" * (MAX_ANSWER + 1), "error", f"answers with more than {MAX_ANSWER} bytes"),
        (200, {"Content-Length": "9"}, b"short", "error", "breaks off in the middle of its answer"),
        (200, {"Content-Encoding": "gzip"}, gzip.compress(b"0" * 10_000_000), "error", "compresses its answer"),
    ],
    ids=["redirect", "no", "fault", "too large", "cut short", "compressed"],
)
def test_answers_of_no_use(
    server: Server, status: int, headers: dict[str, str], body: bytes, why: str, reason: str
) -> None:
    server.answer = (status, headers, body)
    fault = refused(client(server), get(server))
    assert (fault.why, reason in fault.reason) == (why, True), fault.reason
    assert len(server.asked) == 1


def test_the_largest_answer(server: Server) -> None:
    server.answer = (200, {}, b"x" * MAX_ANSWER)
    assert len(client(server).fetch(get(server)).content) == MAX_ANSWER


def test_nobody_there(server: Server) -> None:
    port = server.server_address[1]
    server.shutdown()
    server.server_close()
    web = WebClient([f"http://{HOST}:{port}"], LOOPBACK, resolve=to("127.0.0.1"))
    assert refused(web, WebRequest("GET", f"http://{HOST}:{port}/", 5)).why == "error"


@pytest.mark.req("R123")
def test_a_secret_goes_only_where_it_may(server: Server) -> None:
    secrets = {"crm": Secret("Bearer x", frozenset({server.origin})), "other": Secret("y", frozenset({"https://b.cz"}))}
    web = client(server, secrets=secrets)
    web.fetch(get(server, secret_headers={"Authorization": "crm"}))
    assert server.asked[0][2]["Authorization"] == "Bearer x"
    for name in ("other", "unknown"):
        fault = refused(web, get(server, secret_headers={"Authorization": name}))
        assert fault.reason == f"the secret '{name}' may not go to {server.origin}; see http_secrets"
    assert len(server.asked) == 1


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "č", "\x00", "a\nb"])
def test_a_header_that_would_be_two_is_refused(server: Server, value: str) -> None:
    assert refused(client(server), get(server, headers={"X-Call": value})).why == "refused"
    assert server.asked == []


def test_a_service_that_fails_again_and_again_is_left_alone(server: Server) -> None:
    now = [0.0]
    web = client(server, clock=lambda: now[0])
    server.answer = (500, {}, b"")
    for _ in range(5):
        refused(web, get(server))
    assert "isn't asked for now" in refused(web, get(server)).reason
    assert len(server.asked) == 5
    now[0] += 30
    server.answer = (200, {}, b"")
    web.fetch(get(server))
    web.fetch(get(server))


def test_a_service_that_says_no_is_well(server: Server) -> None:
    web = client(server)
    server.answer = (404, {}, b"")
    for _ in range(10):
        refused(web, get(server))
    assert len(server.asked) == 10


@pytest.fixture
def tls_server() -> Iterator[Server]:
    """Speaks TLS as crm.example.com, and notes by which name it was asked."""
    with Server() as running:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(TLS / "server.pem")
        context.sni_callback = lambda connection, name, _: running.names.append(name)
        running.socket = context.wrap_socket(running.socket, server_side=True)
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.mark.req("R123")
def test_the_certificate_is_checked_against_the_name_and_not_the_address(tls_server: Server) -> None:
    origin = tls_server.origin.replace("http://", "https://")
    web = WebClient([origin], LOOPBACK, ca_file=TLS / "ca.pem", resolve=to("127.0.0.1"))
    assert web.fetch(WebRequest("GET", origin, 5)).status == 200
    assert tls_server.names == [HOST]


@pytest.mark.parametrize(("host", "ca_file"), [("other.example.com", TLS / "ca.pem"), (HOST, None)])
def test_a_certificate_of_another_name_or_authority_is_refused(
    tls_server: Server, host: str, ca_file: Path | None
) -> None:
    origin = f"https://{host}:{tls_server.server_address[1]}"
    web = WebClient([origin], LOOPBACK, ca_file=ca_file, resolve=to("127.0.0.1"))
    fault = refused(web, WebRequest("GET", origin, 5))
    assert (fault.why, "SSLError" in fault.reason) == ("error", True), fault.reason
    assert tls_server.asked == []
