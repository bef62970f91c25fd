"""Errors as problem documents (RFC 9457). This is the one place where faults become HTTP.

`type` is `urn:callwright:problem:<id>`; the ids stay. Bad input carries `errors` (place and message of each fault), a
flow `findings`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

import marshmallow as ma
from flask import Flask, Response, g, json, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from engine.services.errors import Conflict, FlowRefused, NotFound, Refused, ServiceError, Unavailable
from engine.store.errors import BadData, StoreUnavailable

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_S = 5

_STATUS: tuple[tuple[type[ServiceError], int], ...] = (
    (NotFound, 404),
    (Refused, 422),
    (Conflict, 409),
    (Unavailable, 503),
)
_HTTP_IDS = {
    400: "malformed_request",
    404: "no_such_path",
    405: "method_not_allowed",
    413: "too_large",
    415: "not_json",
    422: "invalid_request",
    500: "internal_error",
}
_HTTP_DETAILS = {
    404: "Nothing is found under this path; /openapi.json lists all there are.",
    413: "The body is larger than this API takes.",
    415: "The body must be JSON, and its Content-Type application/json; of a batch, application/x-ndjson as well.",
    500: "The fault is ours and is in the log under the request's id.",
}


class FaultSchema(ma.Schema):
    """One fault of the input."""

    place = ma.fields.String(required=True, metadata={"description": "path in the input, as `weekly.mon[1]`"})
    message = ma.fields.String(required=True)


class ProblemSchema(ma.Schema):
    """A problem document, RFC 9457."""

    type = ma.fields.String(required=True, metadata={"example": "urn:callwright:problem:flow_refused"})
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    detail = ma.fields.String(required=True)
    instance = ma.fields.String(required=True, metadata={"description": "the request's path"})
    request_id = ma.fields.String(required=True, metadata={"description": "also in the header X-Request-Id"})
    errors = ma.fields.List(ma.fields.Nested(FaultSchema))
    findings = ma.fields.List(ma.fields.Dict(), metadata={"description": "of a flow: errors and warnings"})


class Unauthenticated(Exception):
    """The request has no key in force."""


def install(app: Flask) -> None:
    """Lets the application answer faults with problem documents."""
    app.register_error_handler(ServiceError, _of_service_error)
    app.register_error_handler(StoreUnavailable, _of_unavailable)
    app.register_error_handler(BadData, _of_bad_data)
    app.register_error_handler(Unauthenticated, _of_unauthenticated)


def problem(
    status: int, problem_id: str, title: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """The answer with a problem document."""
    document = {
        "type": f"urn:callwright:problem:{problem_id}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.path,
        "request_id": g.request_id,
    }
    response = Response(json.dumps(document | more) + "\n", status=status, content_type=CONTENT_TYPE)
    response.headers.extend(headers or {})
    return response


def of_http_exception(error: HTTPException) -> Response:
    """What Flask, Werkzeug and webargs raise."""
    status = error.code or 500
    phrase = HTTPStatus(status).phrase
    headers = {"Allow": ", ".join(sorted(error.valid_methods or ()))} if isinstance(error, MethodNotAllowed) else {}
    detail = _HTTP_DETAILS.get(status, error.description or phrase)
    more: dict[str, Any] = {}
    messages = getattr(error, "data", {}).get("messages")
    if messages:
        more["errors"] = [{"place": place, "message": message} for place, message in places(messages)]
        detail = "; ".join(f"{each['place']}: {each['message']}" for each in more["errors"])
    return problem(status, _HTTP_IDS.get(status, "http_error"), phrase, detail, headers, **more)


def places(messages: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """webargs' messages, `{"json": {"a": {"0": ["wrong"]}}}`, as places and messages: `a[0]`, `wrong`."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            if not place and key in ("json", "query"):
                yield from places(inner, "")
            elif isinstance(key, int):
                yield from places(inner, f"{place}[{key}]")
            else:
                yield from places(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(messages, list):
        for message in messages:
            yield place or "body", str(message)


def _of_service_error(error: ServiceError) -> Response:
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    more = dict(error.more)
    if isinstance(error, FlowRefused):
        more["findings"] = [asdict(finding) for finding in error.findings]
    elif isinstance(error, Refused):
        more["errors"] = [{"place": fault.place, "message": fault.message} for fault in error.faults]
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {}
    return problem(status, error.id, error.title, error.detail, headers, **more)


def _of_unavailable(error: StoreUnavailable) -> Response:
    log.warning("request %s: the store is away: %s", g.request_id, error)
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return problem(503, "store_unavailable", "The database is away", "Try again in a few seconds.", headers)


def _of_bad_data(error: BadData) -> Response:
    log.warning("request %s: the store refuses: %s", g.request_id, error)
    return problem(422, "bad_data", "It can't be stored", "The database refuses a value of this request.")


def _of_unauthenticated(error: Unauthenticated) -> Response:
    log.info("request %s from %s: %s", g.request_id, request.remote_addr, error)
    headers = {"WWW-Authenticate": 'Bearer realm="callwright"'}
    return problem(401, "unauthenticated", "A key is needed", str(error), headers)
