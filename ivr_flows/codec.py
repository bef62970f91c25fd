"""Instructions, results and nodes entered as JSON objects and back, for the journal.

What is dumped here by one version of the engine is loaded by the next one: a field that is added to an instruction or a
result needs a default. Loading raises `pydantic.ValidationError` when the object is not one of ours.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from ivr_flows.instructions import Instruction, NodeEntered
from ivr_flows.results import Result

JsonObject = dict[str, Any]

_INSTRUCTION: TypeAdapter[Instruction] = TypeAdapter(Instruction)
_RESULT: TypeAdapter[Result] = TypeAdapter(Result)
_ENTERED: TypeAdapter[NodeEntered] = TypeAdapter(NodeEntered)


def dump_instruction(instruction: Instruction) -> JsonObject:
    """The instruction as an object that `json.dumps` takes."""
    return _object(_INSTRUCTION.dump_python(instruction, mode="json"))


def load_instruction(data: JsonObject) -> Instruction:
    """The instruction that `dump_instruction` wrote; equal to the one that it was given."""
    return _INSTRUCTION.validate_python(data)


def dump_result(result: Result) -> JsonObject:
    """The result as an object that `json.dumps` takes."""
    return _object(_RESULT.dump_python(result, mode="json"))


def load_result(data: JsonObject) -> Result:
    """The result that `dump_result` wrote; equal to the one that it was given."""
    return _RESULT.validate_python(data)


def dump_entered(entered: NodeEntered) -> JsonObject:
    """The node entered as an object that `json.dumps` takes."""
    return _object(_ENTERED.dump_python(entered, mode="json"))


def load_entered(data: JsonObject) -> NodeEntered:
    """The node entered that `dump_entered` wrote."""
    return _ENTERED.validate_python(data)


def _object(dumped: Any) -> JsonObject:
    if not isinstance(dumped, dict):
        raise TypeError(f"an object was expected, not {type(dumped).__name__}")
    return dumped
