"""play_and_get_digits and read: prompts that collect keys."""

from __future__ import annotations

import re
from dataclasses import dataclass

from labswitch.apps import app
from labswitch.apps.play import Played, play
from labswitch.channel import Channel
from labswitch.execute import run_messages
from labswitch.transfer import transfer

_LEAST_TIMEOUT_MS = 1000
"""FreeSWITCH takes anything shorter for this."""


@dataclass(frozen=True)
class Request:
    """What to collect. Timeouts in milliseconds."""

    least: int
    most: int
    timeout_ms: int
    digit_timeout_ms: int
    terminators: str
    prompt: str
    variable: str


@app("play_and_get_digits", needs_media=True)
async def play_and_get_digits(channel: Channel, data: str) -> None:
    """`min max tries timeout terminators prompt invalid variable regexp digit_timeout transfer_on_failure`."""
    words = _words(data)
    words += [""] * (11 - len(words))
    least = max(0, _number(words[0]))
    timeout_ms = max(_LEAST_TIMEOUT_MS, _number(words[3], _LEAST_TIMEOUT_MS))
    request = Request(
        least=least,
        most=max(least, _number(words[1])),
        timeout_ms=timeout_ms,
        digit_timeout_ms=_number(words[9]) or timeout_ms,
        terminators=words[4] or "#",
        prompt=words[5],
        variable=words[7],
    )
    pattern = words[8]
    if pattern and request.variable:
        channel.set(f"{request.variable}_invalid", None)
    tries = _number(words[2])
    while channel.ready and tries > 0:
        digits, result = await _read(channel, request)
        if not request.least and not digits and "read_terminator_used" in channel.variables:
            return
        if result == "timeout" and len(digits) >= request.least:
            result = "success"
        if result == "success" and digits:
            if not pattern or re.search(pattern, digits):
                return
            if request.variable:
                channel.set(request.variable, None)
                channel.set(f"{request.variable}_invalid", digits)
        if not channel.ready:
            return
        if words[6]:
            await play(channel, words[6])
        tries -= 1
    if words[10] and channel.ready:
        transfer(channel, *words[10].split()[:3])


@app("read", needs_media=True)
async def read(channel: Channel, data: str) -> None:
    """`min max prompt variable timeout terminators [digit_timeout]`."""
    words = _words(data)
    words += [""] * (7 - len(words))
    least = max(1, _number(words[0], 1))
    timeout_ms = max(_LEAST_TIMEOUT_MS, _number(words[4], _LEAST_TIMEOUT_MS))
    most = max(least, _number(words[1]))
    digit_timeout_ms = _number(words[6]) or timeout_ms
    request = Request(least, most, timeout_ms, digit_timeout_ms, words[5] or "#", words[2], words[3])
    await _read(channel, request)


async def _read(channel: Channel, request: Request) -> tuple[str, str]:
    """Play and collect once: the digits, and `success`, `timeout` or `failure`."""
    channel.set("read_result", None)
    if request.variable:
        channel.set(request.variable, None)
    digits, played = "", Played.TO_THE_END
    if request.prompt and request.prompt != "silence":
        first: list[str] = []

        def keep(key: str) -> bool:
            first.append(key)
            return True

        played = await play(channel, request.prompt, keep)
        digits = "".join(first)
    if played in {Played.MISSING, Played.CALL_LEFT}:
        return _store(channel, request, digits, ""), "failure"
    result, terminator = "success", ""
    if (request.least and len(digits) < request.least) or len(digits) < request.most:
        digits, terminator, result = await _collect(channel, request, digits)
    if terminator:
        channel.set("read_terminator_used", terminator)
        if request.terminators.partition(terminator)[0].endswith(("+", "x")):
            digits += terminator
    elif request.terminators.startswith("="):
        result = "failure"
    if request.least and len(digits) < request.least:
        result = "failure"
    channel.set("read_result", result)
    return _store(channel, request, digits, terminator), result


def _store(channel: Channel, request: Request, digits: str, terminator: str) -> str:
    """A single key that is a terminator counts as none; what is left goes to the variable."""
    if request.most == 1 and len(digits) == 1 and digits in request.terminators and not terminator:
        digits = ""
    if request.variable and digits:
        channel.set(request.variable, digits)
    return digits


async def _collect(channel: Channel, request: Request, digits: str) -> tuple[str, str, str]:
    """After the prompt: digits, terminator, result."""
    if digits and digits[0] in request.terminators:
        return "", digits[0], "success"
    clock = channel.switch.clock
    limit_ms = request.digit_timeout_ms if digits else request.timeout_ms
    since = clock.monotonic()
    while channel.ready:
        await run_messages(channel)
        if not channel.ready:
            break
        if (clock.monotonic() - since) * 1000 >= limit_ms - 1e-3:
            return digits, "", "timeout"
        while (key := channel.take_key()) is not None:
            limit_ms, since = request.digit_timeout_ms, clock.monotonic()
            if key in request.terminators:
                return digits, key, "success"
            digits += key
            if len(digits) >= request.most:
                return digits, "", "success"
        if channel.stop_app:
            channel.stop_app = False
            break
        await channel.frame()
    return digits, "", "failure"


def _words(data: str) -> list[str]:
    """Split at spaces, quotes keep words together."""
    return [quoted or plain for quoted, plain in re.findall(r"'([^']*)'|(\S+)", data)]


def _number(text: str, default: int = 0) -> int:
    match = re.match(r"\s*(-?\d+)", text)
    return int(match[1]) if match else default
