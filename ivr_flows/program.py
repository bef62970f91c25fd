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
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ivr_flows import instructions as do
from ivr_flows.call import Call, CallData, queue_facts
from ivr_flows.flow import Flow, Wired
from ivr_flows.instructions import Instruction, NodeEntered, Step
from ivr_flows.node import End as NodeEnd
from ivr_flows.node import NextFlow, NodeRun, Return, SubFlow
from ivr_flows.results import CallerGone, ConferenceLeft, Conversation, QueueLeft, Reply, Result

FAILURE_CAUSE = "NORMAL_TEMPORARY_FAILURE"
CLEAN_UP_STEPS = 8
"""Steps that a node may still take after the caller hung up or a limit was reached."""
MAX_CALLED_FLOWS = 8
"""Flows within each other by `call_flow`; a call that would go deeper takes the exit `error`."""

End = Literal["hangup", "caller_gone", "step_limit", "time_limit", "flow_error"]
Program = Generator[Step, Reply, "FlowOutcome"]


SILENT_NODES = 100
"""After so many nodes without an instruction comes one that changes nothing: the runtime turns to its other calls."""


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


@dataclass(slots=True)
class _Frame:
    """A flow that is being run: the node that comes next, and what the flow was called for, if it was."""

    flow: Flow
    call: Call
    node: str
    left_by: str | None = None
    passes: dict[str, int] = field(default_factory=dict)
    called_for: SubFlow | None = None


class _Interpreter:
    def __init__(self, source: FlowSource, data: CallData) -> None:
        self._source = source
        self._data = data
        self._attributes = dict(data.attributes)
        self._queue = queue_facts(data.standing)
        self._language = data.language
        self._entered: list[NodeEntered] = []
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
        """From node to node, from flow to flow and back. Ends only by an exception."""
        frames = [self._open(flow_id, version)]
        while True:
            frame = frames[-1]
            try:
                if len(self._entered) >= SILENT_NODES:
                    yield from self._perform(do.SetAttributes({}))
                    self._check_time()
                wired = self._enter(frame)
                end = yield from self._node(wired.node.run(frame.call))
                self._language = frame.call.chosen_language or self._language
                if isinstance(end, str):
                    frame.node, frame.left_by = wired.exits[end], end
                elif isinstance(end, SubFlow):
                    yield from self._call_flow(frames, end)
                else:
                    self._change_flow(frames, end)
            except (CallerGone, _HungUp, _Stop):
                raise
            except Exception as error:  # a flow that fails is an exit of the node that called it
                if len(frames) == 1:
                    raise
                self._back(frames.pop(), frames[-1])
                yield from self._failed(frames[-1], error)

    def _open(self, flow_id: str, version: str, called_for: SubFlow | None = None) -> _Frame:
        self._at = NodeEntered(flow_id, version, "")
        flow = self._source.get(flow_id, version)
        call = flow.begin(self._data, self._language, self._attributes, self._queue)
        self._language = self._language or call.language
        return _Frame(flow, call, flow.entry, called_for=called_for)

    def _call_flow(self, frames: list[_Frame], wanted: SubFlow) -> Generator[Step, Reply, None]:
        if len(frames) > MAX_CALLED_FLOWS:
            self._leave(frames[-1], "error")
            return
        try:
            called = self._open(wanted.flow, wanted.version, wanted)
        except Exception as error:  # noqa: BLE001 - whatever keeps a flow from being run
            yield from self._failed(frames[-1], error)
            return
        # Flows of other kinds are proved to end for the values that they begin with by themselves.
        for name, value in wanted.arguments.items() if called.flow.kind == "sub" else ():
            if name in called.flow.variables:
                called.call.assign(name, value)
        frames.append(called)

    def _change_flow(self, frames: list[_Frame], end: NextFlow | Return | None) -> None:
        match end:
            case NextFlow(flow=flow, version=version):
                frames.append(self._open(flow, version, frames[-1].called_for))
                del frames[-2]
            case Return() if len(frames) > 1:
                self._return(frames)
            case Return():
                raise RuntimeError("this flow was not called by another one, so there is nowhere to return to")
            case None:
                raise RuntimeError("the node has no exit and did not hang up")

    def _return(self, frames: list[_Frame]) -> None:
        returning, back = frames.pop(), frames[-1]
        called_for = returning.called_for or SubFlow("", "")
        for ours, its in called_for.results.items():
            back.call.assign(ours, returning.call.variables.get(its, ""))
        self._back(returning, back)
        self._leave(back, "returned")

    def _failed(self, caller: _Frame, error: Exception) -> Generator[Step, Reply, None]:
        """Leave the node that called a flow that failed; what went wrong goes into the call's attributes."""
        reason = self._describe(error)
        self._attributes["flow_error"] = reason
        yield from self._perform(do.SetAttributes({"flow_error": reason}))
        self._check_time()
        self._leave(caller, "error")

    def _back(self, called: _Frame, caller: _Frame) -> None:
        """A language that was chosen in the called flow is kept, where the caller speaks it."""
        chosen = called.call.chosen_language
        if chosen in caller.flow.languages:
            caller.call.speak(chosen)

    def _leave(self, frame: _Frame, end: str) -> None:
        frame.node, frame.left_by = frame.flow.nodes[frame.node].exits[end], end

    def _enter(self, frame: _Frame) -> Wired:
        flow, node_id = frame.flow, frame.node
        if self._steps >= flow.limits.max_steps:
            raise _Stop("step_limit", "step_limit")
        self._steps += 1
        self._limit_ms = flow.limits.max_seconds * 1000
        frame.call.passes = frame.passes[node_id] = frame.passes.get(node_id, 0) + 1
        self._at = NodeEntered(flow.id, flow.version, node_id, frame.left_by)
        self._entered.append(self._at)
        return flow.nodes[node_id]

    def _node(self, running: NodeRun) -> Generator[Step, Reply, NodeEnd]:
        try:
            instruction = next(running)
            while True:
                result = yield from self._perform(instruction)
                self._check_time()
                instruction = running.send(result)
        except StopIteration as end:
            value: NodeEnd = end.value
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
        if reply.standing is not None:
            self._queue.update(queue_facts(reply.standing))
        if isinstance(reply.result, Conversation | ConferenceLeft):
            self._talk_ms += reply.result.talk_ms
        elif isinstance(reply.result, QueueLeft):
            self._talk_ms += reply.result.waited_ms
        return reply.result

    def _step(self, instruction: Instruction) -> Step:
        entered = tuple(self._entered)
        self._entered.clear()
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
