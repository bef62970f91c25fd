"""Thousands of random callers, what they find, and the shortest caller for each thing found. Driven by hypothesis."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from callwright.caller.adversary import Adversary
from callwright.caller.course import Course, InterpreterFault, Player, Turn, call
from callwright.caller.script import Again, Answer, HangUp, Item, Keys, Pause, Usual
from ivr_flows import instructions as do
from ivr_flows.call import CallData
from ivr_flows.flow import Flow
from ivr_flows.instructions import Step
from ivr_flows.results import ContactsFound, HttpAnswered, Result

Kind = Literal["flow_error", "step_limit", "time_limit", "crash"]
MOST_FAILURES = 10
"""Different ones; a flow with more is to be mended before the rest is looked at."""
_LIVELY = 60
"""Instructions to which a caller does something of its own at most; then it waits, or does the same again and again."""
_SERVED_S = 1800
"""Until a caller in a queue is served at the latest; the flow that it hears is then ended from outside."""


@dataclass(frozen=True, slots=True)
class Place:
    """What went wrong and where; callers to whom the same happened are one failure."""

    kind: Kind
    flow: str
    node: str
    by_caller: bool = False
    """The limit ended a caller who pressed keys again and again: no trap, but worth to be known."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called, what happened to the caller and what the world answered: enough to call again."""

    data: CallData
    script: tuple[Item, ...]


@dataclass(slots=True)
class Failure:
    """A place, how many callers came to it, the shortest of them, and what was told of its end."""

    place: Place
    message: str
    caller: Caller
    callers: int = 1


@dataclass(slots=True)
class Findings:
    """What so many callers found: how the calls ended, and to which nodes and exits they came.

    `not_given` are flows in which calls went on and whose file is not known.
    """

    callers: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    failures: dict[Place, Failure] = field(default_factory=dict)
    not_given: set[str] = field(default_factory=set)
    nodes: set[tuple[str, str]] = field(default_factory=set)
    exits: set[tuple[str, str, str]] = field(default_factory=set)

    @property
    def ok(self) -> bool:
        """Whether no caller came to harm."""
        return all(each.by_caller for each in self.failures)

    def visited(self, course: Course) -> None:
        """Note where this call came to."""
        before: dict[str, str] = {}
        for node in (node for turn in course.turns for node in turn.entered):
            self.nodes.add((node.flow, node.node))
            if node.exit is not None and node.flow in before:
                self.exits.add((node.flow, before[node.flow], node.exit))
            before[node.flow] = node.node

    def never(self, flow: Flow) -> tuple[str, ...]:
        """The nodes to which nobody came, and the exits of the others that nobody took, as `node.exit`."""
        missed = []
        for name, wired in flow.nodes.items():
            if (flow.id, name) not in self.nodes:
                missed.append(name)
                continue
            missed += [f"{name}.{each}" for each in wired.exits if (flow.id, name, each) not in self.exits]
        return tuple(missed)


@dataclass(frozen=True, slots=True)
class _Called:
    """One caller's call; `crash` says what the interpreter itself raised."""

    caller: Caller
    course: Course
    crash: str = ""


class _Found(Exception):
    """Tells hypothesis that this caller came to the place sought."""


