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

from callwright.simulate.callers import Caller
from callwright.simulate.scenario import Agents, Scenario
from callwright.simulate.tally import PRESENT, Figures
from engine.acd.ordering import fits
from engine.acd.wait import Basis, ExpectedWait, GroupWaits
from engine.domain.acd import AgentState


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
    """The lines of all skill groups, kept as an engine would keep them."""

    def __init__(self, scenario: Scenario, begins_ms: int, from_ms: int) -> None:
        """Probes that come before `from_ms` (from the beginning) do not count."""
        self.outcomes = {queue.id: Outcome() for queue in scenario.queues}
        self._from_ms = begins_ms + from_ms
        self._group_of: dict[tuple[str, int], str] = {}
        self._lines: dict[str, GroupWaits] = {}
        self._staff: dict[str, int] = {}
        self._served_by: dict[str, list[str]] = {agents.id: [] for agents in scenario.agents}
        self._joined_ms: dict[str, int] = {}
        self._asked: dict[str, tuple[str, int, ExpectedWait | None]] = {}
        for queue in scenario.queues:
            for number, kind in enumerate(queue.callers):
                group = f"{queue.id} {sorted(kind.rings[0].skills.items())}"
                self._group_of[queue.id, number] = group
                if group not in self._lines:
                    self._lines[group] = GroupWaits(begins_ms)
                    self._staff[group] = 0
                    for agents in scenario.agents:
                        if queue.id in agents.queues and any(fits(agents.skills, ring.skills) for ring in kind.rings):
                            self._served_by[agents.id].append(group)

    def at_work(self, agents: Agents, before: AgentState, after: AgentState, now_ms: int) -> None:
        """One of these agents went from a state to another."""
        change = (after in PRESENT) - (before in PRESENT)
        if change:
            for group in self._served_by[agents.id]:
                self._staff[group] += change
                self._lines[group].staffed(self._staff[group], now_ms)

    def waits(self, caller: Caller, ahead: Iterable[Caller], now_ms: int) -> None:
        """He found nobody free. `ahead`: who is in the line before him, in order."""
        group = self._group_of[caller.queue, caller.kind]
        if not caller.probe:
            self._lines[group].joined(now_ms)
            self._joined_ms[caller.id] = now_ms
            return
        like_him = [other.id for other in ahead if not other.probe and self._group_of[other.queue, other.kind] == group]
        head_ms = now_ms - self._joined_ms[like_him[0]] if like_him else 0
        self._asked[caller.id] = caller.queue, now_ms, self._lines[group].expected(len(like_him), now_ms, head_ms)

    def taken(self, caller: Caller, now_ms: int) -> None:
        """He is offered to an agent; nothing is to be learnt where that was so at once."""
        if self._joined_ms.pop(caller.id, None) is not None:
            self._lines[self._group_of[caller.queue, caller.kind]].taken(now_ms)

    def left(self, caller: Caller, gave_up: bool, now_ms: int) -> None:
        """He left the line without an agent."""
        self._asked.pop(caller.id, None)
        if self._joined_ms.pop(caller.id, None) is not None:
            line = self._lines[self._group_of[caller.queue, caller.kind]]
            (line.gave_up if gave_up else line.left)(now_ms)

    def probe_taken(self, probe: str, now_ms: int) -> None:
        """An agent is the probe's."""
        asked = self._asked.pop(probe, None)
        if asked is not None:
            queue, asked_ms, expected = asked
            if asked_ms >= self._from_ms:
                self.outcomes[queue].probes.append((expected, now_ms - asked_ms))
