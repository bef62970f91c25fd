"""What is wrong with an expression, and where."""

from __future__ import annotations


class ExpressionError(ValueError):
    """The expression can't be understood, or its parts don't fit. The message begins with the column: `col 7: …`."""

    def __init__(self, col: int, message: str) -> None:
        super().__init__(f"col {col}: {message}")
        self.col = col
        """Where, in characters from the beginning of the expression, from 1."""
        self.message = message

    def pointed(self, source: str) -> str:
        """The message, and below it the line of the expression with a caret under the place.

        An expression of several lines is told with `line 2, col 7`.
        """
        before, _, _ = source[: self.col - 1].rpartition("\n")
        number = source[: self.col - 1].count("\n") + 1
        col = self.col - (len(before) + 1 if number > 1 else 0)
        line = source.split("\n")[number - 1]
        first = max(0, col - 1 - _AROUND)
        shown = "".join(each if each.isprintable() else " " for each in line[first : col - 1 + _AROUND])
        place = f"line {number}, col {col}" if "\n" in source else f"col {col}"
        return f"{place}: {self.message}\n    {shown}\n    {' ' * (col - 1 - first)}^"


_AROUND = 60
"""Characters shown on each side of the place."""
