"""`callwright flow draw`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from callwright.flow.documents import client, find, remote
from callwright.flow.versions import refusals

if TYPE_CHECKING:
    from callwright.flow.picture import Direction

FORMATS = (".svg", ".png", ".dot")


@click.command(
    epilog="""\b
Examples:
  callwright flow draw main.json -o main.svg
  callwright flow draw main@active -o main.png
"""
)
@click.argument("what", metavar="FLOW")
@click.option("-o", "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help=".svg, .png or .dot")
@click.option("--direction", type=click.Choice(["auto", "down", "right"]), default="auto", show_default=True,
              help="Which way the picture runs.")  # fmt: skip
@remote
@click.pass_context
def draw(context: click.Context, what: str, out: Path, direction: Direction, api: str | None, key: str | None) -> None:
    """Draw a flow: a file, FLOW@VERSION or FLOW@active. What a check finds is marked in red and told above the picture.

    The nodes are laid out anew; where the editor draws them doesn't matter. A flow that Graphviz hasn't laid out in
    30 s can still be had as .dot, which is no picture yet but what other programs lay out. Needs Graphviz, which comes
    with `pip install 'callwright[draw]'`.
    """
    if out.suffix not in FORMATS:
        raise click.UsageError(f"-o: the file must end in one of {', '.join(FORMATS)}, not '{out.suffix}'")
    with refusals():
        document = find(what, lambda: client(context, api, key))
    from callwright.flow import picture

    try:
        content = picture.render(picture.draw(document), out.suffix.removeprefix("."), direction)
    except picture.DrawingFailed as error:
        raise click.ClickException(str(error)) from None
    try:
        out.write_bytes(content)
    except OSError as error:
        raise click.ClickException(f"{out} can't be written: {error.strerror}") from None
