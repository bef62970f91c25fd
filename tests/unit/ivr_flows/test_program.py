"""The interpreter: in order to the end, whatever a node, a flow or the runtime does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import ivr_flows
from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.expressions import Expression
from ivr_flows.flow import Limits
from ivr_flows.instructions import Step
from ivr_flows.node import ANSWERS, NextFlow, NodeRun, ask
from ivr_flows.program import SILENT_NODES, FlowOutcome, run
from ivr_flows.results import (
    CalendarState,
    Collected,
    ConferenceLeft,
    Conversation,
    Done,
    FlowEntered,
    NotConnected,
    Played,
    QueueLeft,
    QueueStanding,
    Refused,
    Reply,
    Result,
)
from tests.unit.ivr_flows.programs import CALL, Source, end, failed, flow_of, send, start, throw

FIELDS: dict[type, tuple[Any, ...]] = {
    do.Play: ((),),
    do.Collect: ((),),
    do.SetAttributes: ({},),
    do.CheckCalendar: ("c",),
    do.Connect: (do.AgentTarget("a"),),
    do.Record: ("start",),
    do.EnterFlow: ("f",),
    do.SendKeys: ("1",),
    do.HttpRequest: ("GET", "https://example.com"),
    do.FindContact: ("number", "1"),
    do.CheckNotice: ("general", "cs"),
    do.ReadQueue: ("q",),
    do.Enqueue: ("q",),
    do.RequestCallback: ("q", "1"),
    do.RecordMessage: ("m",),
    do.SendSms: ("1", "x"),
    do.Emit: ("e",),
    do.DetectAnswer: (1000,),
    do.JoinConference: ("r",),
}
"""What an instruction can't be made without."""


class TestFaults:
    """A node must never be able to crash a call silently."""

    def test_a_node_that_raises_at_once(self) -> None:
        def script(call: Call) -> NodeRun:
            raise ZeroDivisionError("by zero")

        program = start(flow_of(script))
        failed(next(program), "flow_error: node node: ZeroDivisionError: by zero")
        assert end(program).end == "flow_error"

    def test_a_node_that_raises_after_a_result(self) -> None:
        def script(call: Call) -> NodeRun:
            yield do.Answer()
            raise KeyError("x")

        program = start(flow_of(script))
        assert next(program).instruction == do.Answer()
        failed(send(program, Done()), "flow_error: node node: KeyError: 'x'")

    def test_an_exit_that_is_not_wired(self) -> None:
        def script(call: Call) -> NodeRun:
            yield do.Answer()
            return "elsewhere"

        program = start(flow_of(script))
        next(program)
        failed(send(program, Done()), "flow_error: node node: KeyError: 'elsewhere'")

    def test_a_node_without_an_end(self) -> None:
        def script(call: Call) -> NodeRun:
            yield do.Answer()
            return None

        program = start(flow_of(script))
        next(program)
        reason = "flow_error: node node: RuntimeError: the node has no exit and did not hang up"
        failed(send(program, Done()), reason)

    def test_a_flow_that_is_not_there(self) -> None:
        program = run(Source(), "main", "v9", CALL)
        failed(next(program), "flow_error: flow main v9: KeyError: 'main'")
        assert end(program) == FlowOutcome(
            "flow_error", "main", "v9", "", "NORMAL_TEMPORARY_FAILURE", "flow_error: flow main v9: KeyError: 'main'"
        )

    @pytest.mark.parametrize("instruction", list(ANSWERS))
    def test_a_result_of_the_wrong_kind(self, instruction: type) -> None:
        made: Any = instruction(*FIELDS.get(instruction, ()))

        def script(call: Call) -> NodeRun:
            yield from ask(made)
            return "next"

        results: list[Result] = [Done(), Refused(""), Played(), Collected(""), CalendarState("open")]
        for result in (*results, Conversation(1), FlowEntered("")):
            program = start(flow_of(script))
            next(program)
            if instruction is do.Hangup:
                assert end(program, result).end == "hangup"
            elif not isinstance(result, ANSWERS[instruction]):
                step = send(program, result)
                kinds = f"{type(result).__name__} is no answer to {instruction.__name__}"
                failed(step, f"flow_error: node node: UnexpectedResult: {kinds}")

    def test_a_reply_that_is_none(self) -> None:
        def script(call: Call) -> NodeRun:
            yield do.Answer()
            return "next"

        program = start(flow_of(script))
        next(program)
        failed(next(program), "flow_error: node node: TypeError: a Reply was expected, not NoneType")

    def test_a_long_reason_is_cut(self) -> None:
        def script(call: Call) -> NodeRun:
            raise ValueError("x" * 5000)

        step = next(start(flow_of(script)))
        assert isinstance(step.instruction, do.Hangup)
        assert len(step.instruction.reason) == 300


