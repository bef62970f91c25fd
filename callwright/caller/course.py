"""One call to a flow on a virtual clock: who answers its instructions, what happened, and a golden case of it."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from callwright.caller import answers
from callwright.caller.script import Again, Answer, HangUp, Item, Keys, Pause, Silence, Usual
from ivr_flows import codec, golden
from ivr_flows import instructions as do
from ivr_flows.call import CallData
from ivr_flows.flow import Flow
from ivr_flows.instructions import Instruction, NodeEntered, Step
from ivr_flows.nodes.goto_flow import GotoFlow
from ivr_flows.program import FlowOutcome, Program, run
from ivr_flows.results import CallerGone, Collected, Done, Played, QueueLeft, QueueStanding, Refused, Reply, Result

GONE = "ORIGINATOR_CANCEL"
MOST_OF_A_NODE = 1000
"""Instructions; more than any node gives: a survey of 20 questions, asked ten times each, gives some 200."""


class UnknownFlow(LookupError):
    """The call goes on in a flow that was not given."""


class InterpreterFault(RuntimeError):
    """The program itself failed, or never ends: a fault of ours and not of the flow."""


@dataclass(frozen=True, slots=True)
class Flows:
    """The flows that are known, by id. `ivr_flows.FlowSource`."""

    by_id: Mapping[str, Flow]

    def get(self, flow_id: str, version: str) -> Flow:
        if flow_id not in self.by_id:
            raise UnknownFlow(f"the flow {flow_id} is not given")
        return self.by_id[flow_id]


@dataclass(frozen=True, slots=True)
class Turn:
    """An instruction, the nodes entered before it, and its result at `at_ms`; None: the caller hung up meanwhile."""

    entered: tuple[NodeEntered, ...]
    instruction: Instruction
    result: Result | None
    at_ms: int
    standing: QueueStanding | None = None
    """Where the caller stands by now, who waits in a queue."""


@dataclass(slots=True)
class Course:
    """What happened in a call, so far or in all.

    `outcome` is None while it goes on, and where it was left: it went on in the flow `left_to`, which isn't known.
    """

    turns: list[Turn] = field(default_factory=list)
    outcome: FlowOutcome | None = None
    left_to: str = ""
    at_ms: int = 0


class _Bounds:
    """What no call can exceed but by a fault: the nodes that the flows' limits allow, and what one node gives."""

    def __init__(self, flows: Mapping[str, Flow]) -> None:
        self._most_nodes = max(flow.limits.max_steps for flow in flows.values())
        self._nodes = 0
        self._given = 0

    def check(self, step: Step) -> None:
        """Raises InterpreterFault."""
        if step.entered:
            self._nodes += len(step.entered)
            self._given = 0
        self._given += 1
        if self._nodes > self._most_nodes:
            raise InterpreterFault(f"the call has come to {self._nodes} nodes and goes on; max_steps didn't end it")
        if self._given > MOST_OF_A_NODE:
            raise InterpreterFault(f"a node has given {MOST_OF_A_NODE} instructions and goes on")


Decides = Callable[[Step], tuple[Result | None, int]]
"""Whoever answers: the result, or None when the caller hangs up, and how long that takes, ms."""


class Player:
    """Does what a script says; where it says nothing, what `ask` says; else nothing goes wrong and nobody presses."""

    def __init__(
        self,
        items: Sequence[Item],
        flows: Mapping[str, Flow],
        ask: Callable[[Step], Sequence[Item]] | None = None,
    ) -> None:
        self.script = list(items)
        """All items so far."""
        self._left = deque(items)
        self._flows = flows
        self._ask = ask
        self._patience_ms = 0

    @property
    def unused(self) -> tuple[Item, ...]:
        """What the script still says; nothing, where it never ends."""
        return () if self.script and isinstance(self.script[-1], Again) else tuple(self._left)

    def __call__(self, step: Step) -> tuple[Result | None, int]:
        instruction = step.instruction
        usual = answers.usual(instruction, self._flows)
        usual_ms = answers.lasting_ms(instruction, usual)
        if isinstance(instruction, do.Hangup):
            return usual, 0
        if self._ask is not None and not self._left and not self._patience_ms:
            asked = self._ask(step)
            self.script += asked
            self._left += asked
        while True:
            if self._patience_ms and self._patience_ms >= usual_ms:
                self._patience_ms -= usual_ms
                return usual, usual_ms
            if not self._left:
                return usual, usual_ms
            item = self._left[0]
            if isinstance(item, Again):
                self._left.extendleft(reversed(self.script[-1 - item.last : -1]))
            elif isinstance(item, Pause):
                self._take()
                self._patience_ms += item.ms
            else:
                break
        begun_ms, self._patience_ms = self._patience_ms, 0
        return self._answer(item, instruction, usual, begun_ms)

    def _answer(self, item: Item, instruction: Instruction, usual: Result, begun_ms: int) -> tuple[Result | None, int]:
        """The item's turn has come, if it is one for this instruction; so much time has passed in it."""
        result = usual
        match item:
            case HangUp():
                self._take()
                return None, begun_ms
            case Usual():
                self._take()
            case Silence() if _awaits_keys(instruction):
                self._take()
            case Answer(op=op, result=given) if op == instruction.op and answers.fits(given, instruction):
                self._take()
                result = answers.fitted(given, instruction)
            case Keys(keys=keys):
                pressed, rest = press(instruction, keys)
                if pressed is not None:
                    self._take(rest)
                    result = pressed
        return result, max(begun_ms, answers.lasting_ms(instruction, result))

    def _take(self, rest: str = "") -> None:
        self._left.popleft()
        if rest:
            self._left.appendleft(Keys(rest))


