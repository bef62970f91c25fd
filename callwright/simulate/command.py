"""`callwright simulate`. Everything heavy is imported when it runs."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from callwright.flow.documents import client, remote
from callwright.flow.versions import refusals

if TYPE_CHECKING:
    from callwright.simulate.recorded import Recorded

_USUAL_HOURS = 24.0


@click.command(
    epilog="""\b
Shipped scenarios, by name in place of a file; docs/simulation.md explains all that one may say:
  erlang-c         one queue, nobody gives up: compared with Erlang C
  erlang-a         one queue, callers give up: compared with Erlang A
  overload-10      ten agents, a fifth more calls than they can take
  overload-100     the same with a hundred
  contact-centre   a day of 5 queues and 40 agents: skills, tiers, shifts, breaks

\b
Examples:
  callwright simulate contact-centre
  callwright simulate erlang-a --runs 20 --json
  callwright simulate overload-100 --expected-wait
  callwright simulate --from-calls --since 2026-11-23T07:00:00+01:00 --hours 12 --save day.json
  callwright simulate day.json                 once more, after changes in the file
"""
)
@click.argument("scenario", required=False)
@click.option("--runs", default=10, show_default=True, type=click.IntRange(1, 10_000), help="Days to simulate.")
@click.option("--seed", default=1, show_default=True, type=int, help="The same seed gives the same days.")
@click.option("--expected-wait", is_flag=True, help="Measure the expected wait that callers would be told.")
@click.option("--from-calls", is_flag=True, help="The scenario is what the system has recorded, asked of its API.")
@click.option("--since", help="With --from-calls: the moment of hour 0, like 2026-11-23T07:00:00+01:00.")
@click.option("--hours", type=click.FloatRange(0.01, 744), help="With --from-calls: for how long.  [default: 24]")
@click.option(
    "--save", type=click.Path(dir_okay=False, path_type=Path), help="With --from-calls: keep the scenario in this file."
)
@click.option("--json", "as_json", is_flag=True, help="For machines: one JSON object.")
@remote
@click.pass_context
def simulate(
    context: click.Context,
    scenario: str | None,
    runs: int,
    seed: int,
    expected_wait: bool,
    from_calls: bool,
    since: str | None,
    hours: float | None,
    save: Path | None,
    as_json: bool,
    api: str | None,
    key: str | None,
) -> None:
    """Run the contact centre that SCENARIO describes under a virtual clock, and print what its callers would meet.

    Callers, their patience, handling times and shifts come from the scenario, or from what the system has recorded; who
    gets whom is decided by the same code as in calls. Prints service level, waits, callers who gave up and occupancy,
    with the range that chance leaves open; of records also how it was.
    """
    from callwright.simulate import experiment, table
    from callwright.simulate import scenario as scenarios

    _check(scenario, from_calls, since, any(each is not None for each in (since, hours, save)))
    recorded = None
    try:
        if since is None:
            found = scenarios.load(str(scenario))
        else:
            recorded = _recorded(context, since, hours, api, key)
            found = scenarios.read(_kept(recorded, save), "the records")
    except scenarios.ScenarioInvalid as invalid:
        raise click.UsageError("\n".join(invalid.faults)) from None
    watched = sys.stderr.isatty()

    def progress(done: int) -> None:
        if watched:
            click.echo(f"\r{done} of {runs} runs" if done < runs else "\r\033[K", nl=False, err=True)

    result = experiment.simulate(found, runs, seed, expected_wait=expected_wait, progress=progress)
    click.echo((table.as_json if as_json else table.as_text)(found, result, recorded))


def _check(scenario: str | None, from_calls: bool, since: str | None, of_records: bool) -> None:
    if not from_calls and of_records:
        raise click.UsageError("--since, --hours and --save go with --from-calls")
    if from_calls and scenario is not None:
        raise click.UsageError(
            "--from-calls makes a scenario itself: leave SCENARIO out; --save FILE keeps it, to be changed and run"
        )
    if from_calls and since is None:
        raise click.UsageError("--from-calls needs --since: the moment of hour 0, like 2026-11-23T07:00:00+01:00")
    if not from_calls and scenario is None:
        raise click.UsageError("name a SCENARIO (a file, or a shipped one), or give --from-calls and --since")


def _recorded(context: click.Context, since: str, hours: float | None, api: str | None, key: str | None) -> Recorded:
    """What the API tells of the period, up to now. Notes go to stderr, so that they are in no table and no JSON."""
    from callwright.simulate.recorded import scenario_of
    from callwright.simulate.records import RecordsUnusable, fetch

    try:
        begins = datetime.fromisoformat(since)
    except ValueError:
        raise click.UsageError(f"--since {since!r} is no moment; write it like 2026-11-23T07:00:00+01:00") from None
    if begins.tzinfo is None:
        raise click.UsageError(f"--since {since!r} has no zone; add Z or an offset like +01:00")
    passed_h = (datetime.now(UTC) - begins).total_seconds() / 3600
    if passed_h <= 0:
        raise click.UsageError(f"--since {since!r} is still to come; name the beginning of a time that has been")
    most_h = min(hours or _USUAL_HOURS, passed_h)
    try:
        with refusals():
            recorded = scenario_of(fetch(client(context, api, key), begins, most_h), f"Recorded since {since}")
    except RecordsUnusable as unusable:
        raise click.UsageError(str(unusable)) from None
    for note in recorded.notes:
        click.echo(f"note: {note}", err=True)
    return recorded


def _kept(recorded: Recorded, file: Path | None) -> str:
    """The scenario as its file has it."""
    text = json.dumps(recorded.document, ensure_ascii=False, indent=1)
    if file is not None:
        try:
            file.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise click.UsageError(f"--save {file}: can't be written: {error.strerror}") from None
    return text
