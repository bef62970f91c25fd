"""Types of expressions, known at upload: a mistake that would only give an odd value on a call is an error there."""

from __future__ import annotations

from collections.abc import Callable

from ivr_flows.expressions.errors import ExpressionError
from ivr_flows.expressions.functions import FUNCTIONS, Type
from ivr_flows.expressions.tree import Apply, Binary, Choice, Constant, Name, Negate, Tree

CALL_NAMES: dict[str, Type] = {
    "call.did": "string",
    "call.ani": "string",
    "call.anonymous": "boolean",
    "call.caller_name": "string",
    "call.language": "string",
    "call.started_ms": "number",
}
QUEUE_NAMES: dict[str, Type] = {
    "queue.position": "number",
    "queue.waited_s": "number",
    "queue.wait_low_s": "number",
    "queue.wait_high_s": "number",
}
"""Where a waiting caller stands: for flows of kind queue_wait, which alone are run while somebody waits."""

ARITHMETIC = ("+", "-", "*", "//", "%")
_WORD = {"string": "text", "number": "a number", "boolean": "true or false"}


class UnknownName(ExpressionError):
    """A name that is neither a declared variable nor a fact of the call."""

    def __init__(self, name: str, col: int) -> None:
        super().__init__(col, f"'{name}' isn't known")
        self.name = name


def type_of(tree: Tree, variables: Callable[[str], Type | None]) -> Type:
    """The type of the expression's value. `variables` tells a declared variable's type, None for an unknown one.

    Raises `ExpressionError` where types don't fit, `UnknownName` where a name isn't known.
    """
    match tree:
        case Constant(value=value):
            return "boolean" if isinstance(value, bool) else "number" if isinstance(value, int) else "string"
        case Name(name=name, col=col):
            return _name(name, col, variables)
        case Choice(col=col):
            raise ExpressionError(col, "a list is allowed only to the right of 'in'")
        case Negate(op=op, operand=operand):
            return _negate(op, operand, variables)
        case Apply(function=function, arguments=arguments):
            return _apply(function, arguments, variables)
    return _binary(tree, variables)


def _name(name: str, col: int, variables: Callable[[str], Type | None]) -> Type:
    if name.startswith("call.attributes.") and name.count(".") == 2:
        return "string"
    known = CALL_NAMES.get(name) or QUEUE_NAMES.get(name) or variables(name)
    if known is None and name in FUNCTIONS:
        raise ExpressionError(col, f"'{name}' is a function and needs brackets: {name}(…)")
    if known is None:
        raise UnknownName(name, col)
    return known


def _apply(name: str, arguments: tuple[Tree, ...], variables: Callable[[str], Type | None]) -> Type:
    function = FUNCTIONS[name]
    for argument, wanted in zip(arguments, function.parameters, strict=True):
        given = type_of(argument, variables)
        if wanted not in ("any", given):
            raise ExpressionError(argument.col, f"'{name}' works on {_WORD[wanted]}, not on {_WORD[given]}")
    return function.result


def _negate(op: str, operand: Tree, variables: Callable[[str], Type | None]) -> Type:
    given = type_of(operand, variables)
    if op == "not":
        return "boolean"
    if given != "number":
        raise ExpressionError(operand.col, f"'-' works on numbers, not on {_WORD[given]}; convert with number(…)")
    return "number"


def _binary(tree: Binary, variables: Callable[[str], Type | None]) -> Type:
    left = type_of(tree.left, variables)
    if tree.op == "in":
        return _membership(tree, left, variables)
    right = type_of(tree.right, variables)
    if tree.op in ("and", "or"):
        return "boolean"
    if tree.op == "+" and "string" in (left, right):
        return "string"
    if tree.op in ARITHMETIC:
        if (left, right) != ("number", "number"):
            raise ExpressionError(tree.col, f"'{tree.op}' can't be used on {_WORD[left]} and {_WORD[right]}")
        return "number"
    if left != right:
        raise ExpressionError(
            tree.col,
            f"{_WORD[left]} is compared with {_WORD[right]}, which is never true; convert with number(…) or text(…)",
        )
    if left == "boolean" and tree.op not in ("==", "!="):
        raise ExpressionError(tree.col, f"'{tree.op}' can't be used on true and false")
    return "boolean"


def _membership(tree: Binary, left: Type, variables: Callable[[str], Type | None]) -> Type:
    if not isinstance(tree.right, Choice):
        right = type_of(tree.right, variables)
        if (left, right) != ("string", "string"):
            raise ExpressionError(tree.col, "'in' looks for text in a text, or for a value in a list like [1, 2]")
        return "boolean"
    for item in tree.right.items:
        given = type_of(item, variables)
        if given != left:
            raise ExpressionError(item.col, f"{_WORD[left]} is looked for, but this is {_WORD[given]}")
    return "boolean"
