"""What the journal keeps of instructions and results comes back as it was."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from ivr_flows import codec
from ivr_flows import instructions as do
from ivr_flows import results as got
from tests.unit.ivr_flows.strategies import any_of


@settings(max_examples=60, deadline=None)
@given(any_of(do.INSTRUCTIONS))
def test_an_instruction_survives_the_journal(instruction: do.Instruction) -> None:
    line = json.dumps(codec.dump_instruction(instruction))
    assert codec.load_instruction(json.loads(line)) == instruction


@settings(max_examples=60, deadline=None)
@given(any_of(got.RESULTS))
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
