"""`callwright simulate`. Everything heavy is imported when it runs."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from callwright.flow.documents import client, remote
from callwright.flow.versions import refusals

if TYPE_CHECKING:
    from callwright.simulate.callers import RecordedQueue
    from callwright.simulate.scenario import Scenario

MOST_CALLS = 200_000


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
  callwright simulate day.json --from-calls --since 2026-11-23T07:00:00+01:00
"""
)
@click.argument("scenario")
@click.option("--runs", default=10, show_default=True, type=click.IntRange(1, 10_000), help="Days to simulate.")
@click.option("--seed", default=1, show_default=True, type=int, help="The same seed gives the same days.")
@click.option("--expected-wait", is_flag=True, help="Measure the expected wait that callers would be told.")
@click.option("--from-calls", is_flag=True, help="Take the callers from the calls that the system has recorded.")
@click.option("--since", help="With --from-calls: the moment of hour 0, like 2026-11-23T07:00:00+01:00.")
@click.option("--json", "as_json", is_flag=True, help="For machines: one JSON object.")
@remote
@click.pass_context
def simulate(
    context: click.Context,
    scenario: str,
    runs: int,
    seed: int,
    expected_wait: bool,
    from_calls: bool,
    since: str | None,
    as_json: bool,
    api: str | None,
    key: str | None,
) -> None:
    """Run the contact centre that SCENARIO describes under a virtual clock, and print what its callers would meet.

    Callers, their patience, handling times and shifts come from the scenario; who gets whom is decided by the same code
    as in calls. Prints service level, waits, callers who gave up and occupancy, with the range that chance leaves open.
    """
    from callwright.simulate import experiment, table
    from callwright.simulate.scenario import ScenarioInvalid, load

    if from_calls != (since is not None):
        raise click.UsageError("--from-calls and --since go together: since when calls are taken is hour 0")
    try:
        found = load(scenario)
    except ScenarioInvalid as invalid:
        raise click.UsageError("\n".join(invalid.faults)) from None
    recorded = None
    if since is not None:
        recorded = _recorded(context, found, since, api, key)
    watched = sys.stderr.isatty()

    def progress(done: int) -> None:
        if watched:
            click.echo(f"\r{done} of {runs} runs" if done < runs else "\r\033[K", nl=False, err=True)

    result = experiment.simulate(found, runs, seed, expected_wait=expected_wait, recorded=recorded, progress=progress)
    click.echo(table.as_json(found, result) if as_json else table.as_text(found, result))


def _recorded(
    context: click.Context, scenario: Scenario, since: str, api: str | None, key: str | None
) -> dict[str, RecordedQueue]:
    from callwright.simulate.recorded import learn

    if all(queue.recorded is None for queue in scenario.queues):
        raise click.UsageError('no queue says where the records have it: give one "recorded": {"flow": .., "node": ..}')
    try:
        begins = datetime.fromisoformat(since)
    except ValueError:
        raise click.UsageError(f"--since {since!r} is no moment; write it like 2026-11-23T07:00:00+01:00") from None
    if begins.tzinfo is None:
        raise click.UsageError(f"--since {since!r} has no zone; add Z or an offset like +01:00")
    ends = begins + timedelta(hours=scenario.hours)
    with refusals():
        period = {"from": begins.isoformat(), "to": ends.isoformat()}
        calls = list(client(context, api, key).calls(MOST_CALLS + 1, **period))
    if len(calls) > MOST_CALLS:
        raise click.UsageError(f"more than {MOST_CALLS} calls in {scenario.hours:g} h; make the scenario's hours fewer")
    learnt = learn(scenario, calls, begins)
    for queue, found in learnt.items():
        if not found.arrivals_ms:
            none = f"none of the {len(calls)} calls since {since} came to its node"
            raise click.UsageError(f"queue {queue}: {none}; check flow, node and --since")
    return learnt
