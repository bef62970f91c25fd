"""The commands under `callwright bench`. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from callwright.bench import CONTROLLERS
from callwright.bench.acd import acd
from callwright.flow.bench import flow
from callwright.flow.benchmark import checks
from callwright.listing import ListingGroup
from callwright.load.bench_command import call, queue


@click.group(cls=ListingGroup)
def bench() -> None:
    """Measure what calls cost on this machine. docs/benchmarks.md says what is measured and how."""


@bench.command(
    epilog="""\b
Exit codes: 0 every goal measured and met, 1 calls failed or a goal missed, 3 a goal not measured (a controller was
left out, by --only too).

\b
Examples:
  callwright bench esl                              some five minutes
  callwright bench esl --json > esl.json
  callwright bench esl --calls 50 --rounds 1 --waiting 100
"""
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON in place of the table.")
@click.option("--calls", default=400, show_default=True, type=click.IntRange(1), help="Calls of a round.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 99), help="Rounds; medians count.")
@click.option("--rate", default=40.0, show_default=True, type=click.FloatRange(0.1, 1000), help="Calls begun a second.")
@click.option("--waiting", default=1000, show_default=True, type=click.IntRange(1), help="Calls that wait at once.")
@click.option(
    "--burst", default=1000, show_default=True, type=click.IntRange(1), help="Events on each call of a burst."
)
@click.option(
    "--only", multiple=True, type=click.Choice(CONTROLLERS), help="Measure only this controller; may be repeated."
)
@click.option(
    "--cache-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Where the environment for Genesis is kept.  [default: callwright below XDG_CACHE_HOME or ~/.cache]",
)
def esl(
    as_json: bool,
    calls: int,
    rounds: int,
    rate: float,
    waiting: int,
    burst: int,
    only: tuple[str, ...],
    cache_dir: Path | None,
) -> None:
    """Compare our whole engine with bare greenswitch and Genesis: CPU a call, events a second, memory a waiting call.

    Real FreeSWITCH frames are played to each of them over TCP, turn by turn. Our engine does all its work meanwhile,
    journal in Redis and call record in PostgreSQL included; the others only send the switch's commands. Genesis gets
    an environment of its own on the first run, made by pip.
    """
    from callwright.bench.environment import user_cache
    from callwright.bench.esl import Plan, run

    plan = Plan(only or CONTROLLERS, calls, rounds, rate, waiting, burst)
    sys.exit(run(plan, cache_dir or user_cache(), as_json=as_json))


bench.add_command(acd)
bench.add_command(call)
bench.add_command(queue)
bench.add_command(flow)
bench.add_command(checks)
