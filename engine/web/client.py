"""Requests to outside services over HTTP: only to origins that are allowed, only to addresses that were looked at.

Everything waits in greenlets: other calls go on meanwhile. What costs processor time is bounded: one TLS context for
all requests (reading the certificates takes 20 ms and more), answers of at most `MAX_ANSWER`, none of them compressed,
and whatever else comes is counted and read in small pieces (`engine.web.connection`).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import gevent
import urllib3
from urllib3.exceptions import HTTPError, TimeoutError

from engine.domain.web import RequestFailed, WebAnswer, WebRequest
from engine.web.addresses import Network, permitted
from engine.web.breaker import Breaker
from engine.web.connection import MAX_ANSWER, PlainConnection, Route, TlsConnection
from engine.web.lookups import Lookups, Resolve, resolve

MOST_AT_ONCE = 64
"""Requests to one service at a time: one that hangs must not gather all calls of the engine."""
PATIENCE_S = 2.0
"""Who gives up after so long gave up on the service: callers hang up before any deadline is over."""
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Secret:
    """A header's value that stands in the configuration, and the origins to which it may go."""

    value: str
    origins: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Place:
    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"


@dataclass(slots=True)
class _Service:
    breaker: Breaker
    under_way: int = 0


class WebClient:
    """`engine.domain.web.Web` over urllib3."""

    def __init__(
        self,
        origins: Sequence[str],
        networks: Sequence[Network] = (),
        secrets: Mapping[str, Secret] | None = None,
        ca_file: Path | None = None,
        *,
        resolve: Resolve = resolve,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._networks = tuple(networks)
        self._secrets = secrets or {}
        self._clock = clock
        self._tls = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        self._tls.set_alpn_protocols(["http/1.1"])
        places = [_place(origin) for origin in origins]
        self._services = {place.origin: _Service(Breaker(clock)) for place in places}
        self._lookups = Lookups(resolve, len({place.host for place in places}))

    def fetch(self, request: WebRequest) -> WebAnswer:
        """The answer. Raises RequestFailed."""
        place = _place(request.url)
        service = self._services.get(place.origin)
        if service is None:
            raise RequestFailed("refused", f"requests to {place.origin} aren't allowed; see http.origins")
        headers = self._headers(request, place)
        if service.under_way >= MOST_AT_ONCE:
            raise RequestFailed("error", f"{MOST_AT_ONCE} requests to {place.origin} are under way already")
        if not service.breaker.lets_through():
            raise RequestFailed("error", f"{place.origin} failed again and again and isn't asked for now")
        began = self._clock()
        service.under_way += 1
        try:
            answer = self._answer(place, headers, request)
        except RequestFailed as fault:
            if fault.why != "refused":
                service.breaker.failed()
            elif fault.status:
                service.breaker.succeeded()
            raise
        except gevent.GreenletExit:
            if self._clock() - began >= PATIENCE_S:
                service.breaker.failed()
            raise
        finally:
            service.under_way -= 1
        service.breaker.succeeded()
        return answer

    def _answer(self, place: _Place, headers: dict[str, str], request: WebRequest) -> WebAnswer:
        until = time.monotonic() + request.timeout_s
        route = Route(self._addresses(place, request.timeout_s), until, place.origin)
        too_long = RequestFailed("timeout", f"no answer from {place.origin} within {request.timeout_s:g} s")
        with gevent.Timeout(max(0.0, until - time.monotonic()), too_long):
            return self._ask(place, route, headers, request)

    def _headers(self, request: WebRequest, place: _Place) -> dict[str, str]:
        headers = {**request.headers}
        for name, secret_name in request.secret_headers.items():
            secret = self._secrets.get(secret_name)
            if secret is None or place.origin not in secret.origins:
                raise RequestFailed(
                    "refused", f"the secret '{secret_name}' may not go to {place.origin}; see http_secrets"
                )
            headers[name] = secret.value
        for name, value in headers.items():
            if not value.isascii() or not value.isprintable():
                raise RequestFailed("refused", f"the header {name} holds signs that no header may have")
        headers |= {"Host": place.authority, "Accept": "application/json", "Accept-Encoding": "identity"}
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        if request.key:
            headers["Idempotency-Key"] = request.key
        return headers

    def _addresses(self, place: _Place, timeout_s: float) -> Sequence[str]:
        """The addresses to connect to. The name is resolved once, so that it can't lead elsewhere a moment later."""
        found = self._lookups.addresses(place.host, timeout_s)
        addresses = [address for address in found if permitted(address, self._networks)]
        if not addresses:
            where = ", ".join(found) or "nowhere"
            raise RequestFailed(
                "refused", f"{place.host} leads to {where}; no such address may be asked, see http.networks"
            )
        return addresses

    def _ask(self, place: _Place, route: Route, headers: dict[str, str], request: WebRequest) -> WebAnswer:
        parts = urlsplit(request.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        with self._pool(place, route, request.timeout_s) as pool:
            try:
                answer = pool.urlopen(
                    request.method,
                    target,
                    body=request.body,
                    headers=headers,
                    redirect=False,
                    retries=False,
                    assert_same_host=False,
                    preload_content=False,
                    decode_content=False,
                )
                try:
                    return self._checked(place, answer)
                finally:
                    answer.close()
            except TimeoutError:
                raise RequestFailed(
                    "timeout", f"no answer from {place.origin} within {request.timeout_s:g} s"
                ) from None
            except (HTTPError, OSError, ValueError) as error:
                raise RequestFailed("error", f"{place.origin}: {type(error).__name__}: {error}"[:300]) from None

    def _pool(self, place: _Place, route: Route, timeout_s: float) -> urllib3.HTTPConnectionPool:
        """For one connection along the route."""
        pool: urllib3.HTTPConnectionPool
        if place.scheme == "http":
            pool = urllib3.HTTPConnectionPool(place.host, place.port, timeout=timeout_s, route=route)
            pool.ConnectionCls = PlainConnection
        else:
            pool = urllib3.HTTPSConnectionPool(
                place.host, place.port, timeout=timeout_s, ssl_context=self._tls, route=route
            )
            pool.ConnectionCls = TlsConnection
        return pool

    @staticmethod
    def _checked(place: _Place, answer: urllib3.BaseHTTPResponse) -> WebAnswer:
        status = answer.status
        if 300 <= status < 500:
            what = "redirects, which is not followed" if status < 400 else "says no"
            raise RequestFailed("refused", f"{place.origin} {what}: {status} {answer.reason}", status)
        if not 200 <= status < 300:
            raise RequestFailed("error", f"{place.origin}: {status} {answer.reason}", status)
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise RequestFailed(
                "error", f"{place.origin} compresses its answer although that was not asked for", status
            )
        content = answer.read(MAX_ANSWER + 1, decode_content=False)
        if len(content) > MAX_ANSWER:
            raise RequestFailed("error", f"{place.origin} answers with more than {MAX_ANSWER} bytes", status)
        if len(content) < int(answer.headers.get("Content-Length", 0)):
            raise RequestFailed("error", f"{place.origin} breaks off in the middle of its answer", status)
        return WebAnswer(status, content)


def _place(url: str) -> _Place:
    """Scheme, host and port. Raises RequestFailed for what is no URL of ours."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise RequestFailed("refused", f"no URL: {error}") from None
    if parts.scheme not in _PORTS or not host or parts.username is not None or parts.password is not None:
        raise RequestFailed("refused", "no URL of the form https://host/path")
    return _Place(parts.scheme, host, port or _PORTS[parts.scheme])
