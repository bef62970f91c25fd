"""The expected wait measured against the truth: what callers would have been told, and what became of it.

The truth for a caller who gives up is unknown, and the others are not like him. So probes are sent: callers of endless
patience who wait in the real line and, when an agent is theirs, are gone without taking any of his time. What is told
is calculated from what an engine can know: who joined, was taken, gave up, and which agents are at work.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import sqrt
from statistics import fmean

from callwright.simulate.scenario import Scenario
from callwright.simulate.tally import Figures
from engine.acd.lines import Lines
from engine.acd.wait import Basis, ExpectedWait
from engine.domain.acd import AgentSnapshot, Member


@dataclass(slots=True)
class Outcome:
    """The probes of a queue that had to wait: what each was told, None for nothing, and how long it waited (ms)."""

    probes: list[tuple[ExpectedWait | None, int]] = field(default_factory=list)

    def figures(self) -> Figures:
        """`told`: the share that was told anything; `by_length`: of these, by the queue's length.

        `relative_rmse`, `bias`: of the calculated mean, in shares of the mean true wait. `within`: the share of true
        waits that lay in the range.
        """
        told = [(expected, true_ms) for expected, true_ms in self.probes if expected is not None]
        if not told:
            return {"probes": len(self.probes), "told": 0.0 if self.probes else None}
        mean_ms = fmean(true_ms for _, true_ms in told)
        errors = [expected.mean_ms - true_ms for expected, true_ms in told]
        return {
            "probes": len(self.probes),
            "told": len(told) / len(self.probes),
            "by_length": fmean(expected.basis is Basis.QUEUE_LENGTH for expected, _ in told),
            "true_wait_s": mean_ms / 1000,
            "relative_rmse": sqrt(fmean(error * error for error in errors)) / mean_ms,
            "bias": fmean(errors) / mean_ms,
            "within": fmean(expected.low_ms <= true_ms <= expected.high_ms for expected, true_ms in told),
        }


class Foretold:
    """The lines of all skill groups, kept as an engine keeps them."""

    def __init__(self, scenario: Scenario, begins_ms: int, from_ms: int) -> None:
        """Probes that come before `from_ms` (from the beginning) do not count."""
        self.outcomes = {queue.id: Outcome() for queue in scenario.queues}
        self._from_ms = begins_ms + from_ms
        self._lines = Lines(begins_ms)
        self._asked: dict[str, tuple[str, int, ExpectedWait | None]] = {}

    def at_work(self, agent: AgentSnapshot, now_ms: int) -> None:
        """What an agent is doing now."""
        self._lines.set_agent(agent, now_ms)

    def waits(self, member: Member, now_ms: int) -> None:
        """He found nobody free."""
        self._lines.joined(member, now_ms)

    def probe_waits(self, probe: Member, ahead: Iterable[str], now_ms: int) -> None:
        """The probe found nobody free. `ahead`: who is in the line before it, in order."""
        expected = self._lines.behind(ahead, probe.queue, probe.rings, now_ms)
        self._asked[probe.id] = probe.queue, now_ms, expected

    def taken(self, caller: str, now_ms: int) -> None:
        """He is offered to an agent; nothing is to be learnt where that was so at once."""
        self._lines.taken(caller, now_ms)

    def left(self, caller: str, gave_up: bool, now_ms: int) -> None:
        """He left the line without an agent."""
        self._asked.pop(caller, None)
        self._lines.left(caller, gave_up, now_ms)

    def probe_taken(self, probe: str, now_ms: int) -> None:
        """An agent is the probe's."""
        asked = self._asked.pop(probe, None)
        if asked is not None:
            queue, asked_ms, expected = asked
            if asked_ms >= self._from_ms:
                self.outcomes[queue].probes.append((expected, now_ms - asked_ms))
