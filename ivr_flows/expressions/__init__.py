"""The expression language of flows: small, total, free of side effects. See docs/flows.md for the language.

An expression is parsed and its types are checked at upload, where mistakes are reported with their column; at call time
it can neither fail nor run long: it has no loops, its size is limited, and every operation is defined for all values.
"""

from __future__ import annotations

from ivr_flows.expressions.errors import ExpressionError
from ivr_flows.expressions.expression import Expression
from ivr_flows.expressions.functions import Type
from ivr_flows.expressions.patterns import MAX_NODE_SIZE
from ivr_flows.expressions.syntax import WORDS
from ivr_flows.expressions.types import CALL_NAMES, QUEUE_NAMES, UnknownName, type_of
from ivr_flows.expressions.values import NUMBER_LIMIT, TEXT_LENGTH, TO_TYPE, Value, number, number_in, text

__all__ = [
    "CALL_NAMES",
    "MAX_NODE_SIZE",
    "NUMBER_LIMIT",
    "QUEUE_NAMES",
    "TEXT_LENGTH",
    "TO_TYPE",
    "WORDS",
    "Expression",
    "ExpressionError",
    "Type",
    "UnknownName",
    "Value",
    "number",
    "number_in",
    "text",
    "type_of",
]
