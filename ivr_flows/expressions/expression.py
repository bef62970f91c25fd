"""An expression as a field of a node: its text, and the tree that it was parsed to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from ivr_flows.expressions import values
from ivr_flows.expressions.syntax import MAX_LENGTH, parse
from ivr_flows.expressions.tree import Apply, Binary, Choice, Constant, Name, Negate, Tree, names
from ivr_flows.expressions.values import Value

LookUp = Callable[[str], Value | None]


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression. Two are equal when their text is."""

    source: str
    tree: Tree = field(compare=False, repr=False)

    @classmethod
    def parse(cls, source: str) -> Expression:
        """Raises `ExpressionError` with the column where the text can't be understood."""
        return cls(source, parse(source))

    @property
    def names(self) -> frozenset[str]:
        """The variables and facts of the call that it reads."""
        return names(self.tree)

    def evaluate(self, look_up: LookUp) -> Value:
        """What it comes to. Never raises; a name for which `look_up` gives None counts as the empty text."""
        return _evaluate(self.tree, look_up)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls.parse, core_schema.str_schema(max_length=MAX_LENGTH))

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH, "format": "callwright-expression"}


def _evaluate(tree: Tree, look_up: LookUp) -> Value:
    match tree:
        case Constant(value=value):
            return value
        case Name(name=name):
            return values.bounded(look_up(name))
        case Choice():
            return False
        case Negate(op="not", operand=operand):
            return not values.truth(_evaluate(operand, look_up))
        case Negate(operand=operand):
            return values.minus(0, _evaluate(operand, look_up))
        case Apply(function=function, arguments=arguments):
            return values.FUNCTIONS[function](*(_evaluate(argument, look_up) for argument in arguments))
    return _binary(tree, look_up)


def _binary(tree: Binary, look_up: LookUp) -> Value:
    left = _evaluate(tree.left, look_up)
    if tree.op == "and":
        return values.truth(left) and values.truth(_evaluate(tree.right, look_up))
    if tree.op == "or":
        return values.truth(left) or values.truth(_evaluate(tree.right, look_up))
    if tree.op == "in" and isinstance(tree.right, Choice):
        return any(values.equal(left, _evaluate(item, look_up)) for item in tree.right.items)
    return values.BINARY[tree.op](left, _evaluate(tree.right, look_up))
