"""The proof of the checks against the interpreter: what they pass ends, what they refuse goes round."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import Phase, assume, event, given, settings
from hypothesis import strategies as st

import ivr_flows
from ivr_flows import instructions as do
from ivr_flows import results
from ivr_flows.instructions import Step
from ivr_flows.node import UnexpectedResult
from ivr_flows.program import FlowOutcome
from ivr_flows.results import Result
from tests.unit.ivr_flows.random_flows import CALL, World, answers, converse, documents, lead_out, systems, worlds

FAR = 100_000
"""Nodes that a call may enter at most, whatever its flow says."""


@pytest.mark.req("R21")
@settings(max_examples=500, deadline=None, phases=set(Phase) - {Phase.explain})
@given(systems(), st.sampled_from((40, 900)), st.lists(st.integers(0, 6), min_size=12, max_size=12), worlds)
def test_a_flow_that_is_passed_ends_for_every_caller(
    flows: list[dict[str, Any]], max_steps: int, places: list[int], world: World
) -> None:
    for document in flows:
        document["limits"] = {"max_steps": max_steps}
        _mend(document, list(places))
    waits = flows[0]["kind"] == "queue_wait"
    world.moments, world.most = 50 if waits else None, max_steps
    # not `load`: nodes to which nothing leads, and the like, are no concern here
    running = [ivr_flows.load_stored({**each, "limits": {"max_steps": FAR}}) for each in flows]
    outcome = converse(running, world.answer)
    assert outcome.end == "caller_gone" or (outcome.end == "hangup" and not outcome.reason)


def _mend(document: dict[str, Any], places: list[int]) -> None:
    """Lead cycles out until none is found."""
    while endless := [each for each in ivr_flows.check(document) if each.code in ("endless_cycle", "step_limit")]:
        cycles = [each for each in endless if each.code == "endless_cycle"]
        event("too many steps" if not cycles else "a cycle")
        assume(cycles and places)
        lead_out(document, cycles[0], places.pop())


@pytest.mark.req("R21")
@settings(max_examples=150, deadline=None)
@given(documents(("play", "menu", "schedule", "agent", "collect", "wait")))
def test_a_cycle_that_is_refused_goes_round(document: dict[str, Any]) -> None:
    endless = [each for each in ivr_flows.check(document) if each.code == "endless_cycle"]
    assume(endless)
    flow = ivr_flows.load_stored({**document, "limits": {"max_steps": 300, "max_seconds": 60}})
    for finding in endless:
        assert _follow(flow, finding).end == "step_limit"


def _follow(flow: ivr_flows.Flow, finding: ivr_flows.Finding) -> FlowOutcome:
    """The call that is led along the finding's way, then round and round, without a key being pressed in the rounds."""
    first = finding.path.index(finding.path[-1])
    rounds = finding.path[first + 1 :]
    ahead = [*finding.path, *(rounds * 300)]
    entered = 0
    chosen: Result = results.Done()

    def answer(step: Step) -> Result:
        nonlocal entered, chosen
        if step.entered and not isinstance(step.instruction, do.Hangup):
            assert [each.node for each in step.entered] == [ahead[entered]]
            here, there = ahead[entered], ahead[entered + 1]
            possible = answers(step.instruction, pressing=entered < first)
            chosen = next(each for each in possible if _leads(flow, here, each) == there)
            entered += 1
        return chosen

    return converse([flow], answer)


def _leads(flow: ivr_flows.Flow, node: str, result: Result) -> str | None:
    """Where the node leads when it is given this result again and again; None if it can't be."""
    running = flow.nodes[node].node.run(_call(flow))
    next(running)
    while True:
        try:
            running.send(result)
        except StopIteration as stop:
            return flow.nodes[node].exits[stop.value]
        except UnexpectedResult:
            return None


def _call(flow: ivr_flows.Flow) -> Any:
    return flow.begin(CALL, "", {})


@pytest.mark.parametrize(
    ("counted", "test", "exits"),
    [
        ("rounds + 1", "rounds > 3", {"yes": "bye", "default": "play"}),
        ("rounds + 1", "3 <= rounds", {"yes": "bye", "default": "play"}),
        ("rounds + 1", "rounds < 3", {"yes": "play", "default": "bye"}),
        ("rounds + 1", "rounds < 3 and call.ani != ''", {"yes": "play", "default": "bye"}),
        ("rounds + 1", "rounds != 3 or rounds > 2", {"yes": "bye", "default": "play"}),
        ("rounds - 1", "rounds < -5", {"yes": "bye", "default": "play"}),
        ("rounds + 7", "not rounds < 20", {"yes": "bye", "default": "play"}),
    ],
)
def test_rounds_that_are_counted(counted: str, test: str, exits: dict[str, str]) -> None:
    assert ivr_flows.check(_counting(counted, test, exits)) == []


@pytest.mark.parametrize(
    ("counted", "test", "exits"),
    [
        ("rounds + 1", "rounds < 3", {"yes": "bye", "default": "play"}),
        ("rounds - 1", "rounds > 3", {"yes": "bye", "default": "play"}),
        ("rounds + 1", "rounds == 3", {"yes": "bye", "default": "play"}),
        ("rounds + 1", "rounds > 3 and call.ani == ''", {"yes": "bye", "default": "play"}),
        ("rounds + rounds", "rounds > 3", {"yes": "bye", "default": "play"}),
        ("rounds + 1", "rounds > len(call.ani)", {"yes": "bye", "default": "play"}),
    ],
)
def test_rounds_that_are_not_counted(counted: str, test: str, exits: dict[str, str]) -> None:
    assert [each.code for each in ivr_flows.check(_counting(counted, test, exits))] == ["endless_cycle"]


