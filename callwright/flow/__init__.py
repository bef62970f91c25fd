"""`callwright flow`: flows without a running system, and their versions over the API.

Each command lives in a module of its own and imports what is heavy only when it runs.
"""

from __future__ import annotations

import click

from callwright.flow.checking import check, schema
from callwright.flow.coverage import coverage
from callwright.flow.difference import diff
from callwright.flow.drawing import draw
from callwright.flow.fuzzing import fuzz
from callwright.flow.running import run
from callwright.flow.versions import activate, list_flows, rollback, upload
from callwright.listing import ListingGroup

__all__ = ["flow"]


@click.group(
    cls=ListingGroup,
    epilog="""\b
Examples:
  callwright flow check main.json                 all that an upload would refuse, before the upload
  callwright flow draw main.json -o main.svg      a picture of it
  callwright flow run main.json                   be the caller: press keys, let time pass, hang up
  callwright flow fuzz main.json                  2,000 random callers: crashes, traps, nodes never reached
  callwright flow diff main.json main@active      what the upload would change for callers
  callwright flow upload main.json --activate
  callwright flow coverage main.json --from-calls
""",
)
def flow() -> None:
    """Flows: check, draw, call and compare them; upload, activate and roll back versions."""


for _command in (check, schema, draw, diff, run, fuzz, coverage, list_flows, upload, activate, rollback):
    flow.add_command(_command)
