"""The interpreter: in order to the end, whatever a node, a flow or the runtime does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ivr_flows
from ivr_flows import instructions as do
from ivr_flows import library
from ivr_flows.call import Call
from ivr_flows.flow import Flow, Limits, Wired
from ivr_flows.instructions import Step
from ivr_flows.node import ANSWERS, NextFlow, Node, NodeRun, ask
from ivr_flows.nodes.hangup import Hangup
from ivr_flows.program import CLEAN_UP_STEPS, FlowOutcome, Program, run
from ivr_flows.results import (
    CalendarState,
    CallerGone,
    Collected,
    Conversation,
    Done,
    FlowEntered,
    NotConnected,
    Played,
    PlayFailed,
    Refused,
    Reply,
    Result,
)

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
        made = {
            do.Play: lambda: do.Play(()),
            do.Collect: lambda: do.Collect(()),
            do.SetAttributes: lambda: do.SetAttributes({}),
            do.CheckCalendar: lambda: do.CheckCalendar("c"),
            do.Connect: lambda: do.Connect(do.AgentTarget("a")),
            do.Record: lambda: do.Record("start"),
            do.EnterFlow: lambda: do.EnterFlow("f"),
        }.get(instruction, instruction)()

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


class TestCleanUp:
    """`finally` in a node is its clean-up: at hangup, at a limit, at a fault."""

    @staticmethod
    def survey(done: list[str]) -> Callable[[Call], NodeRun]:
        def script(call: Call) -> NodeRun:
            try:
                yield from ask(do.Collect(()))
                yield from ask(do.Collect(()))
            finally:
                yield from ask(do.SetAttributes({"answers": "1"}))
                done.append("cleaned up")
            return "next"

        return script

    def test_at_hangup_it_may_still_set_attributes(self) -> None:
        done: list[str] = []
        program = start(flow_of(self.survey(done)))
        next(program)
        send(program, Collected("5"))
        step = program.throw(CallerGone("ORIGINATOR_CANCEL"))
        assert step.instruction == do.SetAttributes({"answers": "1"})
        assert end(program) == FlowOutcome("caller_gone", "f", "v1", "node", "ORIGINATOR_CANCEL")
        assert done == ["cleaned up"]

    def test_at_a_limit(self) -> None:
        done: list[str] = []
        program = start(flow_of(self.survey(done), limits=Limits(max_seconds=1)))
        next(program)
        assert send(program, Collected("5"), at_ms=1001).instruction == do.SetAttributes({"answers": "1"})
        failed(send(program, Done()), "time_limit")
        assert done == ["cleaned up"]

    def test_at_a_fault(self) -> None:
        done: list[str] = []
        program = start(flow_of(self.survey(done)))
        next(program)
        assert send(program, Played()).instruction == do.SetAttributes({"answers": "1"})
        failed(send(program, Done()), "flow_error: node node: UnexpectedResult: Played is no answer to Collect")
        assert done == ["cleaned up"]

    def test_when_the_caller_goes_during_the_clean_up(self) -> None:
        program = start(flow_of(self.survey([])))
        next(program)
        program.throw(CallerGone("A"))
        with pytest.raises(StopIteration) as stop:
            program.throw(CallerGone("B"))
        assert stop.value.value.end == "caller_gone"
        assert stop.value.value.cause == "A"

    def test_nothing_that_needs_a_caller(self) -> None:
        def script(call: Call) -> NodeRun:
            try:
                yield do.Answer()
            finally:
                yield do.Play(())
            return "next"

        program = start(flow_of(script))
        next(program)
        assert throw(program).end == "caller_gone"

    def test_not_for_ever(self) -> None:
        def script(call: Call) -> NodeRun:
            while True:
                try:
                    yield do.Record("stop")
                except CallerGone:
                    continue

        program = start(flow_of(script))
        next(program)
        program.throw(CallerGone("X"))
        for _ in range(CLEAN_UP_STEPS - 1):
            send(program, Done())
        assert end(program).end == "caller_gone"

    def test_a_node_that_swallows_the_hangup_does_not_go_on(self) -> None:
        def script(call: Call) -> NodeRun:
            try:
                yield do.Answer()
            except CallerGone:
                return "next"
            return "next"

        program = start(flow_of(script))
        next(program)
        assert throw(program) == FlowOutcome("caller_gone", "f", "v1", "node", "ORIGINATOR_CANCEL")

    def test_a_clean_up_that_fails_changes_nothing(self) -> None:
        def script(call: Call) -> NodeRun:
            try:
                yield do.Answer()
            finally:
                raise ZeroDivisionError

        program = start(flow_of(script))
        next(program)
        assert throw(program).end == "caller_gone"

    def test_a_program_that_is_dropped_closes_its_node(self) -> None:
        done: list[str] = []

        def script(call: Call) -> NodeRun:
            try:
                yield do.Answer()
            finally:
                done.append("closed")
                yield do.Record("stop")
            return "next"

        program = start(flow_of(script))
        next(program)
        program.close()
        assert done == ["closed"]


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


class TestLanguageAndFacts:
    @staticmethod
    def document(flow_id: str, languages: list[str]) -> dict[str, Any]:
        sources = {language: f"{flow_id}/{language}.wav" for language in languages}
        return {
            **{"schema": "callwright/flow/1", "id": flow_id, "name": "F", "kind": "inbound", "languages": languages},
            **{"entry": "play", "prompts": {"p": sources}},
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


RESULTS: st.SearchStrategy[Result] = st.one_of(
    st.just(Done()),
    st.just(Refused("no")),
    st.builds(Played, st.none() | st.sampled_from("0123456789*#")),
    st.just(PlayFailed("FILE NOT FOUND")),
    st.builds(Collected, st.text("0123456789*#", max_size=9)),
    st.builds(CalendarState, st.sampled_from(["open", "closed", "holiday"])),
    st.builds(Conversation, st.integers(0, 10**7)),
    st.builds(NotConnected, st.sampled_from(["busy", "no_answer", "rejected", "not_ready", "failed"]), st.just("X")),
    st.builds(FlowEntered, st.just("v")),
)
FITTING = {
    kind: RESULTS.filter(lambda result, kinds=kinds: isinstance(result, kinds))  # type: ignore[misc]
    for kind, kinds in ANSWERS.items()
}
TEMPLATES = Source({name: ivr_flows.load(library.template(name)) for name in library.TEMPLATES})


def adverse_call(draw: st.DataObject, name: str) -> Iterator[Any]:
    """Steps and replies of a call with any replies, fitting ones mostly, until the program ends."""
    program = run(TEMPLATES, name, TEMPLATES.get(name, "").version, CALL)
    step, at_ms = next(program), 0
    for _ in range(60):
        yield step
        at_ms += draw.draw(st.integers(0, 60_000))
        fits = draw.draw(st.integers(0, 9))
        try:
            if fits == 1:
                yield "gone"
                step = program.throw(CallerGone("ORIGINATOR_CANCEL"))
            else:
                result = draw.draw(RESULTS if fits == 0 else FITTING[type(step.instruction)])
                yield Reply(result, at_ms)
                step = program.send(Reply(result, at_ms))
        except StopIteration as stop:
            yield stop.value
            return


@pytest.mark.req("R20")
@settings(max_examples=120, deadline=None)
@given(st.data(), st.sampled_from(library.TEMPLATES))
def test_same_facts_and_replies_give_the_same_steps(data: st.DataObject, name: str) -> None:
    call = list(adverse_call(data, name))
    if isinstance(call[-1], FlowOutcome):
        last_step = [each for each in call if isinstance(each, Step)][-1]
        assert isinstance(last_step.instruction, do.Hangup) or call[-1].end == "caller_gone"
    again = run(TEMPLATES, name, TEMPLATES.get(name, "").version, CALL)
    happened: list[Any] = [next(again)]
    for each in call:
        if isinstance(each, Step | FlowOutcome):
            assert happened.pop(0) == each
            continue
        try:
            happened.append(again.throw(CallerGone("ORIGINATOR_CANCEL")) if each == "gone" else again.send(each))
        except StopIteration as stop:
            happened.append(stop.value)


@pytest.mark.req("R20")
def test_forty_flows_at_once() -> None:
    document = library.template("main")
    flows = []
    for number in range(40):
        document["id"] = f"line-{number}"
        flows.append(ivr_flows.load(json.dumps(document)))
    source = Source({flow.id: flow for flow in flows})
    programs = [run(source, flow.id, flow.version, CALL) for flow in flows]
    assert {next(program).entered[0].flow for program in programs} == set(source.flows)
    assert len({flow.version for flow in flows}) == 40
