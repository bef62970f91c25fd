"""Programs of scripted nodes, and how the tests drive them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

import ivr_flows
from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.flow import Flow, Wired
from ivr_flows.instructions import Step
from ivr_flows.node import Node, NodeRun
from ivr_flows.nodes.hangup import Hangup
from ivr_flows.program import FlowOutcome, Program, run
from ivr_flows.results import CallerGone, Done, Reply, Result

CALL = ivr_flows.CallData(did="+420222333444", ani="+420601234567")


@dataclass(frozen=True)
class Scripted(Node):
    """A node of the tests: runs a function."""

    script: Callable[[Call], NodeRun]

    def run(self, call: Call) -> NodeRun:
        return self.script(call)


@dataclass
class Source:
    flows: dict[str, Flow] = field(default_factory=dict)

    def get(self, flow_id: str, version: str) -> Flow:
        return self.flows[flow_id]


def flow_of(script: Callable[[Call], NodeRun], flow_id: str = "f", **more: Any) -> Flow:
    """A flow of one scripted node whose exit `next` leads to a hangup, and `again` to itself."""
    nodes = {
        "node": Wired(Scripted(script), {"next": "bye", "again": "node"}),
        "bye": Wired(Hangup(), {}),
    }
    return Flow(flow_id, "v1", "F", "inbound", ("cs",), "node", nodes, **more)


def start(*flows: Flow, call: ivr_flows.CallData = CALL) -> Program:
    return run(Source({flow.id: flow for flow in flows}), flows[0].id, flows[0].version, call)


def send(program: Program, result: Result, at_ms: int = 0) -> Step:
    return program.send(Reply(result, at_ms))


def end(program: Program, result: Result | None = None) -> FlowOutcome:
    with pytest.raises(StopIteration) as stop:
        send(program, result or Done())
    outcome = stop.value.value
    assert isinstance(outcome, FlowOutcome)
    return outcome


def throw(program: Program) -> FlowOutcome:
    with pytest.raises(StopIteration) as stop:
        program.throw(CallerGone("ORIGINATOR_CANCEL"))
    outcome = stop.value.value
    assert isinstance(outcome, FlowOutcome)
    return outcome


def failed(step: Step, reason: str) -> None:
    assert step.instruction == do.Hangup("NORMAL_TEMPORARY_FAILURE", reason)
