"""The node `http`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal
from urllib.parse import quote, urlencode

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.expressions import NUMBER_LIMIT, Expression, Value, number_in, text
from ivr_flows.fields import HEADER, POINTER, Prompts, SecretName, Url, VariableName
from ivr_flows.node import Fault, Node, NodeRun, Scope, ask, node
from ivr_flows.results import HttpFailed

OURS = frozenset(
    ("host", "content-length", "content-type", "transfer-encoding", "connection", "accept-encoding", "idempotency-key")
)
"""Headers that the engine sets, or that would change what a request is."""
_NO_PATH = ("", ".", "..")
"""Parts of a path that would ask for something else: a list in place of an entry, or what lies above it."""

Pointer = Annotated[str, Field(pattern=POINTER, max_length=200)]
HeaderName = Annotated[str, Field(pattern=HEADER)]
FieldName = Annotated[str, Field(min_length=1, max_length=64)]


@node(
    "http",
    exits={
        "ok": "2xx and JSON, and every result was there",
        "refused": "the service said no (3xx, 4xx), or the host isn't allowed",
        "timeout": "no answer in time",
        "error": "no connection, 5xx, an unusable answer, an empty part of `path`, or a service that is given a rest",
    },
    timed=("timeout",),
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Http(Node):
    """Ask a service over HTTP and keep what it says in variables."""

    url: Annotated[Url, Field(description="host and fixed part of the path")]
    method: Annotated[Literal["GET", "POST"], Field(description="how to ask")] = "GET"
    path: Annotated[
        tuple[Expression, ...], Field(max_length=5, description="further parts of the path, escaped; none may be empty")
    ] = ()
    query: Annotated[Mapping[FieldName, Expression], Field(max_length=20, description="what follows the ?")] = field(
        default_factory=dict
    )
    headers: Annotated[Mapping[HeaderName, Expression], Field(max_length=20, description="headers")] = field(
        default_factory=dict
    )
    secret_headers: Annotated[
        Mapping[HeaderName, SecretName], Field(max_length=5, description="headers, and the secrets that they carry")
    ] = field(default_factory=dict)
    body: Annotated[
        Mapping[FieldName, Expression] | None, Field(max_length=50, description="sent as a JSON object; POST only")
    ] = None
    results: Annotated[
        Mapping[VariableName, Pointer], Field(max_length=50, description="variables, and pointers to their values")
    ] = field(default_factory=dict)
    status_variable: Annotated[
        VariableName | None, Field(description="takes the HTTP status; 0: there was no answer")
    ] = None
    timeout_ms: Annotated[int, Field(ge=100, le=15_000, description="how long it may take in all, ms")] = 5000
    hold_prompts: Annotated[Prompts, Field(description="what the caller hears meanwhile, again and again")] = ()

    def writes(self, exit_name: str) -> frozenset[str]:
        always = {self.status_variable} if self.status_variable else set()
        return frozenset(always | (set(self.results) if exit_name == "ok" else set()))

    def longest_ms(self, sounds: Callable[[Iterable[str]], int]) -> int:
        return self.timeout_ms

    def faults(self, scope: Scope) -> Iterator[Fault]:
        if self.body is not None and self.method != "POST":
            yield Fault("body", "only a POST has a body; set method to POST or remove the body")
        for place, names in (("headers", self.headers), ("secret_headers", self.secret_headers)):
            for name in names:
                if name.lower() in OURS:
                    yield Fault(f"{place}.{name}", f"the header {name} is set by callwright; remove it")
        for name in {each.lower() for each in self.headers} & {each.lower() for each in self.secret_headers}:
            yield Fault(f"secret_headers.{name}", f"the header {name} is in headers, too; remove one of the two")
        if self.status_variable and scope.variable(self.status_variable) in ("string", "boolean"):
            yield Fault("status_variable", f"the variable '{self.status_variable}' must be of type number")
        if self.status_variable in self.results:
            yield Fault("status_variable", f"the variable '{self.status_variable}' takes a result already")

    def run(self, call: Call) -> NodeRun:
        parts = [call.text(part) for part in self.path]
        if any(part in _NO_PATH for part in parts):
            return self._left(call, 0, "error")
        got = yield from ask(self._request(call, parts))
        if isinstance(got, HttpFailed):
            return self._left(call, got.status, got.why)
        taken = {name: _typed(got.values.get(name), call.type_of(name)) for name in self.results}
        if None in taken.values():
            return self._left(call, got.status, "error")
        call.variables.update({name: value for name, value in taken.items() if value is not None})
        return self._left(call, got.status, "ok")

    def _left(self, call: Call, status: int, exit_name: str) -> str:
        if self.status_variable:
            call.variables[self.status_variable] = status
        return exit_name

    def _request(self, call: Call, parts: Iterable[str]) -> do.HttpRequest:
        escaped = [quote(part, safe="", errors="replace") for part in parts]
        url = "/".join([self.url.rstrip("/"), *escaped]) if escaped else self.url
        if self.query:
            url += "?" + urlencode({name: call.text(value) for name, value in self.query.items()}, errors="replace")
        body = {name: call.value(value) for name, value in self.body.items()} if self.body is not None else None
        return do.HttpRequest(
            self.method,
            url,
            headers={name: call.text(value) for name, value in self.headers.items()},
            secret_headers=self.secret_headers,
            body=json.dumps(body) if body is not None else None,
            results=self.results,
            timeout_ms=self.timeout_ms,
            hold=call.media(self.hold_prompts),
        )


def _typed(value: str | float | bool | None, wanted: str) -> Value | None:
    """The value of an answer for a variable of a type; None where it doesn't fit. Fractions are cut off."""
    if value is None:
        return None
    if wanted == "boolean":
        return value if isinstance(value, bool) else None
    if wanted == "string":
        return text(value if isinstance(value, str | bool) else str(value))
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return number_in(value)
    return int(value) if abs(value) <= NUMBER_LIMIT else None
