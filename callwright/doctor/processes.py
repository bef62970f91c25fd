"""Our own processes: the API by HTTP, engines and speech processes by the sign of life that each keeps in Redis."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

import redis

from callwright.doctor import redis_server
from callwright.doctor.finding import ANSWER_WITHIN_S, Finding, Subject, fail, ok, warn, words_of
from engine.config import Address
from engine.domain.speech import PROCESS

_ENGINE = "cw:engine:"


def examine(subject: Subject) -> Iterator[Finding]:
    """What lives, and whether it is of this version."""
    if not subject.configured:
        return
    yield from api(subject)
    if subject.config.redis.url:
        yield from signs_of_life(subject)


def api(subject: Subject) -> Iterator[Finding]:
    """Whether the API answers, and what it says of what it depends on."""
    listen = subject.config.api.listen
    if listen.host in ("0.0.0.0", "::"):
        listen = Address(host="127.0.0.1" if listen.host == "0.0.0.0" else "::1", port=listen.port)
    try:
        status, told = _get(listen, "/readyz")
    except (OSError, ValueError, http.client.HTTPException) as error:
        what = f"the API does not answer at {listen}: {words_of(error)}"
        yield fail(what, "callwright api; its log says why it ended")
        return
    if status == 200:
        yield ok(f"the API is ready at {listen}")
    else:
        parts = [f"{each['name']}: {each['detail']}" for each in told.get("dependencies", []) if not each["ok"]]
        words = "; ".join(parts) or f"it answers {status}"
        yield fail(f"the API at {listen} is not ready: {words}", "see above for what it depends on")
    keys = subject.config.api.keys
    if keys:
        status, description = _get(listen, "/openapi.json", keys[0].get_secret_value())
        if status == 200:
            yield from _compared("the API", description["info"].get("x-program-version"))
        else:
            advice = "the API runs with another configuration than this one: restart it, or name its file"
            yield warn(f"the API does not take the first of api.keys (it answers {status})", advice)


def signs_of_life(subject: Subject) -> Iterator[Finding]:
    """Who has given a sign of life lately."""
    client = redis_server.connect(subject)
    try:
        found = _signs(client, _ENGINE), _signs(client, PROCESS)
    except redis.RedisError as error:
        yield warn(f"the processes' signs of life cannot be read: {words_of(error)}", "see Redis, above")
        return
    finally:
        client.close()
    engine_signs, speech_signs = found
    yield from engines({name: sign.partition(" ")[2] for name, sign in engine_signs.items()}, subject)
    yield from speech(speech_signs)


def engines(versions: Mapping[str, str], subject: Subject) -> Iterator[Finding]:
    """The engines that live, by name, and the version of each."""
    alive = list(versions)
    wanted = len(subject.config.dialplan.engines) or 1
    start = "callwright engine; the log of the one that is missing says why it ended"
    if not alive:
        yield fail("no engine lives: every caller hears the apology", start)
    elif len(alive) < wanted:
        yield warn(f"{len(alive)} of {wanted} engines live: {', '.join(alive)}", start)
    else:
        yield ok(f"engines alive: {', '.join(alive)}")
    for name, version in versions.items():
        yield from _compared(f"engine {name}", version or None)


def speech(versions: Mapping[str, str]) -> Iterator[Finding]:
    """The speech processes that live, by name, and the version of each."""
    if not versions:
        what = "no speech process lives: texts that were never spoken before take the exit `error`"
        yield warn(what, "callwright speech; its log says why it ended. A system whose flows speak no texts needs none")
        return
    yield ok(f"speech processes alive: {', '.join(versions)}")
    for name, version in versions.items():
        yield from _compared(f"speech process {name}", version)


def _signs(client: redis.Redis, prefix: str) -> Mapping[str, str]:
    """What each that lives says of itself, by name."""
    keys = sorted(client.scan_iter(f"{prefix}*", count=1000))
    return {
        key.decode().removeprefix(prefix): sign.decode()
        for key in keys
        if isinstance(sign := client.get(key), bytes)  # else it expired in between
    }


def _compared(name: str, version: str | None) -> Iterator[Finding]:
    ours = metadata.version("callwright")
    if version != ours:
        other = f"callwright {version}" if version else "an older callwright"
        yield warn(f"{name} runs {other}, this is {ours}", "fine while a version is rolled out; else restart it")


def _get(address: Address, path: str, key: str = "") -> tuple[int, Any]:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=ANSWER_WITHIN_S)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()
