"""From the text of an expression to its tree. Recursive descent; the grammar, loosest first:

or    := and ("or" and)*
and   := not ("and" not)*
not   := "not" not | test
test  := sum [("==" | "!=" | "<" | "<=" | ">" | ">=" | ["not"] "in") sum]
sum   := unary (("+" | "-") unary)*
unary := "-" unary | atom
atom  := number | text | "true" | "false" | name | function "(" ... ")" | "(" or ")" | "[" or ("," or)* "]"
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ivr_flows.expressions.tree import Apply, Binary, Choice, Constant, Name, Negate, Tree

MAX_LENGTH = 500
"""Characters in an expression."""
MAX_DEPTH = 20
"""Levels of brackets, functions and prefixes within each other."""
MAX_OPERATORS = 50
"""Operators with two sides. Together with `MAX_DEPTH` it bounds the tree's height, and so the recursion over it."""

ARITY = {"len": 1, "lower": 1, "upper": 1, "startswith": 2, "endswith": 2, "digits": 1, "number": 1, "text": 1}

WORDS = frozenset({"and", "or", "not", "in", "true", "false"})
"""Words of the language, which no variable may be called."""

_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
        (?P<number>[0-9]+)
      | (?P<name>[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*)
      | (?P<text>"(?:[^"\\]|\\["\\])*"|'(?:[^'\\]|\\['\\])*')
      | (?P<sign>==|!=|<=|>=|[-<>+()\[\],])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_TESTS = frozenset({"==", "!=", "<", "<=", ">", ">="})


class ExpressionError(ValueError):
    """The expression can't be understood. The message begins with the column: `col 7: …`."""

    def __init__(self, col: int, message: str) -> None:
        super().__init__(f"col {col}: {message}")
        self.col = col


class Token(NamedTuple):
    kind: str
    text: str
    col: int


def parse(source: str) -> Tree:
    """The tree of an expression. Raises `ExpressionError`."""
    if len(source) > MAX_LENGTH:
        raise ExpressionError(MAX_LENGTH + 1, f"an expression has at most {MAX_LENGTH} characters")
    parser = _Parser(_tokens(source))
    tree = parser.either()
    left_over = parser.next()
    if left_over.kind == "end":
        return tree
    raise ExpressionError(left_over.col, f"'{left_over.text}' isn't expected here")


def _tokens(source: str) -> list[Token]:
    tokens: list[Token] = []
    position = 0
    while not tokens or tokens[-1].kind != "end":
        found = _TOKEN.match(source, position)
        if found is None:
            raise _unreadable(source, position)
        group = str(found.lastgroup)
        token_text = found.group(group)
        kind = "word" if token_text in WORDS else group
        tokens.append(Token(kind, token_text, found.start(group) + 1))
        position = found.end()
    return tokens


def _unreadable(source: str, position: int) -> ExpressionError:
    """What to say of the text that is no token, with the usual slips named."""
    rest = source[position:].lstrip(" \t\r\n")
    col = len(source) - len(rest) + 1
    sign = rest[0]
    if sign in "\"'":
        return ExpressionError(col, f"the text that begins here isn't closed with {sign}")
    if sign == "=":
        return ExpressionError(col, "'=' isn't known; equality is written '=='")
    if sign in "&|!":
        return ExpressionError(col, f"'{sign}' isn't known; write 'and', 'or', 'not'")
    if sign.isascii() and sign.isalpha():
        return ExpressionError(col, f"names are written in small letters, not '{sign}'")
    return ExpressionError(col, f"'{sign}' isn't known here")


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._operators = 0

    def next(self) -> Token:
        return self._tokens[self._at]

    def _take(self, *texts: str) -> Token | None:
        """The next token if it is one of these words or signs, and go on."""
        token = self.next()
        if token.kind not in ("sign", "word") or token.text not in texts:
            return None
        self._at += 1
        return token

    def _join(self, operator: Token, left: Tree, right: Tree) -> Binary:
        self._operators += 1
        if self._operators > MAX_OPERATORS:
            raise ExpressionError(operator.col, f"more than {MAX_OPERATORS} operators; use 'in [...]' or 'set' nodes")
        return Binary(operator.text, left, right, operator.col)

    def _need(self, closing: str, opened: Token) -> None:
        if self._take(closing) is None:
            raise ExpressionError(self.next().col, f"'{closing}' is missing for '{opened.text}' at col {opened.col}")

    def _deeper(self, token: Token) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(token.col, f"more than {MAX_DEPTH} levels within each other")

    def either(self) -> Tree:
        tree = self._both()
        while operator := self._take("or"):
            tree = self._join(operator, tree, self._both())
        return tree

    def _both(self) -> Tree:
        tree = self._not()
        while operator := self._take("and"):
            tree = self._join(operator, tree, self._not())
        return tree

    def _not(self) -> Tree:
        operator = self._take("not")
        if operator is None:
            return self._test()
        self._deeper(operator)
        tree = Negate("not", self._not(), operator.col)
        self._depth -= 1
        return tree

    def _test(self) -> Tree:
        left = self._sum()
        if operator := self._take(*_TESTS):
            tree: Tree = self._join(operator, left, self._sum())
        elif operator := self._take("in"):
            tree = self._join(operator, left, self._sum())
        elif operator := self._take("not"):
            member = self._take("in")
            if member is None:
                raise ExpressionError(self.next().col, "after a value, 'not' must be followed by 'in'")
            tree = Negate("not", self._join(member, left, self._sum()), operator.col)
        else:
            return left
        if second := self._take(*_TESTS, "in"):
            raise ExpressionError(second.col, f"'{second.text}' follows another comparison; join the two with 'and'")
        return tree

    def _sum(self) -> Tree:
        tree = self._unary()
        while operator := self._take("+", "-"):
            tree = self._join(operator, tree, self._unary())
        return tree

    def _unary(self) -> Tree:
        operator = self._take("-")
        if operator is None:
            return self._atom()
        self._deeper(operator)
        tree = Negate("-", self._unary(), operator.col)
        self._depth -= 1
        return tree

    def _atom(self) -> Tree:
        token = self.next()
        self._at += 1
        if token.kind == "number":
            if len(token.text) > 15:
                raise ExpressionError(token.col, "a number has at most 15 digits; write longer ones as text")
            return Constant(int(token.text), token.col)
        if token.kind == "text":
            return Constant(re.sub(r"\\(.)", r"\1", token.text[1:-1]), token.col)
        if token.text in ("true", "false") and token.kind == "word":
            return Constant(token.text == "true", token.col)
        if token.kind == "name":
            return self._call(token) if self.next().text == "(" else Name(token.text, token.col)
        if token.kind == "sign" and token.text in ("(", "["):
            return self._bracket(token)
        if token.kind == "end":
            raise ExpressionError(token.col, "the expression ends where a value is expected")
        raise ExpressionError(token.col, f"a value is expected, not '{token.text}'")

    def _bracket(self, opened: Token) -> Tree:
        self._deeper(opened)
        if opened.text == "(":
            tree = self.either()
            self._need(")", opened)
        else:
            tree = Choice(self._list(), opened.col)
            self._need("]", opened)
        self._depth -= 1
        return tree

    def _list(self) -> tuple[Tree, ...]:
        items = [self.either()]
        while self._take(","):
            items.append(self.either())
        return tuple(items)

    def _call(self, name: Token) -> Apply:
        arity = ARITY.get(name.text)
        if arity is None:
            raise ExpressionError(name.col, f"the function '{name.text}' isn't known; there are {', '.join(ARITY)}")
        opened = self.next()
        self._at += 1
        self._deeper(opened)
        arguments = () if self.next().text == ")" else self._list()
        self._need(")", opened)
        self._depth -= 1
        if len(arguments) != arity:
            raise ExpressionError(
                name.col, f"'{name.text}' takes {arity} argument{'s' * (arity > 1)}, not {len(arguments)}"
            )
        return Apply(name.text, arguments, name.col)