@pytest.mark.parametrize(("bound", "found"), [(665, []), (666, ["step_limit"])])
def test_rounds_that_max_steps_cuts_off(bound: int, found: list[str]) -> None:
    document = _counting("rounds + 1", f"call.ani == '' or rounds > {bound}", {"yes": "bye", "default": "play"})
    document["limits"] = {"max_steps": 2000, "max_seconds": 86_400}
    assert [each.code for each in ivr_flows.check(document)] == found


@pytest.mark.parametrize(("elsewhere", "found"), [("rounds - 9", ["endless_cycle"]), ("rounds + 9", []), ("-9", [])])
def test_a_variable_that_is_moved_elsewhere(elsewhere: str, found: list[str]) -> None:
    document = _counting("rounds + 1", "rounds > 3", {"yes": "bye", "default": "play"})
    document["nodes"]["first"] = {"type": "set", "variables": {"rounds": elsewhere}, "exits": {"next": "play"}}
    document["entry"] = "first"
    assert [each.code for each in ivr_flows.check(document)] == found


def test_rounds_are_told_from_where_counting_begins() -> None:
    document = _counting("rounds + 1", "rounds > 3", {"yes": "bye", "default": "play"})
    document["nodes"]["first"] = {"type": "set", "variables": {"rounds": "-4000"}, "exits": {"next": "play"}}
    document["entry"] = "first"
    document["limits"] = {"max_steps": 2000, "max_seconds": 86_400}
    (finding,) = ivr_flows.check(document)
    assert (finding.code, finding.node) == ("step_limit", "play")


def test_a_case_before_the_one_that_leads_out() -> None:
    document = _counting("rounds + 1", "rounds > 3", {"yes": "bye", "default": "play"})
    branch = document["nodes"]["enough"]
    branch["cases"].insert(0, {"when": "call.ani == ''", "exit": "hidden"})
    branch["exits"]["hidden"] = "play"
    assert [each.code for each in ivr_flows.check(document)] == ["endless_cycle"]
    branch["exits"]["hidden"] = "bye"
    assert ivr_flows.check(document) == []


def test_rounds_that_are_counted_and_not_looked_at() -> None:
    document = _counting("rounds + 1", "rounds > 3", {"yes": "bye", "default": "play"})
    document["nodes"]["count"]["exits"]["next"] = "which"
    cases = [{"when": "call.ani == ''", "exit": "hidden"}]
    document["nodes"]["which"] = {"type": "branch", "cases": cases, "exits": {"hidden": "play", "default": "enough"}}
    (finding,) = ivr_flows.check(document)
    assert (finding.code, finding.path) == ("endless_cycle", ("play", "count", "which", "play"))


def test_rounds_that_are_counted_and_set_back() -> None:
    document = _counting("rounds + 1", "rounds > 3", {"yes": "bye", "default": "back"})
    document["nodes"]["back"] = {"type": "set", "variables": {"rounds": "0"}, "exits": {"next": "play"}}
    (finding,) = ivr_flows.check(document)
    assert finding.path == ("play", "count", "enough", "back", "play")


def test_a_counter_within_a_counter() -> None:
    document = _counting("rounds + 1", "rounds > 3", {"yes": "outer", "default": "play"})
    document["variables"]["times"] = {"type": "number", "default": 0}
    document["nodes"] |= {
        "outer": {"type": "set", "variables": {"times": "times + 1", "rounds": "0"}, "exits": {"next": "last"}},
        "last": {
            "type": "branch",
            "cases": [{"when": "times > 2", "exit": "yes"}],
            "exits": {"yes": "bye", "default": "play"},
        },
    }
    assert ivr_flows.check(document) == []
    document["nodes"]["last"]["cases"][0]["when"] = "times < -2"
    finding = ivr_flows.check(document)[0]
    # the inner rounds are counted: what is shown goes round the outer ones
    assert finding.path == ("play", "count", "enough", "outer", "last", "play", "count", "enough", "outer")


def test_a_counter_that_begins_with_who_knows_what() -> None:
    document = _counting("rounds + 1", "rounds > 3", {"yes": "bye", "default": "play"})
    document["nodes"]["first"] = {
        "type": "set",
        "variables": {"rounds": "0 - number(call.ani)"},
        "exits": {"next": "play"},
    }
    document["entry"] = "first"
    assert [each.code for each in ivr_flows.check(document)] == ["endless_cycle"]


def _counting(counted: str, test: str, exits: dict[str, str]) -> dict[str, Any]:
    play = {"type": "play", "prompts": ["p"], "exits": {"done": "count", "error": "count"}}
    nodes = {
        "play": play,
        "count": {"type": "set", "variables": {"rounds": counted}, "exits": {"next": "enough"}},
        "enough": {"type": "branch", "cases": [{"when": test, "exit": "yes"}], "exits": exits},
        "bye": {"type": "hangup"},
    }
    return {
        "schema": "callwright/flow/1",
        "id": "f",
        "name": "F",
        "kind": "inbound",
        "languages": ["cs"],
        "entry": "play",
        "variables": {"rounds": {"type": "number", "default": 0}},
        "prompts": {"p": {"cs": "f/p.wav"}},
        "nodes": nodes,
    }


def _calls(document: dict[str, Any]) -> int:
    """Function calls that a check takes: the same on every machine, unlike time."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        findings = ivr_flows.check(document)
    finally:
        sys.setprofile(before)
    assert not [each for each in findings if each.severity == "error"]
    return calls


def test_twice_the_nodes_take_twice_the_work() -> None:
    from callwright.flow.benchmark import large

    ivr_flows.check(large(100))  # what is read once
    few, many = _calls(large(1000)), _calls(large(2000))
    assert many < 2.2 * few
