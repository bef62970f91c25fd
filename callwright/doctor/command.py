"""The command `callwright doctor`. What it runs is imported when it runs."""

from __future__ import annotations

import sys

import click

AREAS = (
    *("machine", "configuration", "disk", "speech", "ports", "database", "redis", "storage"),
    *("clocks", "processes", "switch"),
)


@click.command(
    epilog="""\b
Examples:
  callwright doctor                      this machine, and what callwright.toml names
  callwright --config .callwright/run/callwright.toml doctor
                                         the system that `callwright up` runs
  callwright doctor --only switch --only clocks
  callwright doctor --json               for monitoring
"""
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(AREAS),
    metavar="AREA",
    help=f"This area alone; may be given several times. One of {', '.join(AREAS)}.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def doctor(context: click.Context, only: tuple[str, ...], as_json: bool) -> None:
    """Examine this machine and the configured system, and say what to do about what is found.

    Run it as the user who runs the engine, on each machine: what a user may read, write and reach differs. It changes
    nothing; what it writes to try a right (a file, a key, an object, each named callwright-doctor) it removes.

    Exit code 0 when nothing is to be mended, 1 when something is, 78 for a wrong configuration.
    """
    from callwright.doctor.report import run

    sys.exit(run(context.obj, as_json=as_json, only=only))
