"""The parsed form of an expression. `col` is the column of the part's first character, from 1."""

from __future__ import annotations

from dataclasses import dataclass

Literal = str | int | bool


@dataclass(frozen=True, slots=True)
class Constant:
    value: Literal
    col: int


@dataclass(frozen=True, slots=True)
class Name:
    """A variable (`problem`) or a fact of the call (`call.ani`)."""

    name: str
    col: int


@dataclass(frozen=True, slots=True)
class Choice:
    """`[a, b, c]`, allowed only on the right of `in`."""

    items: tuple[Tree, ...]
    col: int


@dataclass(frozen=True, slots=True)
class Negate:
    """`not x` or `-x`."""

    op: str
    operand: Tree
    col: int


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands; `col` is the operator's column."""

    op: str
    left: Tree
    right: Tree
    col: int


@dataclass(frozen=True, slots=True)
class Apply:
    """A function of the language applied to its arguments."""

    function: str
    arguments: tuple[Tree, ...]
    col: int


Tree = Constant | Name | Choice | Negate | Binary | Apply


def patterns(tree: Tree) -> tuple[str, ...]:
    """All regular expressions in it, one that stands twice twice."""
    match tree:
        case Apply(function="matches", arguments=(looked_at, Constant(value=str(pattern)))):
            return (*patterns(looked_at), pattern)
        case Choice(items=parts) | Apply(arguments=parts):
            return tuple(each for part in parts for each in patterns(part))
        case Negate(operand=operand):
            return patterns(operand)
        case Binary(left=left, right=right):
            return (*patterns(left), *patterns(right))
    return ()


def names(tree: Tree) -> frozenset[str]:
    """All names that the expression reads."""
    match tree:
        case Name(name=name):
            return frozenset({name})
        case Choice(items=parts) | Apply(arguments=parts):
            return frozenset().union(*(names(part) for part in parts))
        case Negate(operand=operand):
            return names(operand)
        case Binary(left=left, right=right):
            return names(left) | names(right)
    return frozenset()
