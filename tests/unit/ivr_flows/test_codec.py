"""What the journal keeps of instructions and results comes back as it was."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ivr_flows import codec
from ivr_flows import instructions as do
from ivr_flows import results as got

_TEXT = st.text(max_size=20)
_COUNT = st.integers(min_value=0, max_value=10**9)
_MEDIA = st.lists(
    st.one_of(
        st.builds(do.PromptFile, _TEXT),
        st.builds(do.Tone, hz=st.lists(_COUNT, max_size=2).map(tuple), on_ms=_COUNT, off_ms=_COUNT, repeats=_COUNT),
        st.builds(do.Pause, _COUNT),
    ),
    max_size=3,
).map(tuple)
_TARGET = st.one_of(
    st.builds(do.AgentTarget, _TEXT),
    st.builds(do.NumberTarget, number=_TEXT, trunk=st.none() | _TEXT),
)
INSTRUCTIONS = st.one_of(
    st.builds(do.Answer, mode=st.sampled_from(["answer", "early_media", "ringing"])),
    st.builds(do.Play, media=_MEDIA, stop_keys=_TEXT),
    st.builds(
        do.Collect,
        media=_MEDIA,
        max_digits=_COUNT,
        timeout_ms=_COUNT,
        interdigit_timeout_ms=_COUNT,
        terminators=_TEXT,
    ),
    st.builds(do.SetAttributes, attributes=st.dictionaries(_TEXT, _TEXT, max_size=3)),
    st.builds(do.CheckCalendar, calendar=_TEXT),
    st.builds(
        do.Connect,
        target=_TARGET,
        ring_timeout_s=_COUNT,
        ringback=_MEDIA,
        announcement=_MEDIA,
        caller_id=st.none() | _TEXT,
        record=st.none() | st.booleans(),
    ),
    st.builds(do.Record, action=st.sampled_from(["start", "stop", "pause", "resume", "mask", "unmask"])),
    st.builds(do.EnterFlow, flow=_TEXT, version=st.none() | _TEXT),
    st.builds(do.Hangup, cause=_TEXT, reason=_TEXT),
)
RESULTS = st.one_of(
    st.builds(got.Done),
    st.builds(got.Refused, reason=_TEXT),
    st.builds(got.Played, key=st.none() | _TEXT),
    st.builds(got.PlayFailed, reason=_TEXT),
    st.builds(got.Collected, digits=_TEXT, terminator=st.none() | _TEXT),
    st.builds(got.CalendarState, state=st.sampled_from(["open", "closed", "holiday"])),
    st.builds(got.Conversation, talk_ms=_COUNT, ended_by=st.sampled_from(["agent", "system"]), cause=_TEXT),
    st.builds(
        got.NotConnected,
        why=st.sampled_from(["busy", "no_answer", "rejected", "not_ready", "failed"]),
        cause=_TEXT,
    ),
    st.builds(got.FlowEntered, version=_TEXT),
)


@settings(max_examples=60, deadline=None)
@given(INSTRUCTIONS)
def test_an_instruction_survives_the_journal(instruction: do.Instruction) -> None:
    line = json.dumps(codec.dump_instruction(instruction))
    assert codec.load_instruction(json.loads(line)) == instruction


@settings(max_examples=60, deadline=None)
@given(RESULTS)
def test_a_result_survives_the_journal(result: got.Result) -> None:
    line = json.dumps(codec.dump_result(result))
    assert codec.load_result(json.loads(line)) == result


def test_a_node_entered_survives_the_journal() -> None:
    entered = do.NodeEntered(flow="main", version="0011", node="menu", exit="next")
    assert codec.load_entered(json.loads(json.dumps(codec.dump_entered(entered)))) == entered


def test_a_field_that_an_older_engine_did_not_write_takes_its_default() -> None:
    assert codec.load_instruction({"op": "hangup"}) == do.Hangup()


@pytest.mark.parametrize("data", [{}, {"op": "shout"}, {"op": "play"}, {"op": "play", "media": [{"kind": "song"}]}])
def test_what_is_no_instruction_is_refused(data: codec.JsonObject) -> None:
    with pytest.raises(ValidationError):
        codec.load_instruction(data)
