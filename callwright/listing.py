"""How a group lists its commands: click cuts each first sentence to one line, here it is told to its end."""

from __future__ import annotations

import click

_NEVER_CUT = 1000


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
