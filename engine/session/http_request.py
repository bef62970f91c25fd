"""Carries out a flow's HTTP request: the caller hears the hold prompts meanwhile, and may hang up."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from typing import Any

import gevent

from engine.domain.web import RequestFailed, Web, WebAnswer, WebRequest
from engine.session.beside import beside
from engine.session.log import CallLog
from engine.session.media import MediaPaths
from engine.switch.port import Channel, SwitchError
from ivr_flows.expressions import NUMBER_LIMIT
from ivr_flows.instructions import HttpRequest, Media
from ivr_flows.results import HttpAnswered, HttpFailed

log = logging.getLogger(__name__)

Scalar = str | int | float | bool | None


class HttpRequests:
    """One for all calls of an engine."""

    def __init__(self, web: Web, media: MediaPaths) -> None:
        self._web = web
        self._media = media

    def carry_out(
        self, step: int, instruction: HttpRequest, channel: Channel, call: CallLog
    ) -> HttpAnswered | HttpFailed:
        """Raises ChannelGone, SwitchLost; the request is then given up."""
        request = WebRequest(
            method=instruction.method,
            url=instruction.url,
            timeout_s=instruction.timeout_ms / 1000,
            headers=instruction.headers,
            secret_headers=instruction.secret_headers,
            body=instruction.body,
            key=f"{call.call_id}-{step}" if instruction.method == "POST" else "",
        )
        if instruction.method == "POST":
            call.flush()  # before anything whose repetition somebody would notice
        answer = beside(channel, lambda: self._fetch(request, instruction.hold, channel))
        if instruction.hold:
            channel.stop_playing()
        if isinstance(answer, RequestFailed):
            log.warning("call %s: %s", call.call_id, answer.reason)
            return HttpFailed(answer.why, answer.reason, answer.status)
        return _read(answer, instruction)

    def _fetch(self, request: WebRequest, hold: Sequence[Media], channel: Channel) -> WebAnswer | RequestFailed:
        # Beside the request, not before it: a hold text that must be spoken first takes seconds.
        holding = gevent.spawn(self._hold, hold, channel) if hold else None
        try:
            return self._web.fetch(request)
        except RequestFailed as fault:
            return fault
        finally:
            if holding is not None:
                holding.kill(block=False)

    def _hold(self, hold: Sequence[Media], channel: Channel) -> None:
        try:
            channel.start_playing(self._media.available(hold))
        except SwitchError as fault:
            log.info("call %s: no hold prompt: %s", channel.info.uuid, fault)


def _read(answer: WebAnswer, instruction: HttpRequest) -> HttpAnswered | HttpFailed:
    """What the pointers lead to. An answer of which nothing is wanted may be anything."""
    if not instruction.results:
        return HttpAnswered(answer.status, {})
    try:
        document = json.loads(answer.content, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        return HttpFailed("error", f"the answer is no JSON: {error}"[:200], answer.status)
    return HttpAnswered(answer.status, {name: at(document, place) for name, place in instruction.results.items()})


def at(document: Any, pointer: str) -> Scalar:
    """The text, number or truth at a JSON pointer (RFC 6901); None for anything else, and where there is nothing."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(name)
        elif isinstance(document, list) and name.isascii() and name.isdigit() and name == str(int(name)):
            document = document[int(name)] if int(name) < len(document) else None
        else:
            return None
    return _within_limits(document) if isinstance(document, str | int | float) else None


def _within_limits(value: str | float) -> Scalar:
    # The journal holds no half of a surrogate pair, no whole number beyond 64 bits and nothing infinite.
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if not math.isfinite(value):
        return None
    # As text it is what the service said, and a variable of type number doesn't take it.
    return value if abs(value) <= NUMBER_LIMIT else str(value)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")
