"""How lists are shown: rows in columns; the commands of a group, whose first sentence click cuts to one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

_NEVER_CUT = 1000

Row = Sequence[str]


def columns(rows: Sequence[Row]) -> Iterator[str]:
    """The rows as lines, each cell as wide as the widest of its column."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


class ListingGroup(click.Group):
    """A group whose commands, and those of the groups below it, are listed with their whole first sentence."""

    group_class = type

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list."""
        rows = [
            (name, command.get_short_help_str(_NEVER_CUT))
            for name in self.list_commands(context)
            if (command := self.get_command(context, name)) is not None and not command.hidden
        ]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)
