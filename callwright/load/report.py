"""A load test's results for people: tables, the chart, what was not as it should be."""

from __future__ import annotations

import os
import sys

from rich.console import Console
from rich.table import Table

from callwright.load import chart
from callwright.load.figures import Spread, bins
from callwright.load.results import Results

_SHOWN = 5
"""How many Call-IDs of lost records are shown."""


def show(results: Results) -> None:
    """Print it on standard output."""
    out = Console(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 110)
    out.print(f"[bold]{results.plan.words()}[/], to {results.target}", soft_wrap=True)
    out.print(_calls(results))
    out.print(_times(results))
    _other(results, out)
    first = min((call.began_s for call in results.calls), default=results.until_s)
    pieces = bins(results.calls, results.failed, results.until_s, min(chart.TEXT_BINS, max(10, results.made // 2)))
    for line in chart.terminal(pieces, results.until_s - first):
        out.print(line, markup=False, soft_wrap=True)
    for doubt in results.doubts():
        out.print(f"[yellow]note:[/] {doubt}")
    if results.outcome.interrupted:
        out.print("[yellow]interrupted:[/] these are the calls that were made so far")
    out.print("[green]All calls went well.[/]" if results.ok else "[red]Not all was as it should be.[/]")


def _calls(results: Results) -> Table:
    table = Table("calls", "")
    table.add_row("made", str(results.made))
    table.add_row("successful", str(results.successful))
    table.add_row("failed", str(results.failures), style="red" if results.failures else "")
    for kind, count in results.kinds.items():
        table.add_row(f"  {kind}", str(count))
    rate = results.rate
    table.add_row("new calls a second", "–" if rate is None else f"{rate:.1f}")
    table.add_row("most at once", str(results.peak))
    return table


def _times(results: Results) -> Table:
    table = Table("ms", "p50", "p90", "p95", "p99", "max", "calls")
    times = results.times
    rows = (
        ("INVITE to first response", times.first_response),
        ("INVITE to ringing (18x)", times.ringing),
        ("INVITE to 200 (answer delay)", times.answer),
        ("INVITE to BYE (call length)", times.length),
    )
    for name, spread in rows:
        table.add_row(name, *_cells(spread))
    return table


def _cells(spread: Spread | None) -> list[str]:
    if spread is None:
        return ["–"] * 5 + ["0"]
    values = (spread.p50, spread.p90, spread.p95, spread.p99, spread.max)
    return [*(f"{value:.1f}" for value in values), str(spread.calls)]


def _other(results: Results, out: Console) -> None:
    used = [
        f"{name} " + ("not measured" if value is None else f"{value:.1f} ms")
        for name, value in results.cpu_ms_per_call().items()
    ]
    out.print(f"CPU a call: {', '.join(used)}; SIPp used {results.sipp_cores():.0%} of a core")
    records = results.records
    if records is None:
        return
    words = "one for each answered call" if records.ok else f"{len(records.lost)} lost, {len(records.double)} double"
    out.print(f"call records: {records.found} for {records.expected} answered calls: {words}")
    for name, those in (("no record", records.lost), ("several records", records.double)):
        if those:
            shown = ", ".join(those[:_SHOWN]) + (" …" if len(those) > _SHOWN else "")
            out.print(f"[red]{name}:[/] SIP Call-ID {shown}")
