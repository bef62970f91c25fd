"""All that a load test found: whether it went well, the JSON, and whether SIPp itself was in the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from callwright.load.figures import Spread, Times, at_once, bins, reached_rate
from callwright.load.plan import Plan, Target
from callwright.load.sipp import Outcome
from callwright.load.trace import Call, Failure, by_kind

BUSY = 0.8
"""A SIPp that uses more than this part of one core (it has one thread) is late with what it measures."""
SHORT = 0.95
"""Less than this part of the wanted rate is not what was asked for."""
JSON_BINS = 120


@dataclass(frozen=True, slots=True)
class Records:
    """The call records against SIPp's calls. A call counts as expected once it was answered."""

    expected: int
    found: int
    """Records of the expected calls, each call counted once."""
    lost: tuple[str, ...]
    double: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """One record for each call."""
        return not self.lost and not self.double


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU time in s for the calls of a run; None where the process is not on this machine or was not named."""

    engine_s: float | None
    switch_s: float | None


@dataclass(frozen=True, slots=True)
class Results:
    """One load test. `cpu` is what engine and switch used for these calls, where it was measured."""

    target: Target
    switch: str | None
    """lab or freeswitch: the system that load started; None for another target."""
    plan: Plan
    outcome: Outcome
    cpu: Cpu
    records: Records | None

    @property
    def calls(self) -> list[Call]:
        """The calls in the order in which they began."""
        return self.outcome.calls

    @property
    def failed(self) -> dict[str, Failure]:
        """Failed calls by Call-ID."""
        return self.outcome.failed

    @property
    def made(self) -> int:
        """Calls that were begun."""
        return max(len(self.calls), self.outcome.counters.created)

    @property
    def kinds(self) -> dict[str, int]:
        """Failed calls by kind, those interrupted at the end included."""
        return by_kind(self.outcome.counters, self.failed)

    @property
    def failures(self) -> int:
        """Calls that did not go as the scenario says, or were interrupted because they did not end."""
        return sum(self.kinds.values())

    @property
    def successful(self) -> int:
        """The others."""
        return self.made - self.failures

    @property
    def until_s(self) -> float:
        """When the last thing happened that SIPp saw."""
        ends = [call.ended_s or call.answered_s or call.began_s for call in self.calls]
        return max([*ends, *(failure.at_s for failure in self.failed.values())], default=self.outcome.began_s)

    @property
    def times(self) -> Times:
        """Call set-up and length."""
        return Times.of(self.calls, self.failed)

    @property
    def peak(self) -> int:
        """Most calls at once."""
        return max((count for _, count in at_once(self.calls, self.until_s)), default=0)

    @property
    def rate(self) -> float | None:
        """New calls a second that were reached, after the ramp."""
        first = min((call.began_s for call in self.calls), default=0.0)
        return reached_rate(self.calls, first + self.plan.ramp_s)

    @property
    def ok(self) -> bool:
        """Every call went well, none is missing, and every one left its one record."""
        wanted = self.plan.calls if self.plan.duration_s is None else None
        complete = not self.outcome.interrupted and (wanted is None or self.made >= wanted)
        return self.made > 0 and not self.failures and complete and (self.records is None or self.records.ok)

    def sipp_cores(self) -> float:
        """SIPp's share of one core."""
        return self.outcome.cpu_s / self.outcome.ran_s if self.outcome.ran_s else 0.0

    def doubts(self) -> list[str]:
        """Why the figures may tell of SIPp or of this machine and not of the target, in words."""
        found = []
        if self.sipp_cores() > BUSY:
            found.append(
                f"SIPp used {self.sipp_cores():.0%} of a core: it was the bottleneck. Run several, or call slower"
            )
        if self.outcome.counters.watchdog:
            found.append(f"SIPp stood still for half a second or more, {self.outcome.counters.watchdog} times")
        wanted = None if self.plan.concurrent else self.plan.full_rate
        if wanted and self.rate is not None and self.rate < SHORT * wanted:
            found.append(f"{self.rate:.1f} new calls a second were made, {wanted:g} were asked for")
        if self.plan.concurrent and self.peak < self.plan.concurrent:
            found.append(
                f"{self.peak} calls at once were reached, {self.plan.concurrent} were asked for: "
                "raise --rate, --calls or --duration"
            )
        again = self.outcome.counters.retransmissions
        if again:
            found.append(f"{again} messages were sent again: packets were lost, or the other side was slow to answer")
        return found

    def cpu_ms_per_call(self) -> Mapping[str, float | None]:
        """CPU time of engine and switch a call, ms."""
        return {
            name: None if used is None or not self.made else round(used / self.made * 1000, 2)
            for name, used in (("engine", self.cpu.engine_s), ("switch", self.cpu.switch_s))
        }

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        times, rate = self.times, self.rate
        records = self.records
        return {
            "ok": self.ok,
            "interrupted": self.outcome.interrupted,
            "target": {**asdict(self.target), "switch": self.switch},
            "plan": self.plan.as_json(),
            "calls": {"made": self.made, "successful": self.successful, "failed": self.failures},
            "failures": self.kinds,
            "setup": {
                "first_response": _json(times.first_response),
                "ringing": _json(times.ringing),
                "answer": _json(times.answer),
            },
            "length": _json(times.length),
            "peak_at_once": self.peak,
            "rate_per_s": None if rate is None else round(rate, 2),
            "cpu_ms_per_call": self.cpu_ms_per_call(),
            "records": records and asdict(records),
            "sipp": {
                "cores": round(self.sipp_cores(), 3),
                "retransmissions": self.outcome.counters.retransmissions,
                "stood_still": self.outcome.counters.watchdog,
                "doubts": self.doubts(),
            },
            "over_time": [each.as_json() for each in bins(self.calls, self.failed, self.until_s, JSON_BINS)],
        }


def answered(calls: list[Call]) -> list[str]:
    """The Call-IDs of the answered calls: each of them must leave a record."""
    return [call.call_id for call in calls if call.answered_s is not None]


def _json(spread: Spread | None) -> dict[str, float] | None:
    return None if spread is None else spread.as_json()