class TestEnd:
    def test_the_flow_hangs_up_and_the_caller_is_gone(self) -> None:
        def script(call: Call) -> NodeRun:
            yield do.Hangup("USER_BUSY", "full")
            return None

        program = start(flow_of(script))
        next(program)
        assert throw(program) == FlowOutcome("hangup", "f", "v1", "node", "USER_BUSY", "full")

    def test_the_caller_goes_at_the_hangup_of_a_fault(self) -> None:
        def script(call: Call) -> NodeRun:
            raise ZeroDivisionError

        program = start(flow_of(script))
        next(program)
        assert throw(program).end == "flow_error"

    def test_nothing_comes_after_a_hangup(self) -> None:
        def script(call: Call) -> NodeRun:
            yield do.Hangup()
            yield do.Answer()
            return "next"

        program = start(flow_of(script))
        next(program)
        assert end(program).end == "hangup"


class TestLimits:
    @staticmethod
    def again(call: Call) -> NodeRun:
        yield do.Play(())
        return "again"

    def test_nodes_that_yield_nothing_are_counted(self) -> None:
        def script(call: Call) -> NodeRun:
            yield from ()
            return "again"

        step = next(start(flow_of(script, limits=Limits(max_steps=50))))
        failed(step, "step_limit")
        assert len(step.entered) == 50

    def test_the_runtime_has_its_turn_between_many_silent_nodes(self) -> None:
        def script(call: Call) -> NodeRun:
            yield from ()
            return "again"

        program = start(flow_of(script, limits=Limits(max_steps=2 * SILENT_NODES + 5)))
        steps = [next(program), send(program, Done()), send(program, Done())]
        assert [step.instruction for step in steps[:2]] == [do.SetAttributes({}), do.SetAttributes({})]
        assert [len(step.entered) for step in steps] == [SILENT_NODES, SILENT_NODES, 5]
        failed(steps[2], "step_limit")

    @pytest.mark.req("R20")
    def test_flows_that_lead_to_each_other_are_counted_together(self) -> None:
        def to(other: str) -> Callable[[Call], NodeRun]:
            def script(call: Call) -> NodeRun:
                yield from ()
                return NextFlow(other, "v1")

            return script

        ping, pong = flow_of(to("pong"), "ping"), flow_of(to("ping"), "pong", limits=Limits(max_steps=9))
        step = next(start(ping, pong))
        failed(step, "step_limit")
        assert [entered.flow for entered in step.entered] == ["ping", "pong"] * 4 + ["ping"]

    def test_time_counts_from_the_start_and_conversations_do_not(self) -> None:
        def script(call: Call) -> NodeRun:
            yield do.Connect(do.AgentTarget("a"))
            return "again"

        program = start(flow_of(script, limits=Limits(max_seconds=10)))
        next(program)
        send(program, Conversation(talk_ms=100_000), at_ms=104_000)
        send(program, Conversation(talk_ms=50_000), at_ms=160_000)
        failed(send(program, NotConnected("busy", "USER_BUSY"), at_ms=160_001), "time_limit")

    @pytest.mark.parametrize(
        ("instruction", "result"),
        [
            (do.Enqueue("sales"), QueueLeft("timeout", waited_ms=100_000)),
            (do.JoinConference("crisis"), ConferenceLeft(100_000)),
        ],
    )
    def test_waiting_in_a_queue_and_a_conference_do_not_count_either(
        self, instruction: do.Instruction, result: Result
    ) -> None:
        def script(call: Call) -> NodeRun:
            yield instruction
            return "again"

        program = start(flow_of(script, limits=Limits(max_seconds=10)))
        next(program)
        assert send(program, result, at_ms=110_000).instruction == instruction
        failed(send(program, result, at_ms=220_001), "time_limit")

    def test_passes_are_counted_for_each_node_and_each_entry_of_a_flow(self) -> None:
        seen: list[int] = []

        def script(call: Call) -> NodeRun:
            seen.append(call.passes)
            yield do.Answer()
            return "again" if call.passes < 3 else NextFlow("f", "v1")

        program = start(flow_of(script))
        next(program)
        for _ in range(4):
            send(program, Done())
        assert seen == [1, 2, 3, 1, 2]


