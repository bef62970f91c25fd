"""An expression as a field of a node: its text, and the tree that it was parsed to."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from ivr_flows.expressions import values
from ivr_flows.expressions.errors import ExpressionError
from ivr_flows.expressions.functions import FUNCTIONS
from ivr_flows.expressions.patterns import size
from ivr_flows.expressions.syntax import MAX_LENGTH, parse
from ivr_flows.expressions.tree import Apply, Binary, Choice, Constant, Name, Negate, Tree, names, patterns
from ivr_flows.expressions.values import Value

LookUp = Callable[[str], Value | None]
Run = Callable[[LookUp], Value]


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression. Two are equal when their text is."""

    source: str
    tree: Tree = field(compare=False, repr=False)
    _run: Run = field(compare=False, repr=False)

    @classmethod
    def parse(cls, source: str) -> Expression:
        """Raises `ExpressionError` with the column where the text can't be understood."""
        outcome = _outcome(source)
        if isinstance(outcome, ExpressionError):
            raise outcome.with_traceback(None)
        return outcome

    @property
    def names(self) -> frozenset[str]:
        """The variables and facts of the call that it reads."""
        return names(self.tree)

    @property
    def pattern_size(self) -> int:
        """What the regular expressions in it cost: the instructions that they are compiled to."""
        return sum(size(each) for each in patterns(self.tree))

    def evaluate(self, look_up: LookUp) -> Value:
        """What it comes to. Never raises; a name for which `look_up` gives None counts as the empty text."""
        return self._run(look_up)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(_field, core_schema.str_schema(max_length=MAX_LENGTH))

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH, "format": "callwright-expression"}


def _field(source: str) -> Expression:
    """For the validator, whose message stands by itself: it shows the place."""
    try:
        return Expression.parse(source)
    except ExpressionError as error:
        raise ValueError(error.pointed(source)) from None


@functools.lru_cache(maxsize=4096)
def _outcome(source: str) -> Expression | ExpressionError:
    """The expression, or what is wrong with it; the same text stands in many places, right or wrong."""
    try:
        tree = parse(source)
    except ExpressionError as error:
        return error
    return Expression(source, tree, _runner(tree))


def _runner(tree: Tree) -> Run:
    """The tree as a function, so that a call doesn't walk it again."""
    match tree:
        case Constant(value=value):
            return lambda look_up: value
        case Name(name=name):
            return lambda look_up: values.bounded(look_up(name))
        case Choice():
            return lambda look_up: False
        case Negate(op="not", operand=operand):
            run = _runner(operand)
            return lambda look_up: not values.truth(run(look_up))
        case Negate(operand=operand):
            run = _runner(operand)
            return lambda look_up: values.minus(0, run(look_up))
        case Apply(function=function, arguments=arguments):
            apply, runs = FUNCTIONS[function].run, [_runner(argument) for argument in arguments]
            return lambda look_up: apply(*[run(look_up) for run in runs])
    return _binary(tree)


def _binary(tree: Binary) -> Run:
    left = _runner(tree.left)
    if tree.op == "in" and isinstance(tree.right, Choice):
        items = [_runner(item) for item in tree.right.items]

        def among(look_up: LookUp) -> Value:
            wanted = left(look_up)
            return any(values.equal(wanted, item(look_up)) for item in items)

        return among
    right = _runner(tree.right)
    if tree.op == "and":
        return lambda look_up: values.truth(left(look_up)) and values.truth(right(look_up))
    if tree.op == "or":
        return lambda look_up: values.truth(left(look_up)) or values.truth(right(look_up))
    operation = values.BINARY[tree.op]
    return lambda look_up: operation(left(look_up), right(look_up))