def press(instruction: Instruction, keys: str) -> tuple[Result | None, str]:
    """What these keys do, and those that are left over; None where the flow doesn't listen to the first one."""
    match instruction:
        case do.Collect(max_digits=most, terminators=terminators):
            for place, key in enumerate(keys[:most]):
                if key in terminators:
                    return Collected(keys[:place], key), keys[place + 1 :]
            return Collected(keys[:most]), keys[most:]
        case do.Play(stop_keys=stop_keys) if keys[0] in stop_keys:
            return Played(keys[0]), keys[1:]
        case do.Enqueue(exit_keys=exit_keys) if keys[0] in exit_keys:
            return QueueLeft("key", keys[0]), keys[1:]
    return None, keys


def _awaits_keys(instruction: Instruction) -> bool:
    match instruction:
        case do.Collect():
            return True
        case do.Play(stop_keys=keys) | do.Enqueue(exit_keys=keys):
            return bool(keys)
    return False


def call(
    flows: Mapping[str, Flow],
    flow: Flow,
    data: CallData,
    decide: Decides,
    told: Callable[[Turn], None] = lambda turn: None,
) -> Course:
    """The whole call. `told` hears of each instruction as soon as it has its result. Raises InterpreterFault.

    Who waits in a queue keeps his place and what he may expect; only the time that he has waited grows.
    """
    course, bounds = Course(), _Bounds(flows)
    program = run(Flows(flows), flow.id, flow.version, data)

    def note(step: Step, result: Result | None) -> None:
        course.turns.append(Turn(step.entered, step.instruction, result, course.at_ms, _waited(data, course)))
        told(course.turns[-1])

    at: NodeEntered | None = None
    step = _advance(course, lambda: next(program))
    while step is not None:
        bounds.check(step)
        at = step.entered[-1] if step.entered else at
        if _leaves(step, at, flows):
            course.left_to = step.instruction.flow  # type: ignore[union-attr]
            note(step, None)
            program.close()
            return course
        result, lasting_ms = decide(step)
        course.at_ms += lasting_ms
        note(step, result)
        if result is None:
            _hang_up(program, course, note)
            return course
        reply = Reply(result, course.at_ms, course.turns[-1].standing)
        step = _advance(course, lambda reply=reply: program.send(reply))  # type: ignore[misc]
    return course


def _waited(data: CallData, course: Course) -> QueueStanding | None:
    if data.standing is None:
        return None
    return dataclasses.replace(data.standing, waited_s=data.standing.waited_s + course.at_ms // 1000)


def _advance(course: Course, go_on: Callable[[], Step]) -> Step | None:
    """The next step, None at the end, which is then noted."""
    try:
        return go_on()
    except StopIteration as stop:
        course.outcome = stop.value
        return None
    except Exception as error:
        raise InterpreterFault(f"{type(error).__name__}: {error}") from error


def _leaves(step: Step, at: NodeEntered | None, flows: Mapping[str, Flow]) -> bool:
    """Whether the call goes on for good in a flow that isn't known."""
    if not isinstance(step.instruction, do.EnterFlow) or step.instruction.flow in flows or at is None:
        return False
    return isinstance(flows[at.flow].nodes[at.node].node, GotoFlow)


def _hang_up(program: Program, course: Course, note: Callable[[Step, Result], None]) -> None:
    """To the end, through what the nodes still do."""
    step = _advance(course, lambda: program.throw(CallerGone(GONE)))
    while step is not None:
        result: Result = Done() if isinstance(step.instruction, do.SetAttributes) else Refused("the caller is gone")
        note(step, result)
        reply = Reply(result, course.at_ms)
        step = _advance(course, lambda reply=reply: program.send(reply))  # type: ignore[misc]


def golden_case(course: Course, documents: Sequence[Mapping[str, Any]], data: CallData, about: str) -> dict[str, Any]:
    """The call as a case of `ivr_flows.golden`, which holds. Raises `golden.GoldenError` where it can't be one."""
    if course.outcome is None:
        raise golden.GoldenError(f"the call goes on in the flow {course.left_to}, which is not given")
    facts = {
        name: value
        for name, value in dataclasses.asdict(data).items()
        if name in ("did", "ani") or value not in ("", 0, False, {}, None)
    }
    exchange = [_answered(turn) for turn in course.turns]
    flows = [{key: value for key, value in each.items() if key != "layout"} for each in documents]
    case = {"about": about, "flows": flows, "call": facts, "exchange": exchange}
    return golden.rehearse(case)


def _answered(turn: Turn) -> dict[str, Any]:
    if turn.result is None:
        return {"caller_gone": GONE}
    told: dict[str, Any] = {"reply": codec.dump_result(turn.result), "at_ms": turn.at_ms}
    return told if turn.standing is None else {**told, "standing": dataclasses.asdict(turn.standing)}
