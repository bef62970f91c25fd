"""This machine's clock against those of everything that it works with.

Times in a call's record come from the engine, the switch and the database; expiries from Redis; a signature for object
storage is refused when it is a quarter of an hour off.
"""

from __future__ import annotations

import ctypes
import http.client
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import text

from callwright.doctor import database, redis_server
from callwright.doctor.configuration import is_loopback
from callwright.doctor.finding import ANSWER_WITHIN_S, Finding, Subject, fail, ok, warn
from callwright.local import event_socket
from engine.config import Config, Switch

WARN_S, FAIL_S = 1.0, 5.0
STORAGE_WARN_S, STORAGE_FAIL_S = 5.0, 300.0
"""Object storage refuses signatures that are 900 s off."""
_SYNC = "timedatectl set-ntp true, or install chrony; on both machines"
_TIME_ERROR = 5
_TIMEX_BYTES = 512
"""More than the kernel's `struct timex` has on any machine."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock elsewhere. `ask` gives its seconds since the epoch; `step_s` is how finely it tells them."""

    name: str
    ask: Callable[[], float]
    step_s: float = 0.0
    warn_s: float = WARN_S
    fail_s: float = FAIL_S


def examine(subject: Subject) -> Iterator[Finding]:
    """Every clock that can be asked, at once. One that does not answer is told by the area that it belongs to."""
    clocks = [*_of_services(subject), *(_of_switch(each) for each in subject.config.switches)]
    if not clocks:
        return
    near = []
    with ThreadPoolExecutor(len(clocks)) as pool:
        for clock, measured in zip(clocks, pool.map(lambda each: _measured(each, subject.now), clocks), strict=True):
            if measured is None:
                continue
            finding = judged(clock, *measured)
            if finding is None:
                near.append(clock.name)
            else:
                yield finding
    if near:
        yield ok(f"the same time as here: {', '.join(near)}")
    yield from kept_in_time(subject.config)


def judged(clock: Clock, ahead_s: float, unsure_s: float) -> Finding | None:
    """None for a clock that is near enough. What the way there and back may explain is not held against it."""
    off = max(0.0, abs(ahead_s) - unsure_s)
    if off <= clock.warn_s:
        return None
    what = f"{clock.name} is {abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine"
    return (fail if off > clock.fail_s else warn)(what, _SYNC)


def difference(clock: Clock, now: Callable[[], float]) -> tuple[float, float]:
    """How far the clock is ahead, and by how much that may be wrong: half of the way there and back, and its step."""
    before = now()
    there = clock.ask()
    after = now()
    return there + clock.step_s / 2 - (before + after) / 2, (after - before) / 2 + clock.step_s / 2


def _measured(clock: Clock, now: Callable[[], float]) -> tuple[float, float] | None:
    try:
        return difference(clock, now)
    except Exception:  # noqa: BLE001 - that it cannot be asked is told where its service is examined
        return None


def kept_in_time(config: Config, adjtimex: Callable[[Any], int] | None = None) -> Iterator[Finding]:
    """Whether the kernel's clock is synchronised. Of no weight where everything runs on this one machine."""
    hosts = [switch.host for switch in config.switches]
    urls = (config.database.url, config.redis.url, config.s3.endpoint_url)
    hosts += [urlsplit(url.get_secret_value()).hostname or "localhost" for url in urls if url]
    if all(is_loopback(host) for host in hosts):
        return
    try:
        state = (adjtimex or ctypes.CDLL(None).adjtimex)(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return  # no Linux
    if state == _TIME_ERROR:
        yield warn("this machine's clock is not synchronised with any other (NTP)", _SYNC)
    else:
        yield ok("synchronised (NTP)")


def _of_services(subject: Subject) -> Iterator[Clock]:
    config = subject.config
    if config.database.url:
        yield Clock("PostgreSQL", lambda: _ask_database(subject))
    if config.redis.url:
        yield Clock("Redis", lambda: _ask_redis(subject))
    if config.s3.endpoint_url:
        url = config.s3.endpoint_url.get_secret_value()
        yield Clock("object storage", lambda: _ask_storage(url), 1.0, STORAGE_WARN_S, STORAGE_FAIL_S)


def _of_switch(switch: Switch) -> Clock:
    def ask() -> float:
        password = switch.password.get_secret_value()
        return float(event_socket.ask(switch.host, switch.port, password, "strepoch", ANSWER_WITHIN_S))

    return Clock(f"switch {switch.name}", ask, step_s=1.0)


def _ask_database(subject: Subject) -> float:
    asked = database.connect(subject)
    try:
        with asked.engine.connect() as connection:
            return float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
    finally:
        asked.close()


def _ask_redis(subject: Subject) -> float:
    client = redis_server.connect(subject)
    try:
        seconds, micros = client.time()
        return float(seconds) + float(micros) / 1e6
    finally:
        client.close()


def _ask_storage(url: str) -> float:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=ANSWER_WITHIN_S)
    try:
        connection.request("HEAD", "/")
        return parsedate_to_datetime(connection.getresponse().headers["Date"]).timestamp()
    finally:
        connection.close()
