"""What is to be called, how often and for how long. Pure: what can be wrong is found before anything starts."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

SCENARIO = "uac_load_expect_goodbye"
"""What a caller does where no other scenario is named: calls, and waits for the other side to end the call."""
DEFAULT_DURATION_S = 10.0
"""How long new calls are made where neither a number of calls nor a duration is given."""
MOST = 100_000
"""The most calls, in all, at once or a second."""
LONGEST_S = 24 * 3600.0
STEP_S = 0.25
"""A ramp rises in steps of this length."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?")
_UNITS = {"ms": 0.001, "s": 1, None: 1, "m": 60, "h": 3600}


class PlanError(ValueError):
    """The load test can't be as it was asked for; `str` says why and what would do."""


@dataclass(frozen=True, slots=True)
class Target:
    """Who is called: host and port of a SIP server, the number, and the transport (`udp` or `tcp`)."""

    host: str
    port: int
    number: str
    transport: str = "udp"

    def __str__(self) -> str:
        return f"{self.number} at {self.host}:{self.port} over {self.transport.upper()}"


@dataclass(frozen=True, slots=True)
class Plan:
    """How many calls, how fast. Raises PlanError when that makes no sense.

    `rate` new calls a second; or `concurrent` calls at once, each followed by the next, then no more than `rate` new
    ones a second. It ends after `calls` calls or `duration_s`, whichever comes first; `ramp_s` is the time in which
    the load rises evenly from nothing. A call that lasts longer than `call_timeout_s` is ended and has failed.
    """

    rate: float | None = None
    concurrent: int | None = None
    calls: int | None = None
    duration_s: float | None = None
    ramp_s: float = 0.0
    call_timeout_s: float = 60.0
    caller: str = "+420601000000"
    pause_ms: int = 1000
    """What a scenario's `<pause/>` without a length means."""
    values: Mapping[str, str] = field(default_factory=dict)
    """A scenario's own words in square brackets."""

    def __post_init__(self) -> None:
        for name, value in (("--rate", self.rate), ("--concurrent", self.concurrent), ("--calls", self.calls)):
            if value is not None and not 0 < value <= MOST:
                raise PlanError(f"{name} {value:g}: give a number above 0 and up to {MOST}")
        if self.call_timeout_s <= 0:
            raise PlanError("--call-timeout 0: a call needs some time, 60s for example")
        if self.duration_s is not None and not 0 < self.duration_s <= LONGEST_S:
            raise PlanError("--duration: give more than 0s and at most 24h, 60s for example")
        if self.calls is not None and self.rate and self.calls / self.rate > LONGEST_S:
            raise PlanError(f"{self.calls} calls at {self.rate:g} a second take longer than a day; raise --rate")
        self._check_ramp()

    def _check_ramp(self) -> None:
        """A ramp must end while new calls are made, or the load never gets as high as it was asked for."""
        lasts: list[tuple[float, str]] = []
        if self.duration_s is not None:
            lasts.append((self.duration_s, f"--duration {self.duration_s:g}s"))
        elif self.calls is None:
            lasts.append((DEFAULT_DURATION_S, f"the {DEFAULT_DURATION_S:g}s of a test without --duration and --calls"))
        if self.calls is not None and self.concurrent is None:
            lasts.append((self.calls / self.full_rate, f"{self.calls} calls at {self.full_rate:g} a second take"))
        for seconds, what in lasts:
            if 0 < seconds <= self.ramp_s:
                takes = f"the {seconds:g}s that {what}" if what.endswith("take") else what
                raise PlanError(f"--ramp {self.ramp_s:g}s is not shorter than {takes}")

    @property
    def full_rate(self) -> float:
        """New calls a second, at most."""
        if self.rate is not None:
            return self.rate
        return max(10.0, float(self.concurrent)) if self.concurrent else 10.0

    @property
    def limit(self) -> int:
        """Calls at once, at most. At a rate it only guards this machine, against a target that ends no call."""
        return self.concurrent or min(max(1000, math.ceil(self.full_rate * self.call_timeout_s)), 60_000)

    @property
    def calling_s(self) -> float:
        """For how long new calls are made, at most."""
        if self.duration_s is not None:
            return self.duration_s
        if self.calls is None:
            return DEFAULT_DURATION_S
        if self.concurrent is None:
            # A ramp makes half as many calls; half as much again, for a machine that does not keep up.
            return 1.5 * self.calls / self.full_rate + self.ramp_s + 5
        rounds = math.ceil(self.calls / self.concurrent)
        return min(LONGEST_S, rounds * self.call_timeout_s + self.calls / self.full_rate + self.ramp_s)

    def share(self, at_s: float) -> float:
        """The part of the full load at this time: rises to 1 within `ramp_s`."""
        if at_s >= self.ramp_s:
            return 1.0
        return max(STEP_S, at_s + STEP_S / 2) / (self.ramp_s + STEP_S)

    def as_json(self) -> dict[str, float | None]:
        """What was asked for."""
        return {
            "rate": self.full_rate,
            "concurrent": self.concurrent,
            "calls": self.calls,
            "duration_s": self.calling_s if self.duration_s is not None or self.calls is None else None,
            "ramp_s": self.ramp_s,
        }

    def words(self) -> str:
        """The plan in words."""
        held = self.concurrent is not None
        load = f"{self.concurrent} calls at once" if held else f"{self.full_rate:g} new calls a second"
        parts = [load]
        if held and self.rate is not None:
            parts.append(f"at most {self.rate:g} new ones a second")
        if self.calls is not None:
            parts.append(f"{self.calls} calls in all")
        if self.duration_s is not None or self.calls is None:
            parts.append(f"for {self.calling_s:g} s")
        if self.ramp_s:
            parts.append(f"rising for {self.ramp_s:g} s")
        return ", ".join(parts)


def duration(text: str) -> float:
    """`90`, `60s`, `500ms`, `2m`, `1h` in seconds. Raises PlanError."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise PlanError(f"{text!r} is not a duration; write 60s, 500ms, 2m or 1h")
    return float(found[1]) * _UNITS[found[2]]


def address(text: str) -> tuple[str, int]:
    """`host`, `host:port` or `[address]:port`; the port is 5060 where none is given. Raises PlanError."""
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?", text.strip())
    port = int(found[2] or 5060) if found else 0
    if found is None or not 0 < port < 65536:
        raise PlanError(f"--target {text!r} is not host or host:port (a port is 1 to 65535)")
    return found[1].strip("[]"), port
