"""`callwright bench acd`: what an event costs the matcher of members and agents, in centres of different sizes."""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import click

SIZES = (100, 1_000, 10_000)
COSTLY_EVENTS = 300
"""Of each kind that costs more."""
GOAL_MS = 2.0
"""An event at the 99th percentile, in the largest of `SIZES`."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A centre. An event is what is reported to the matcher and the decision after it."""

    agents: int
    members: int
    queues: int
    decisions_per_s: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Costly:
    """A kind of event that concerns more than most."""

    event: str
    p50_ms: float
    p99_ms: float


@click.command(
    epilog="""\b
Exit codes: 0 the goal measured and met, 1 missed, 3 not measured (10,000 agents were left out by --agents).

\b
Examples:
  callwright bench acd
  callwright bench acd --json > acd.json
  callwright bench acd --agents 10000 --events 100000 --seed 7
"""
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON in place of the table.")
@click.option(
    "--agents", multiple=True, type=click.IntRange(2, 100_000), default=SIZES, show_default=True,
    help="A centre with so many agents; may be repeated.",
)  # fmt: skip
@click.option("--events", default=20_000, show_default=True, type=click.IntRange(100), help="Events in each centre.")
@click.option("--seed", default=1, show_default=True, type=int, help="The same seed gives the same events.")
def acd(as_json: bool, agents: Sequence[int], events: int, seed: int) -> None:
    """Measure the matcher: time of an event, from its report to the decision, in three centres.

    For each 20 agents there are ten callers who wait and one queue, of every strategy but ring_all, with skills that
    relax, tier levels and priorities. Before that, events that concern more than most, outside the goal: ring_all, an
    agent of hundreds of queues, a thousand different demands. Nothing is rung and nothing stored: the matcher alone, on
    one core.
    """
    results = [measure(size, events, seed) for size in agents]
    costly = measure_costly()
    at_goal = next((each.p99_ms for each in results if each.agents == SIZES[-1]), None)
    if as_json:
        met = None if at_goal is None else at_goal < GOAL_MS
        content = [dataclasses.asdict(each) for each in results]
        more = [dataclasses.asdict(each) for each in costly]
        click.echo(json.dumps({"results": content, "goal_p99_ms": GOAL_MS, "ok": met, "costly": more}))
    else:
        for line in (*costly_lines(costly), "", *lines(results, at_goal)):
            click.echo(line)
    if at_goal is None:
        sys.exit(3)
    sys.exit(0 if at_goal < GOAL_MS else 1)


def measure(agents: int, events: int, seed: int) -> Measured:
    """So many events in a centre of this size, after a tenth of them that are not counted."""
    from callwright.bench.acd_stream import Stream

    stream = Stream(agents, seed)
    coming = stream.events()
    event = next(coming)
    took_ns: list[int] = []
    for _ in range(events // 10 + events):
        began_ns = time.perf_counter_ns()
        offers = event()
        took_ns.append(time.perf_counter_ns() - began_ns)
        event = coming.send(offers)
    counted = took_ns[events // 10 :]
    hundredths = statistics.quantiles(counted, n=100)
    return Measured(
        agents=agents,
        members=stream.members,
        queues=stream.queues,
        decisions_per_s=round(len(counted) / (sum(counted) / 1e9)),
        p50_ms=round(hundredths[49] / 1e6, 4),
        p99_ms=round(hundredths[98] / 1e6, 4),
    )


def measure_costly() -> list[Costly]:
    """Each kind of event that costs more, after a tenth of them that are not counted."""
    from callwright.bench.acd_costly import kinds

    found = []
    for name, (event, again) in kinds():
        took_ns: list[int] = []
        for _ in range(COSTLY_EVENTS // 10 + COSTLY_EVENTS):
            began_ns = time.perf_counter_ns()
            event()
            took_ns.append(time.perf_counter_ns() - began_ns)
            again()
        hundredths = statistics.quantiles(took_ns[COSTLY_EVENTS // 10 :], n=100)
        found.append(Costly(name, round(hundredths[49] / 1e6, 4), round(hundredths[98] / 1e6, 4)))
    return found


def costly_lines(costly: Sequence[Costly]) -> list[str]:
    """Their table."""
    wide = max(len(each.event) for each in costly)
    head = f"{'what costs more':<{wide}}{'p50 ms':>9}{'p99 ms':>9}"
    return [head, *(f"{each.event:<{wide}}{each.p50_ms:>9.3f}{each.p99_ms:>9.3f}" for each in costly)]


def lines(results: Sequence[Measured], at_goal: float | None) -> list[str]:
    """The table, and whether the goal is met."""
    table = [f"{'agents':>8}{'members':>9}{'queues':>8}{'decisions/s':>13}{'p50 ms':>9}{'p99 ms':>9}"]
    table += [
        f"{each.agents:>8,}{each.members:>9,}{each.queues:>8,}{each.decisions_per_s:>13,.0f}"
        f"{each.p50_ms:>9.3f}{each.p99_ms:>9.3f}"
        for each in results
    ]
    if at_goal is None:
        judged = "not measured"
    else:
        judged = click.style("met", fg="green") if at_goal < GOAL_MS else click.style("missed", fg="red")
    return [*table, f"goal under {GOAL_MS:g} ms for 99 of 100 events with {SIZES[-1]:,} agents: {judged}"]
