"""Calls with any replies at all: always in order to an end, and the same again with the same replies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ivr_flows
from ivr_flows import instructions as do
from ivr_flows import library, results
from ivr_flows.instructions import Step
from ivr_flows.node import ANSWERS
from ivr_flows.program import FlowOutcome, run
from ivr_flows.results import CallerGone, Collected, Conversation, Played, PlayFailed, Reply, Result
from tests.unit.ivr_flows.programs import CALL, Source
from tests.unit.ivr_flows.strategies import any_of

_KEYS = st.text("0123456789*#", max_size=9)
RESULTS: st.SearchStrategy[Result] = st.one_of(
    st.builds(Played, st.none() | st.sampled_from("0123456789*#")),
    st.builds(Collected, _KEYS),
    st.builds(Conversation, st.integers(0, 10**7)),
    any_of(results.RESULTS),
)


def fitting(step: Step) -> st.SearchStrategy[Result]:
    """Results that answer the step's instruction."""
    if isinstance(step.instruction, do.Collect):
        return st.builds(Collected, _KEYS) | st.builds(PlayFailed, st.just("FILE NOT FOUND"))
    return any_of(ANSWERS[type(step.instruction)])


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
                result = draw.draw(RESULTS if fits == 0 else fitting(step))
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
