"""What came of the callers of one run, and what the agents did meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean

from callwright.simulate.callers import Caller
from engine.domain.acd import AgentState

BUSY = frozenset({AgentState.RINGING, AgentState.ON_CALL, AgentState.WRAP_UP})
PRESENT = BUSY | {AgentState.READY}

Figures = dict[str, float | None]
"""Figures by name; None where nothing was there to be counted."""


@dataclass(slots=True)
class QueueTally:
    """A queue. Waits in ms, of callers who came after the warm-up. `line` holds those who wait now."""

    answered: list[int] = field(default_factory=list)
    abandoned: list[int] = field(default_factory=list)
    offered: int = 0
    overflowed: int = 0
    unserved: int = 0
    longest_line: int = 0
    line: set[str] = field(default_factory=set)

    def figures(self, within_ms: float) -> Figures:
        """Shares of all who called; times in seconds. The waits are those of the answered ones, `wait_s` of all."""
        waits = sorted(self.answered)
        everyone = self.answered + self.abandoned
        return {
            "offered": self.offered,
            "service_level": _share(sum(wait <= within_ms for wait in waits), self.offered),
            "waited": _share(sum(wait > 0 for wait in everyone) + self.unserved, self.offered),
            "answered": _share(len(waits), self.offered),
            "abandoned": _share(len(self.abandoned), self.offered),
            "overflowed": _share(self.overflowed, self.offered),
            "unserved": self.unserved,
            "asa_s": fmean(waits) / 1000 if waits else None,
            "p50_s": _quantile(waits, 0.5),
            "p90_s": _quantile(waits, 0.9),
            "p95_s": _quantile(waits, 0.95),
            "wait_s": fmean(everyone) / 1000 if everyone else None,
            "longest_line": self.longest_line,
        }


class Tally:
    """One run. Only callers count who come after the warm-up, and agents' time from then until no more calls come."""

    def __init__(self, queues: list[str], groups: list[str], from_ms: int, to_ms: int, begins_ms: int) -> None:
        """`from_ms` and `to_ms`: the time that counts, from the scenario's beginning at `begins_ms`."""
        self.queues = {queue: QueueTally() for queue in queues}
        self.busy_ms = dict.fromkeys(groups, 0)
        self.present_ms = dict.fromkeys(groups, 0)
        self._from_ms = from_ms
        self._window = (begins_ms + from_ms, begins_ms + to_ms)

    def joined(self, caller: Caller) -> None:
        """He called."""
        if self._counts(caller):
            self.queues[caller.queue].offered += 1

    def waits(self, caller: Caller) -> None:
        """Nobody took him at once."""
        if not caller.probe:
            queue = self.queues[caller.queue]
            queue.line.add(caller.id)
            if self._counts(caller):
                queue.longest_line = max(queue.longest_line, len(queue.line))

    def answered(self, caller: Caller, waited_ms: int) -> None:
        """An agent answered him."""
        self.queues[caller.queue].line.discard(caller.id)
        if self._counts(caller):
            self.queues[caller.queue].answered.append(waited_ms)

    def abandoned(self, caller: Caller, waited_ms: int) -> None:
        """He hung up."""
        self.queues[caller.queue].line.discard(caller.id)
        if self._counts(caller):
            self.queues[caller.queue].abandoned.append(waited_ms)

    def overflowed(self, caller: Caller) -> None:
        """A limit of the queue sent him another way."""
        self.queues[caller.queue].line.discard(caller.id)
        if self._counts(caller):
            self.queues[caller.queue].overflowed += 1

    def waiting(self, queue: str) -> int:
        """How many wait now."""
        return len(self.queues[queue].line)

    def left_over(self, caller: Caller) -> None:
        """The day was over and nobody had taken him."""
        if self._counts(caller):
            self.queues[caller.queue].unserved += 1

    def worked(self, group: str, state: AgentState, since_ms: int, until_ms: float) -> None:
        """An agent was in this state."""
        begins_ms, ends_ms = self._window
        spent_ms = round(min(until_ms, ends_ms)) - max(since_ms, begins_ms)
        if spent_ms > 0:
            self.busy_ms[group] += spent_ms * (state in BUSY)
            self.present_ms[group] += spent_ms * (state in PRESENT)

    def occupancy(self, *groups: str) -> Figures:
        """The share of their time at work, breaks left out, in which agents were rung, talked, or wrapped up."""
        present_ms = sum(self.present_ms[group] for group in groups)
        return {"occupancy": _share(sum(self.busy_ms[group] for group in groups), present_ms)}

    def everything(self) -> QueueTally:
        """All queues as one. Its longest line is the longest one of any queue."""
        whole = QueueTally()
        for queue in self.queues.values():
            whole.answered += queue.answered
            whole.abandoned += queue.abandoned
            whole.offered += queue.offered
            whole.overflowed += queue.overflowed
            whole.unserved += queue.unserved
            whole.longest_line = max(whole.longest_line, queue.longest_line)
        return whole

    def _counts(self, caller: Caller) -> bool:
        return not caller.probe and caller.at_ms >= self._from_ms


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _quantile(waits: list[int], share: float) -> float | None:
    """In seconds: so large a share waited no longer."""
    return waits[min(int(len(waits) * share), len(waits) - 1)] / 1000 if waits else None
