"""Random flows with counters, questions, prompts and services that may fail, and random calls of them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

import ivr_flows
from ivr_flows import instructions as do
from ivr_flows import results
from ivr_flows.instructions import Instruction, Step
from ivr_flows.program import FlowOutcome, run
from ivr_flows.results import CallerGone, Reply, Result

CALL = ivr_flows.CallData(did="+420222333444", ani="+420601234567")
NODES = 7
END = "bye"
EXITS: dict[str, tuple[str, ...]] = {
    "play": ("done", "error"),
    "menu": ("on", "no_input", "invalid"),
    "schedule": ("open", "closed", "holiday"),
    "agent": ("finished", "busy", "no_answer", "not_ready"),
    "set": ("next",),
    "branch": ("yes", "default"),
    "counter": ("again", "exhausted"),
    "collect": ("ok", "no_input", "invalid"),
    "wait": ("done",),
    "http": ("ok", "refused", "timeout", "error"),
    "call_flow": ("returned", "error"),
}
NOT_WHILE_WAITING = ("agent", "call_flow")
TESTS = ("a >= 3", "a > 2 or b > 2", "not b < 2", "2 <= a and 1 < b", "a == 2", "b != 1", "a <= -2", "call.did == '1'")
VALUES = ("{} + 1", "{} + 2", "{} - 1", "0", "1", "a + b")
FAR = ("{} - 1000000", "{} - 4000", "{} + 1000000", "-1000000", "0 - 4000", "{} + 1", "{} + 1")
PASSES = (1, 2, 3, 1000)


@st.composite
def documents(
    draw: st.DrawFn, types: Sequence[str] = tuple(EXITS), kind: str = "inbound", called: str = ""
) -> dict[str, Any]:
    """A flow of this kind. `called`: the flow that it may call; without one there is no `call_flow` in it."""
    types = [
        each
        for each in types
        if (called or each != "call_flow") and not (kind == "queue_wait" and each in NOT_WHILE_WAITING)
    ]
    counting = "branch" in types and draw(st.booleans())
    names = [f"n{number}" for number in range(draw(st.integers(1 if counting else 2, 4 if counting else NODES)))]
    targets = st.sampled_from([*names, END, *(["count"] * 3 if counting else [])])
    nodes = draw(_counting(targets)) if counting else {}
    for name in names:
        type_name = draw(st.sampled_from([*types, *(["set", "set"] if counting else [])]))
        nodes[name] = draw(_node(type_name, called))
        nodes[name]["exits"] = {exit_name: draw(targets) for exit_name in EXITS[type_name]}
    if counting and draw(st.booleans()):
        value = draw(st.sampled_from(FAR)).format("a")
        onwards = draw(st.one_of(st.just("count"), targets))
        nodes["n0"] = {"type": "set", "variables": {"a": value}, "exits": {"next": onwards}}
    nodes[END] = {"type": "return_flow" if kind == "sub" and draw(st.booleans()) else "hangup"}
    number = {"type": "number", "default": 0}
    return {
        "schema": "callwright/flow/1",
        "id": "f",
        "name": "F",
        "kind": kind,
        "languages": ["cs"],
        "entry": draw(st.sampled_from(("n0", "count"))) if counting and kind != "inbound" else "n0",
        "variables": {"a": number, "b": number, "digits": {"type": "string", "default": ""}},
        "prompts": {"p": {"cs": "f/p.wav"}},
        "nodes": nodes,
    }


@st.composite
def _counting(draw: st.DrawFn, targets: st.SearchStrategy[str]) -> dict[str, Any]:
    """Rounds that are counted, into which others may be woven: without these a random flow hardly ever counts."""
    step, test = draw(st.sampled_from((("a + 1", "a >= 3"), ("a + 2", "a > 2"), ("a - 1", "a <= -2"))))
    back = draw(st.one_of(st.just("count"), targets))
    return {
        "count": {"type": "set", "variables": {"a": step}, "exits": {"next": "test"}},
        "test": {
            "type": "branch",
            "cases": [{"when": test, "exit": "yes"}],
            "exits": {"yes": draw(st.one_of(st.just(END), targets)), "default": back},
        },
    }


@st.composite
def _node(draw: st.DrawFn, type_name: str, called: str) -> dict[str, Any]:
    variable = draw(st.sampled_from("ab"))
    fields: dict[str, Any] = {"type": type_name}
    match type_name:
        case "play":
            fields["prompts"] = ["p"]
        case "menu":
            fields |= {"prompts": ["p"], "keys": {"1": "on"}}
        case "schedule":
            fields["calendar"] = "c"
        case "agent":
            fields["agent"] = "alice"
        case "set":
            values = draw(st.sampled_from((VALUES, FAR)))
            fields["variables"] = {variable: draw(st.sampled_from(values)).format(variable)}
        case "branch":
            fields["cases"] = [{"when": draw(st.sampled_from(TESTS)), "exit": "yes"}]
        case "counter":
            fields["passes"] = draw(st.sampled_from(PASSES))
        case "collect":
            fields |= {"prompts": ["p"], "variable": "digits", "attempts": 1, "max_digits": 1, "patterns": ["1"]}
        case "wait":
            fields["wait_ms"] = 1000
        case "http":
            fields |= {"url": "https://a.example.com/x", "path": [draw(st.sampled_from(("''", "'x'")))]}
            fields["results"] = {variable: "/n"} if draw(st.booleans()) else {}
        case "call_flow":
            fields |= {"flow": called, "arguments": {variable: draw(st.sampled_from(("-1000000", "-4000")))}}
            fields["results"] = {variable: variable} if draw(st.booleans()) else {}
    return fields


@st.composite
def systems(draw: st.DrawFn) -> list[dict[str, Any]]:
    """One or more flows; the first one is entered, and calls the second if there is one."""
    kind = draw(st.sampled_from(("inbound", "queue_wait", "sub", "sub")))
    if kind != "sub":
        return [draw(documents(kind=kind))]
    called = {**draw(documents(kind=draw(st.sampled_from(("sub", "sub", "inbound"))))), "id": "called"}
    main = draw(documents(called="called"))
    main["nodes"]["n0"] = draw(_node("call_flow", "called"))
    main["nodes"]["n0"]["exits"] = {name: draw(st.sampled_from([*main["nodes"], END])) for name in EXITS["call_flow"]}
    return [main, called]


def answers(instruction: Instruction, pressing: bool) -> list[Result]:
    """Whatever may be answered. A caller who presses nothing is only one of them."""
    match instruction:
        case do.Play(media=(do.Pause(), *_)):
            return [results.Played()]
        case do.Play():
            return [results.Played(), results.PlayFailed("missing")]
        case do.Collect(media=media):
            keys = ("1", "7") if pressing else ()
            failed: list[Result] = [results.PlayFailed("missing")] if media else []
            return [results.Collected(""), *(results.Collected(key) for key in keys), *failed]
        case do.CheckCalendar():
            return [results.CalendarState("open"), results.CalendarState("closed"), results.CalendarState("holiday")]
        case do.Connect():
            missed = [results.NotConnected(why, "X") for why in ("busy", "no_answer", "not_ready")]
            return [results.Conversation(1000), *missed]
        case do.HttpRequest(results=wanted):
            values = [results.HttpAnswered(200, dict.fromkeys(wanted, number)) for number in (-1_000_000, 3)]
            return [*values, *(results.HttpFailed(why, "X") for why in ("refused", "timeout", "error"))]
        case do.EnterFlow():
            return [results.FlowEntered("v"), results.Refused("gone")]
    return [results.Done()]


class Flows:
    """Flows by id, whatever the version."""

    def __init__(self, flows: Sequence[ivr_flows.Flow]) -> None:
        self._flows = {flow.id: flow for flow in flows}

    def get(self, flow_id: str, version: str) -> ivr_flows.Flow:
        return self._flows[flow_id]


def converse(flows: Sequence[ivr_flows.Flow], answer: Callable[[Step], Result]) -> FlowOutcome:
    """How the call ends when its steps are answered so. An answer may raise `CallerGone`."""
    program = run(Flows(flows), flows[0].id, flows[0].version, CALL)
    step = next(program)
    while True:
        try:
            try:
                result = answer(step)
            except CallerGone as gone:
                program.throw(gone)
                raise AssertionError("no node here cleans up") from None
            step = program.send(Reply(result, 0))
        except StopIteration as stop:
            outcome = stop.value
            assert isinstance(outcome, FlowOutcome)
            return outcome


@dataclass
class World:
    """Callers, agents and services that are steady or fickle; counts how far a call comes without a key or time.

    A steady world gives each node the same answer again and again, and so finds the traps; `keys` is how many the
    caller presses at most, and `moments` how often time passes before the caller of a waiting flow is gone.
    """

    seed: int
    fickle: float
    keys: int = 0
    moments: int | None = None
    most: int = 0
    """Nodes that it may enter meanwhile; one more is an error at once."""
    _silent: dict[str, int] = field(default_factory=dict)
    _answers: dict[str, int] = field(default_factory=dict)
    _at: str = ""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def answer(self, step: Step) -> Result:
        """What the world answers."""
        for entered in step.entered:
            self._enter(entered.flow, entered.node)
        possible = answers(step.instruction, pressing=self.keys > 0)
        number = self._answers.setdefault(f"{self._at} {len(possible)}", self._random.randrange(len(possible)))
        if self._random.random() < self.fickle:
            number = self._random.randrange(len(possible))
        chosen = possible[number]
        if isinstance(chosen, results.Collected) and chosen.digits:
            self.keys -= 1
            self._silent.clear()
        if self.moments is not None and takes_time(step.instruction, chosen):
            self._silent.clear()
            self.moments -= 1
            if self.moments < 0:
                raise CallerGone("ORIGINATOR_CANCEL")
        return chosen

    def _enter(self, flow: str, node: str) -> None:
        if flow == "f":
            self._silent.pop("called", None)  # it may be called again and again, each time for a while
        self._at = f"{flow}/{node}"
        self._silent[flow] = self._silent.get(flow, 0) + 1
        assert self._silent[flow] <= self.most, f"{flow} goes on and on"


def takes_time(instruction: Instruction, result: Result) -> bool:
    """Whether the caller surely hears or waits for something."""
    match result:
        case results.Played() | results.Collected():
            return True
        case results.HttpFailed(why="timeout"):
            return True
    return False


worlds = st.builds(
    World, st.integers(0, 2**32), st.sampled_from((0.0, 0.0, 0.05, 1.0)), keys=st.sampled_from((0, 0, 12))
)


def lead_out(document: dict[str, Any], finding: ivr_flows.Finding, place: int) -> None:
    """One exit of an endless cycle is led out, no more, so that what is passed in the end is only just passed."""
    first = finding.path.index(finding.path[-1])
    rounds = list(itertools.pairwise(finding.path[first:]))
    here, there = rounds[place % len(rounds)]
    exits = document["nodes"][here]["exits"]
    exits[next(each for each in exits if exits[each] == there)] = END
