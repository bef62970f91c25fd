"""What an agent did in a period, from his events: when he was at work, on a break, in wrap-up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

from callwright.simulate.records import moment_ms
from callwright.simulate.tally import BUSY, PRESENT
from engine.acd.agent import NO_ANSWER
from engine.domain.acd import AgentState

Doing = Literal["out", "away", "here"]

_LONGEST_BREAK_S = 86_400
"""Who is away for longer has forgotten to log out."""


@dataclass(frozen=True, slots=True)
class Span:
    """The agent between two of his events. `reason`: of the break; `queue`: of the call that he rings for or has."""

    from_ms: int
    to_ms: int
    state: AgentState
    reason: str = ""
    queue: str = ""
    reachable: bool = True

    @property
    def ms(self) -> int:
        """How long it was."""
        return self.to_ms - self.from_ms

    def doing(self) -> Doing:
        """Away is who could be offered nothing by his own choice. A break after a call that he did not answer is none:
        the simulation has those of its own."""
        if self.state is AgentState.LOGGED_OUT:
            return "out"
        on_break = self.state is AgentState.BREAK and self.reason != NO_ANSWER
        own_call = self.state is AgentState.ON_CALL and not self.queue
        return "away" if on_break or own_call or not self.reachable else "here"


@dataclass(slots=True)
class Day:
    """An agent's period. Times in seconds; `shifts` as a scenario writes them.

    `wrap_ups`: by queue, one for each call. `no_answers`: the queues of the calls that he let ring. `recoveries`: how
    long he was away after one.
    """

    shifts: list[dict[str, Any]] = field(default_factory=list)
    wrap_ups: dict[str, list[float]] = field(default_factory=dict)
    no_answers: list[str] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)
    busy_ms: int = 0
    present_ms: int = 0


def day(events: Sequence[Mapping[str, Any]], begins_ms: int, hours: float) -> Day:
    """What he did from `begins_ms` on. `events`: oldest first, with the last one before that."""
    ends_ms = begins_ms + round(hours * 3_600_000)
    spans = list(_spans(events, begins_ms, ends_ms))
    found = Day(shifts=_shifts(spans, begins_ms, ends_ms))
    for span in spans:
        found.busy_ms += span.ms * (span.state in BUSY)
        found.present_ms += span.ms * (span.state in PRESENT)
        if span.state is AgentState.BREAK and span.reason == NO_ANSWER and span.to_ms < ends_ms:
            found.recoveries.append(span.ms / 1000)
    for before, span in pairwise(spans):
        if span.state is AgentState.WRAP_UP and span.queue:
            begun = before.state is not AgentState.WRAP_UP  # he may have set it to another time
            talks = found.wrap_ups.setdefault(span.queue, [])
            if begun or not talks:
                talks.append(0)
            talks[-1] += span.ms / 1000
    for event in events:
        if event["what"] == "not_answered" and event["reason"] == NO_ANSWER and moment_ms(event["at"]) >= begins_ms:
            found.no_answers.append(event["queue"])
    return found


def _spans(events: Sequence[Mapping[str, Any]], begins_ms: int, ends_ms: int) -> Iterator[Span]:
    now = Span(0, 0, AgentState.LOGGED_OUT)
    for event in events:
        at_ms = min(max(moment_ms(event["at"]), begins_ms), ends_ms)
        if at_ms > max(now.from_ms, begins_ms):
            yield replace(now, from_ms=max(now.from_ms, begins_ms), to_ms=at_ms)
        now = _after(now, event, at_ms)
    if ends_ms > now.from_ms:
        yield replace(now, from_ms=max(now.from_ms, begins_ms), to_ms=ends_ms)


def _after(now: Span, event: Mapping[str, Any], at_ms: int) -> Span:
    state = AgentState(event["to_state"])
    reachable = {"phone_gone": False, "phone_back": True}.get(event["what"], now.reachable)
    # the event of what changes no state may tell of another break or queue
    reason, queue = (event["reason"], event["queue"]) if state is not now.state else (now.reason, now.queue)
    return Span(at_ms, at_ms, state, reason, queue, reachable)


def _shifts(spans: Sequence[Span], begins_ms: int, ends_ms: int) -> list[dict[str, Any]]:
    """Whole seconds, so that what is shorter does not count. A shift ends with the break that nothing follows."""
    ends_s = round((ends_ms - begins_ms) / 1000)
    shifts: list[dict[str, Any]] = []
    last: Doing = "out"
    pending: dict[str, Any] | None = None  # a break, as long as it is not known whether he came back
    for from_s, to_s, doing in _merged(spans, begins_ms):
        if doing == "away" and to_s - from_s > _LONGEST_BREAK_S:
            doing = "out"
        if doing == "here":
            if last == "out":
                shifts.append({"from_h": _h(from_s), "breaks": []})
            elif pending is not None:
                shifts[-1]["breaks"].append(pending)
            pending = None
            shifts[-1]["to_h"] = _h(to_s) if to_s < ends_s else None
        elif doing == "away" and last == "here":
            pending = {"at_h": _h(from_s), "minutes": (to_s - from_s) / 60}
        if doing != "away":
            last = doing  # who is away before anything else has not begun
    return shifts


def _merged(spans: Sequence[Span], begins_ms: int) -> list[tuple[int, int, Doing]]:
    found: list[tuple[int, int, Doing]] = []
    for span in spans:
        from_s, to_s = (round((at_ms - begins_ms) / 1000) for at_ms in (span.from_ms, span.to_ms))
        if from_s == to_s:
            continue
        if found and found[-1][2] == span.doing():
            found[-1] = (found[-1][0], to_s, span.doing())
        else:
            found.append((from_s, to_s, span.doing()))
    return found


def _h(seconds: int) -> float:
    return round(seconds / 3600, 6)
