"""What happens around every request: its id, its key, the form of its body, headers of the answer."""

from __future__ import annotations

import re
import uuid

from flask import Flask, Response, g, request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from admin_api.context import services
from admin_api.problems import Unauthenticated

_OPEN = {"system.Liveness", "system.Readiness"}
"""Endpoints without a key: for load balancers and supervisors."""
_SOUNDS = {("PUT", "prompts.Member")}
"""What takes a sound file in place of JSON."""
MAX_SOUND_BYTES = 50_000_000
_BATCHES = {("POST", "contacts.Batch")}
"""What takes one JSON document on each line as well."""
MAX_BATCH_BYTES = 20_000_000
LINES = "application/x-ndjson"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def install(app: Flask) -> None:
    """Adds the hooks to the application."""
    app.before_request(_name)
    app.before_request(_authenticate)
    app.before_request(_require_json)
    app.after_request(_add_headers)


def _name() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _authenticate() -> None:
    if request.endpoint in _OPEN:
        return
    # A path that does not exist needs a key as well: without one there is nothing to be learnt here.
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthenticated("Send a key in the header: Authorization: Bearer <key>.")
    name = services().keys.authenticate(key.strip())
    if name is None:
        raise Unauthenticated("The key is not in force.")
    g.key_name = name


def _require_json() -> None:
    streamed = "chunked" in request.headers.get("Transfer-Encoding", "")
    if (request.method, request.endpoint) in _SOUNDS:
        request.max_content_length = MAX_SOUND_BYTES
    elif (request.method, request.endpoint) in _BATCHES:
        request.max_content_length = MAX_BATCH_BYTES
        if not request.is_json and request.mimetype != LINES:
            raise UnsupportedMediaType
    elif (request.content_length or streamed) and not request.is_json:
        raise UnsupportedMediaType
    # Werkzeug cuts off a streamed body at the limit without a word; what comes as long as that was longer.
    limit = request.max_content_length
    if streamed and limit is not None and len(request.get_data()) >= limit:
        raise RequestEntityTooLarge


def _add_headers(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    # answers hold personal data and links
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
