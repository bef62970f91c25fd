"""The interpreter: a flow as a generator of steps. It alone decides what comes next; it does nothing by itself.

    program = run(source, "main", version, call)
    step = next(program)
    while True:
        step = program.send(Reply(result, at_ms))      # StopIteration.value is the FlowOutcome

Same facts and same replies give the same steps, so that a call is resumed by feeding the journal's results again.

The last step of every program is a `Hangup`, unless the caller went first: the runtime then throws `CallerGone` in.
After that a node's clean-up may still yield `SetAttributes` or `Record` steps, to be answered as usual; then the
program ends.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal, Protocol

from ivr_flows import instructions as do
from ivr_flows.call import Call, CallData
from ivr_flows.flow import Flow
from ivr_flows.instructions import Instruction, NodeEntered, Step
from ivr_flows.node import NextFlow, NodeRun
from ivr_flows.results import CallerGone, Conversation, Reply, Result

FAILURE_CAUSE = "NORMAL_TEMPORARY_FAILURE"
CLEAN_UP_STEPS = 8
"""Steps that a node may still take after the caller hung up or a limit was reached."""

End = Literal["hangup", "caller_gone", "step_limit", "time_limit", "flow_error"]
Program = Generator[Step, Reply, "FlowOutcome"]


class FlowSource(Protocol):
    """Where flows come from: the routing snapshot that the call began with."""

    def get(self, flow_id: str, version: str) -> Flow:
        """The flow at a version. What it raises ends the call with a flow error."""


@dataclass(frozen=True, slots=True)
class FlowOutcome:
    """How the program ended, at which node, and with what cause and reason in the `Hangup` (or the caller's cause)."""

    end: End
    flow: str
    version: str
    node: str
    cause: str
    reason: str = ""


class _Stop(Exception):
    """Carries a limit that was reached out of the nodes."""

    def __init__(self, end: End, reason: str) -> None:
        super().__init__(reason)
        self.end = end
        self.reason = reason


class _HungUp(Exception):
    """Carries the end out of the nodes: the flow has hung up."""

    def __init__(self, cause: str, reason: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.reason = reason


def run(source: FlowSource, flow_id: str, version: str, call: CallData) -> Program:
    """The program of a call that begins in this flow at this version."""
    return _Interpreter(source, call).run(flow_id, version)


class _Interpreter:
    def __init__(self, source: FlowSource, data: CallData) -> None:
        self._source = source
        self._data = data
        self._attributes = dict(data.attributes)
        self._language = data.language
        self._entered: tuple[NodeEntered, ...] = ()
        self._steps = 0
        self._at_ms = 0
        self._talk_ms = 0
        self._at = NodeEntered("", "", "")
        self._limit_ms: int | None = None

    def run(self, flow_id: str, version: str) -> Program:
        try:
            yield from self._walk(flow_id, version)
        except CallerGone as gone:
            return self._outcome("caller_gone", gone.cause)
        except _HungUp as hung_up:
            return self._outcome("hangup", hung_up.cause, hung_up.reason)
        except _Stop as stop:
            end, reason = stop.end, stop.reason
        except Exception as error:  # noqa: BLE001 - whatever a node does, the call must end in order and say why
            end, reason = "flow_error", self._describe(error)
        with contextlib.suppress(CallerGone):
            yield self._step(do.Hangup(FAILURE_CAUSE, reason))
        return self._outcome(end, FAILURE_CAUSE, reason)

    def _walk(self, flow_id: str, version: str) -> Generator[Step, Reply, None]:
        """From flow to flow, from node to node. Ends only by an exception."""
        following: NextFlow | None = NextFlow(flow_id, version)
        while following is not None:
            following = yield from self._flow(following)
        raise RuntimeError("the node has no exit and did not hang up")

    def _flow(self, wanted: NextFlow) -> Generator[Step, Reply, NextFlow | None]:
        self._at = NodeEntered(wanted.flow, wanted.version, "")
        flow = self._source.get(wanted.flow, wanted.version)
        language = flow.language(self._language)
        self._language = self._language or language
        defaults = {name: each.default for name, each in flow.variables.items() if each.default is not None}
        call = Call(self._data, language, flow.prompts, defaults, self._attributes)
        node_id, left_by = flow.entry, None
        while True:
            self._enter(flow, node_id, left_by)
            wired = flow.nodes[node_id]
            end = yield from self._node(wired.node.run(call))
            if not isinstance(end, str):
                return end
            node_id, left_by = wired.exits[end], end

    def _enter(self, flow: Flow, node_id: str, left_by: str | None) -> None:
        if self._steps >= flow.limits.max_steps:
            raise _Stop("step_limit", "step_limit")
        self._steps += 1
        self._limit_ms = flow.limits.max_seconds * 1000
        self._at = NodeEntered(flow.id, flow.version, node_id, left_by)
        self._entered += (self._at,)

    def _node(self, running: NodeRun) -> Generator[Step, Reply, str | NextFlow | None]:
        try:
            instruction = next(running)
            while True:
                result = yield from self._perform(instruction)
                self._check_time()
                instruction = running.send(result)
        except StopIteration as end:
            value: str | NextFlow | None = end.value
            return value
        except (CallerGone, _Stop) as stop:
            yield from self._clean_up(running, stop)
            raise
        finally:
            _abandon(running)

    def _perform(self, instruction: Instruction) -> Generator[Step, Reply, Result]:
        hangs_up = isinstance(instruction, do.Hangup)
        try:
            reply = yield self._step(instruction)
        except CallerGone:
            if not hangs_up:
                raise
        if isinstance(instruction, do.Hangup):
            raise _HungUp(instruction.cause, instruction.reason)
        if not isinstance(reply, Reply):
            raise TypeError(f"a Reply was expected, not {type(reply).__name__}")
        self._at_ms = reply.at_ms
        if isinstance(reply.result, Conversation):
            self._talk_ms += reply.result.talk_ms
        return reply.result

    def _step(self, instruction: Instruction) -> Step:
        entered, self._entered = self._entered, ()
        return Step(instruction, entered)

    def _check_time(self) -> None:
        if self._limit_ms is not None and self._at_ms - self._talk_ms > self._limit_ms:
            raise _Stop("time_limit", "time_limit")

    def _clean_up(self, running: NodeRun, stop: Exception) -> Generator[Step, Reply, None]:
        """Let the node clean up. What goes wrong here changes nothing about how the call ended."""
        with contextlib.suppress(Exception):
            instruction = running.throw(stop)
            for _ in range(CLEAN_UP_STEPS):
                if not isinstance(instruction, do.SetAttributes | do.Record):
                    return
                result = yield from self._perform(instruction)
                instruction = running.send(result)

    def _outcome(self, end: End, cause: str, reason: str = "") -> FlowOutcome:
        return FlowOutcome(end, self._at.flow, self._at.version, self._at.node, cause, reason)

    def _describe(self, error: Exception) -> str:
        place = f"node {self._at.node}" if self._at.node else f"flow {self._at.flow} {self._at.version}"
        return f"flow_error: {place}: {type(error).__name__}: {error}"[:300]


def _abandon(running: NodeRun) -> None:
    """Close a node's generator; one that still yields or fails meanwhile can't disturb the end of the call."""
    for _ in range(CLEAN_UP_STEPS):
        with contextlib.suppress(Exception):
            running.close()
            return