class Fuzz:
    """The callers of the first of these flows."""

    def __init__(self, flows: Mapping[str, Flow], documents: Sequence[Mapping[str, Any]], seed: int) -> None:
        self._flows = flows
        self._first = next(iter(flows.values()))
        self._adversary = Adversary(flows, documents)
        self._seed = seed
        self._waits = self._first.kind == "queue_wait"

    def run(self, callers: int) -> Findings:
        """All that so many callers find; fewer, where there are no more different ones."""
        findings = Findings()

        def take(called: _Called) -> None:
            self._take(findings, called)

        self._callers(callers, (Phase.generate,), take)
        for failure in list(findings.failures.values())[:MOST_FAILURES]:
            self._shortest(callers, failure)
        return findings

    def _callers(self, callers: int, phases: tuple[Phase, ...], take: Callable[[_Called], None]) -> None:
        options = settings(
            max_examples=callers,
            phases=phases,
            database=None,
            deadline=None,
            verbosity=Verbosity.quiet,
            report_multiple_bugs=False,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        )

        @seeded(self._seed)
        @options
        @given(st.data())
        def one(data: st.DataObject) -> None:
            take(self._call(data))

        one()

    def _call(self, data: st.DataObject) -> _Called:
        facts = data.draw(self._adversary.calls(self._first))
        again = data.draw(st.sampled_from([0] * (57 if self._waits else 17) + [1, 2, 3]))
        # Nobody goes round for ever but where all goes wrong: a flow for those who wait is to go round.
        adverse = self._waits and again > 0
        lively = data.draw(st.integers(again, 6) if again else st.integers(0, _LIVELY))
        ending: list[Item] = [Again(again)] if again else []
        if self._waits and not again:
            ending = [Pause(1000 * data.draw(st.integers(1, _SERVED_S))), HangUp()]
        at = ("", "")
        seen: list[str] = []
        asked: list[Item] = []

        def ask(step: Step) -> Sequence[Item]:
            nonlocal at
            if step.entered:
                at = (step.entered[-1].flow, step.entered[-1].node)
            if len(asked) == lively:
                return ending
            item = data.draw(self._adversary.items(step, *at, seen, adverse=adverse))
            asked.append(item)
            seen.extend(text for text in _texts(item) if text not in seen)
            return [item]

        player = Player((), self._flows, ask)
        return self._played(facts, player)

    def _played(self, facts: CallData, player: Player) -> _Called:
        turns: list[Turn] = []
        try:
            course, crash = call(self._flows, self._first, facts, player, turns.append), ""
        except InterpreterFault as fault:
            course, crash = Course(turns), str(fault)
        return _Called(Caller(facts, tuple(player.script)), course, crash)

    def _take(self, findings: Findings, called: _Called) -> None:
        findings.callers += 1
        course = called.course
        findings.ends[course.outcome.end if course.outcome else "crash" if called.crash else "left"] += 1
        if course.left_to:
            findings.not_given.add(course.left_to)
        findings.visited(course)
        for place, message in self._places(called):
            if known := findings.failures.get(place):
                known.callers += 1
            else:
                findings.failures[place] = Failure(place, message, called.caller)

    def _shortest(self, callers: int, failure: Failure) -> None:
        """Put the shortest caller to whom this happens in the place of the first one."""

        def seek(called: _Called) -> None:
            message = dict(self._places(called)).get(failure.place)
            if message is not None:
                failure.caller, failure.message = called.caller, message
                raise _Found

        with contextlib.suppress(_Found):
            self._callers(callers, (Phase.generate, Phase.shrink), seek)
        script = list(failure.caller.script)
        repeated = script[-1].last + 1 if script and isinstance(script[-1], Again) else 0
        for at in range(len(script) - 1 - repeated, -1, -1):
            # Hypothesis needs an item for each instruction; a person does not.
            if not isinstance(script[at], Usual):
                continue
            shorter = Caller(failure.caller.data, (*script[:at], *script[at + 1 :]))
            if failure.place in dict(self._places(self.again(shorter))):
                del script[at]
                failure.caller = shorter

    def again(self, caller: Caller) -> _Called:
        """The call of this caller once more."""
        return self._played(caller.data, Player(caller.script, self._flows))

    def _places(self, called: _Called) -> Iterator[tuple[Place, str]]:
        """What went wrong in a call, and the words for it. Whoever waits in a queue may do so until the time limit."""
        at = ("", "")
        for turn in called.course.turns:
            if turn.entered:
                at = (turn.entered[-1].flow, turn.entered[-1].node)
            if isinstance(turn.instruction, do.SetAttributes) and "flow_error" in turn.instruction.attributes:
                yield Place("flow_error", *at), turn.instruction.attributes["flow_error"]
        outcome = called.course.outcome
        if called.crash:
            yield Place("crash", *at), called.crash
        elif outcome is not None and outcome.end == "flow_error":
            yield Place("flow_error", outcome.flow, outcome.node), outcome.reason
        elif outcome is not None and (outcome.end == "step_limit" or (outcome.end == "time_limit" and not self._waits)):
            turns = called.course.turns
            late = turns[len(turns) // 2 :]
            by_caller = any(_pressed(turn.result) for turn in late)
            told = f"the flow ended a caller after {called.course.at_ms // 1000} s and {len(turns)} instructions"
            yield Place(outcome.end, outcome.flow, "" if by_caller else outcome.node, by_caller), told


def _texts(item: Item) -> Iterator[str]:
    """Values that later ones may have to be equal to."""
    match item:
        case Keys(keys=keys) if len(keys) > 1:
            yield keys.rstrip("#")
        case Answer(result=HttpAnswered(values=values)):
            yield from (value for value in values.values() if isinstance(value, str) and value)
        case Answer(result=ContactsFound(fields=fields)):
            yield from (value for value in fields.values() if value)


def _pressed(result: Result | None) -> bool:
    return bool(getattr(result, "digits", "") or getattr(result, "key", None))