class TestLanguageAndFacts:
    @staticmethod
    def document(flow_id: str, languages: list[str]) -> dict[str, Any]:
        sources = {language: f"{flow_id}/{language}.wav" for language in languages}
        return {
            "schema": "callwright/flow/1",
            "id": flow_id,
            "name": "F",
            "kind": "inbound",
            "languages": languages,
            "entry": "play",
            "prompts": {"p": sources},
            "nodes": {
                "play": {"type": "play", "prompts": ["p"], "exits": {"done": "on", "error": "on"}},
                "on": {"type": "goto_flow", "flow": "other"},
            },
        }

    @staticmethod
    def played(step: Step) -> str:
        assert isinstance(step.instruction, do.Play)
        media = step.instruction.media[0]
        assert isinstance(media, do.PromptFile)
        return media.path

    @pytest.mark.req("R23")
    @pytest.mark.parametrize(
        ("wanted", "first", "second"),
        [("", "cs", "cs"), ("en", "en", "en"), ("de", "cs", "en")],
        ids=["none wanted: the first flow's first, kept", "the route's", "not spoken: each flow's first"],
    )
    def test_language(self, wanted: str, first: str, second: str) -> None:
        one = ivr_flows.load(self.document("one", ["cs", "en"]))
        other = ivr_flows.load(self.document("other", ["en", "cs"]))
        program = start(one, other, call=ivr_flows.CallData(did="1", ani="2", language=wanted))
        assert self.played(next(program)) == f"one/{first}.wav"
        send(program, Played())
        assert self.played(send(program, FlowEntered(other.version))) == f"other/{second}.wav"

    @pytest.mark.req("R9")
    def test_attributes_go_along_and_variables_do_not(self) -> None:
        seen: dict[str, Any] = {}

        def first(call: Call) -> NodeRun:
            call.variables["v"] = "1"
            call.attributes["problem"] = "billing"
            yield from ()
            return NextFlow("second", "v1")

        def second(call: Call) -> NodeRun:
            seen.update(variables=call.variables, attributes=call.attributes)
            yield from ()
            return "next"

        facts = ivr_flows.CallData(did="1", ani="2", attributes={"campaign": "spring"})
        next(start(flow_of(first), flow_of(second, "second"), call=facts))
        assert seen == {"variables": {}, "attributes": {"campaign": "spring", "problem": "billing"}}
        assert facts.attributes == {"campaign": "spring"}


class TestStanding:
    """Where a waiting caller stands, as the flow's expressions read it."""

    NAMES = ("queue.position", "queue.waited_s", "queue.wait_low_s", "queue.wait_high_s")

    def told(self, standing: QueueStanding | None, *replies: QueueStanding | None) -> list[tuple[Any, ...]]:
        """What a node reads at first, and after each reply."""
        seen = []

        def read(call: Call) -> NodeRun:
            for _ in range(len(replies) + 1):
                seen.append(tuple(call.value(Expression.parse(name)) for name in self.NAMES))
                yield from ask(do.SetAttributes({}))
            return "next"

        program = start(flow_of(read), call=ivr_flows.CallData(did="1", ani="2", standing=standing))
        next(program)
        for each in replies:
            program.send(Reply(Done(), 0, each))
        return seen

    @pytest.mark.req("R30")
    def test_the_newest_counts(self) -> None:
        first, second = QueueStanding(3, 10, 120, 240), QueueStanding(2, 40, 60, 180)
        assert self.told(first, None, second, None) == [(3, 10, 120, 240)] * 2 + [(2, 40, 60, 180)] * 2

    @pytest.mark.req("R30")
    def test_what_is_not_known_any_more_is_not_told_either(self) -> None:
        assert self.told(QueueStanding(3, 10, 120, 240), QueueStanding(2, 40)) == [(3, 10, 120, 240), (2, 40, 0, 0)]

    def test_who_does_not_wait(self) -> None:
        assert self.told(None, None) == [(0, 0, 0, 0)] * 2

    def test_the_next_flow_reads_it_too(self) -> None:
        seen = []

        def first(call: Call) -> NodeRun:
            yield from ask(do.SetAttributes({}))
            return NextFlow("second", "v1")

        def second(call: Call) -> NodeRun:
            seen.append(call.text(Expression.parse("queue.position")))
            yield from ask(do.SetAttributes({}))
            seen.append(call.text(Expression.parse("queue.position")))
            return "next"

        program = start(flow_of(first), flow_of(second, "second"))
        next(program)
        program.send(Reply(Done(), 0, QueueStanding(7)))
        program.send(Reply(Done(), 0, QueueStanding(6)))
        assert seen == ["7", "6"]
