"""`finally` in a node is its clean-up: at hangup, at a limit, at a fault."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.flow import Limits
from ivr_flows.node import NodeRun, ask
from ivr_flows.program import CLEAN_UP_STEPS, FlowOutcome
from ivr_flows.results import (
    CallerGone,
    Collected,
    Done,
    Played,
)
from tests.unit.ivr_flows.programs import end, failed, flow_of, send, start, throw


class TestCleanUp:
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
