"""From the text of an expression to its tree: the grammar, and what to say of a text that doesn't fit it.

Lark parses (LALR, so in linear time and without recursion); the tree is built from the leaves on, and its size is
counted meanwhile, so that one that is too large is never built up.
"""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken, v_args

from ivr_flows.expressions.errors import ExpressionError
from ivr_flows.expressions.functions import FUNCTIONS
from ivr_flows.expressions.patterns import BadPattern, compiled
from ivr_flows.expressions.tree import Apply, Binary, Choice, Constant, Name, Negate, Tree

MAX_LENGTH = 500
"""Characters in an expression."""
MAX_DEPTH = 20
"""Levels of brackets, functions and prefixes within each other."""
MAX_OPERATORS = 50
"""Operators with two sides. Together with `MAX_DEPTH` it bounds the tree's height, and so the recursion over it."""

WORDS = frozenset({"and", "or", "not", "in", "true", "false"})
"""Words of the language, which no variable may be called."""

_GRAMMAR = r"""
    ?start: _either
    _either: either
    ?either: both | either OR both                          -> binary
    ?both: negation | both AND negation                     -> binary
    ?negation: test | NOT negation                          -> prefix
    ?test: sum
         | sum TEST sum                                     -> binary
         | sum IN sum                                       -> binary
         | sum NOT IN sum                                   -> not_in
    ?sum: product | sum PLUS product                        -> binary
                  | sum MINUS product                       -> binary
    ?product: unary | product TIMES unary                   -> binary
    ?unary: atom | MINUS unary                              -> prefix
    ?atom: NUMBER                                           -> whole
         | TEXT                                             -> text
         | (TRUE | FALSE)                                   -> truth
         | NAME                                             -> name
         | NAME OPEN [items] CLOSE                          -> function
         | OPEN either CLOSE                                -> bracket
         | OPEN_LIST items CLOSE_LIST                       -> choice
    items: either ("," either)*

    OR: "or"
    AND: "and"
    NOT: "not"
    IN: "in"
    TRUE: "true"
    FALSE: "false"
    TEST: "==" | "!=" | "<=" | ">=" | "<" | ">"
    PLUS: "+"
    MINUS: "-"
    TIMES: "*" | "//" | "%"
    OPEN: "("
    CLOSE: ")"
    OPEN_LIST: "["
    CLOSE_LIST: "]"
    NUMBER: /[0-9]+/
    NAME: /[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*/
    TEXT: /"([^"\\]|\\["\\])*"|'([^'\\]|\\['\\])*'/
    BLANK: /[ \t\r\n]+/
    %ignore BLANK
"""
_CLOSING = {"OPEN": "CLOSE", "OPEN_LIST": "CLOSE_LIST"}


def parse(source: str) -> Tree:
    """The tree of an expression. Raises `ExpressionError`."""
    if len(source) > MAX_LENGTH:
        raise ExpressionError(MAX_LENGTH + 1, f"an expression has at most {MAX_LENGTH} characters")
    try:
        part = _parser().parse(source)
    except UnexpectedCharacters as error:
        raise _unreadable(source, error.pos_in_stream or 0) from None
    except UnexpectedToken as error:
        raise _misplaced(source, error) from None
    assert isinstance(part, _Part)
    return part.tree


class _Part(NamedTuple):
    """A piece of the tree, with the levels and operators in it."""

    tree: Tree
    levels: int = 0
    operators: int = 0


@functools.cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", lexer="basic", transformer=_Builder(), maybe_placeholders=False)


@functools.cache
def _lexer() -> Lark:
    """The tokens alone: a parser builds its lexer anew whenever it is asked for them."""
    return Lark(_GRAMMAR, parser=None, lexer="basic")


