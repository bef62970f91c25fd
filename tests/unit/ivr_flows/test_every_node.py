"""Every node type, at every instruction of its golden cases: the caller hangs up, the call is taken up again.

The cases are what the registry demands of a node (test_registry), so a new node is held to this without a word here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr_flows import codec, golden
from ivr_flows import instructions as do
from ivr_flows.call import CallData
from ivr_flows.flow import Flow
from ivr_flows.instructions import Step
from ivr_flows.node import ANSWERS, REGISTRY
from ivr_flows.program import FlowOutcome, Program, run
from ivr_flows.results import CallerGone, Collected, Done, FlowEntered, QueueLeft, Refused, Reply
from tests.unit.ivr_flows.programs import Source
from tests.unit.ivr_flows.strategies import any_of

NODES = Path(__file__).parents[2] / "golden" / "nodes"
CLEAN_UP = (do.SetAttributes, do.Record)


@dataclass(frozen=True)
class Case:
    """A golden case as a whole call: the node, and what the runtime answers up to the end or the caller's hangup."""

    flow: Flow
    call: CallData
    replies: tuple[Reply, ...]

    def program(self) -> Program:
        other = Source({self.flow.id: self.flow})
        return run(other, self.flow.id, self.flow.version, self.call)


def read(file: Path) -> Case:
    case = json.loads(file.read_text(encoding="utf-8"))
    replies: list[Reply] = []
    for turn in case["exchange"]:
        if "caller_gone" in turn:
            break
        replies.append(Reply(codec.load_result(turn["reply"]), turn.get("at_ms", 0)))
    return Case(golden.around(case["node"], case.get("flow", {})), golden.facts(case), tuple(replies))


def instructions() -> Iterator[Any]:
    """Every place in every golden case at which the node waits for a result."""
    for file in sorted(NODES.rglob("*.json")):
        exchange = json.loads(file.read_text(encoding="utf-8"))["exchange"]
        for at in range(len(exchange)):
            if not any("caller_gone" in turn for turn in exchange[:at]):
                yield pytest.param(file, at, id=f"{file.parent.name}/{file.stem}-{at}")


def driven(program: Program, replies: tuple[Reply, ...]) -> Step:
    """The step at which the program stands after these replies."""
    step = next(program)
    for reply in replies:
        step = program.send(reply)
    return step


def test_every_node_type_is_walked() -> None:
    asking = {file.parent.name for file in NODES.rglob("*.json")}
    assert asking == set(REGISTRY)


@pytest.mark.req("R20", "R124")
@pytest.mark.parametrize(("file", "at"), list(instructions()))
def test_the_caller_hangs_up(file: Path, at: int) -> None:
    case = read(file)
    program = case.program()
    stopped = driven(program, case.replies[:at])
    *cleaning_up, outcome = hung_up(program)
    assert isinstance(outcome, FlowOutcome)
    assert outcome.end == ("hangup" if isinstance(stopped.instruction, do.Hangup) else "caller_gone")
    assert all(isinstance(each, CLEAN_UP) for each in cleaning_up)


def hung_up(program: Program) -> list[Any]:
    """What the node still asks for, and the outcome."""
    asked: list[Any] = []
    try:
        step = program.throw(CallerGone("ORIGINATOR_CANCEL"))
        while True:
            asked.append(step.instruction)
            step = program.send(Reply(Done(), 0))
    except StopIteration as stop:
        return [*asked, stop.value]


@pytest.mark.req("R124")
@pytest.mark.parametrize(("file", "at"), list(instructions()))
def test_the_call_is_taken_up_again(file: Path, at: int) -> None:
    """Another engine feeds what the journal holds, as JSON, and stands at the same instruction with the same nodes."""
    case = read(file)
    before = driven(case.program(), case.replies[:at])
    journal = [json.dumps(codec.dump_result(reply.result)) for reply in case.replies[:at]]
    resumed = case.program()
    after = driven(resumed, tuple(Reply(codec.load_result(json.loads(line)), 0) for line in journal))
    assert after == before
    assert json.dumps(codec.dump_instruction(after.instruction)) == json.dumps(
        codec.dump_instruction(before.instruction)
    )
    assert codec.load_instruction(codec.dump_instruction(after.instruction)) == before.instruction
    if len(case.replies) > at:
        ended = to_the_end(resumed, case.replies[at:])
        assert ended == to_the_end(taken_to(case, at), case.replies[at:])


def taken_to(case: Case, at: int) -> Program:
    program = case.program()
    driven(program, case.replies[:at])
    return program


def to_the_end(program: Program, replies: tuple[Reply, ...]) -> list[Any]:
    """What follows; where the case has no reply for what comes after its node, a caller's hangup ends the call."""
    seen: list[Any] = []
    try:
        for reply in replies:
            seen.append(program.send(reply))
        seen.append(program.throw(CallerGone("ORIGINATOR_CANCEL")))
    except StopIteration as stop:
        seen.append(stop.value)
    return seen


@pytest.mark.parametrize("result", [Refused("not available"), FlowEntered("v9")])
def test_a_called_flow_that_is_gone_takes_the_error_exit(result: Any) -> None:
    case = read(NODES / "call_flow" / "error.json")
    program = case.program()
    next(program)
    step = program.send(Reply(result, 0))
    if isinstance(step.instruction, do.SetAttributes):
        assert step.instruction.attributes["flow_error"].startswith("flow_error: flow pin v9: KeyError")
        step = program.send(Reply(Done(), 0))
    assert [node.exit for node in step.entered] == ["error"]
    assert isinstance(step.instruction, do.Hangup)


def answers(instruction: do.Instruction) -> st.SearchStrategy[Any]:
    """Any result that the runtime may give. No prompt fails where there is none; a queue is left by its own keys."""
    made = any_of(ANSWERS[type(instruction)])
    if isinstance(instruction, do.Collect) and not instruction.media:
        return st.builds(Collected, st.text("0123456789*#ABCD", max_size=40))
    if isinstance(instruction, do.Enqueue):
        by_key = [QueueLeft("key", key) for key in instruction.exit_keys]
        others = made.filter(lambda result: not (isinstance(result, QueueLeft) and result.why == "key"))
        return others | st.sampled_from(by_key) if by_key else others
    return made


@pytest.mark.req("R20")
@pytest.mark.parametrize("name", sorted(REGISTRY))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whatever_the_runtime_answers_the_node_is_left_by_one_of_its_exits(name: str, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(sorted((NODES / name).glob("*.json"))))
    program = read(file).program()
    step = before = next(program)
    for _ in range(200):
        if isinstance(step.instruction, do.Hangup):
            break
        before = step
        step = program.send(Reply(data.draw(answers(step.instruction)), 0))
    assert isinstance(step.instruction, do.Hangup)
    failed = step.instruction.reason.startswith("flow_error")
    # The runtime says that a flow can be entered only where there is one; here there is none.
    entered = isinstance(before.instruction, do.EnterFlow)
    assert not failed or entered or name == "return_flow", step.instruction.reason