def _col(token: Token) -> int:
    return int(token.start_pos or 0) + 1


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """The tree's nodes from what the grammar's rules found."""

    def whole(self, token: Token) -> _Part:
        if len(token) > 15:
            raise ExpressionError(_col(token), "a number has at most 15 digits; write longer ones as text")
        return _Part(Constant(int(token), _col(token)))

    def text(self, token: Token) -> _Part:
        return _Part(Constant(re.sub(r"\\(.)", r"\1", token[1:-1]), _col(token)))

    def truth(self, word: Token) -> _Part:
        return _Part(Constant(word == "true", _col(word)))

    def name(self, token: Token) -> _Part:
        return _Part(Name(str(token), _col(token)))

    def prefix(self, sign: Token, operand: _Part) -> _Part:
        return self._deeper(sign, Negate(str(sign), operand.tree, _col(sign)), operand)

    def binary(self, left: _Part, sign: Token, right: _Part) -> _Part:
        operators = left.operators + right.operators + 1
        if operators > MAX_OPERATORS:
            raise ExpressionError(_col(sign), f"more than {MAX_OPERATORS} operators; use 'in [...]' or 'set' nodes")
        tree = Binary(str(sign), left.tree, right.tree, _col(sign))
        return _Part(tree, max(left.levels, right.levels), operators)

    def not_in(self, left: _Part, negation: Token, sign: Token, right: _Part) -> _Part:
        member = self.binary(left, sign, right)
        return member._replace(tree=Negate("not", member.tree, _col(negation)))

    def bracket(self, opened: Token, inner: _Part, closed: Token) -> _Part:
        return self._deeper(opened, inner.tree, inner)

    def items(self, *parts: _Part) -> tuple[_Part, ...]:
        return parts

    def choice(self, opened: Token, items: tuple[_Part, ...], closed: Token) -> _Part:
        return self._deeper(opened, Choice(tuple(each.tree for each in items), _col(opened)), *items)

    def function(self, name: Token, opened: Token, *rest: Any) -> _Part:
        items: tuple[_Part, ...] = rest[0] if len(rest) == 2 else ()
        col = _col(name)
        known = FUNCTIONS.get(name)
        if known is None:
            raise ExpressionError(col, f"the function '{name}' isn't known; there are {', '.join(FUNCTIONS)}")
        wanted = len(known.parameters)
        if len(items) != wanted:
            raise ExpressionError(col, f"'{name}' takes {wanted} argument{'s' * (wanted > 1)}, not {len(items)}")
        arguments = tuple(each.tree for each in items)
        if name == "matches":
            _check_pattern(arguments[1])
        return self._deeper(opened, Apply(str(name), arguments, col), *items)

    def _deeper(self, token: Token, tree: Tree, *inner: _Part) -> _Part:
        levels = max((each.levels for each in inner), default=0) + 1
        if levels > MAX_DEPTH:
            raise ExpressionError(_col(token), f"more than {MAX_DEPTH} levels within each other")
        operators = sum(each.operators for each in inner)
        if operators > MAX_OPERATORS:
            raise ExpressionError(_col(token), f"more than {MAX_OPERATORS} operators; use 'in [...]' or 'set' nodes")
        return _Part(tree, levels, operators)


def _check_pattern(pattern: Tree) -> None:
    """A pattern is part of the flow, never a caller's: it must stand in the expression, and be one."""
    if not isinstance(pattern, Constant) or not isinstance(pattern.value, str):
        raise ExpressionError(pattern.col, "the pattern of 'matches' must be written out as text")
    try:
        compiled(pattern.value)
    except BadPattern as error:
        raise ExpressionError(pattern.col, f"the pattern can't be read: {error}") from None


def _unreadable(source: str, position: int) -> ExpressionError:
    """What to say of the text that is no token, with the usual slips named."""
    col, sign = position + 1, source[position]
    if sign in "\"'":
        return ExpressionError(col, f"the text that begins here isn't closed with {sign}, or has a lone \\ in it")
    if sign == "=":
        return ExpressionError(col, "'=' isn't known; equality is written '=='")
    if sign in "&|!":
        return ExpressionError(col, f"'{sign}' isn't known; write 'and', 'or', 'not'")
    if sign == "/":
        return ExpressionError(col, "'/' isn't known; numbers are whole and divided with '//'")
    if sign.isascii() and sign.isalpha():
        return ExpressionError(col, f"names are written in small letters, not '{sign}'")
    return ExpressionError(col, f"'{sign}' isn't known here" if sign.isprintable() else "a sign that isn't known")


def _misplaced(source: str, error: UnexpectedToken) -> ExpressionError:
    """What to say of a token in the wrong place."""
    token: Token = error.token
    at_end = token.type == "$END"
    col = len(source) + 1 if at_end else _col(token)
    if "NUMBER" in error.expected:
        message = "the expression ends where a value is expected" if at_end else f"a value is expected, not '{token}'"
        return ExpressionError(col, message)
    before = list(_lexer().lex(source[: col - 1]))
    if before and before[-1].type == "NOT":
        return ExpressionError(col, "after a value, 'not' must be followed by 'in'")
    if token.type in ("TEST", "IN"):
        return ExpressionError(col, f"'{token}' follows another comparison; join the two with 'and'")
    opened: list[Token] = []
    for each in before:
        if each.type in _CLOSING:
            opened.append(each)
        elif opened and each.type == _CLOSING[opened[-1].type]:
            opened.pop()
    if opened:
        missing = ")" if opened[-1].type == "OPEN" else "]"
        return ExpressionError(col, f"'{missing}' is missing for '{opened[-1]}' at col {_col(opened[-1])}")
    return ExpressionError(col, f"'{token}' isn't expected here")
