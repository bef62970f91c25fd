"""What the demo shows when it is over: its calls as tables, and the queue."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from callwright.demo.report import Call
from callwright.why import told

Row = tuple[str, Callable[[Call], str]]


def show(calls: Sequence[Call | None], queue: Mapping[str, Any], failures: Sequence[str]) -> None:
    """To standard output. `calls`: the first three of the main line, the others of the queue."""
    out = Console(highlight=False, width=max(100, Console().width) if sys.stdout.isatty() else 110)
    out.print(_table("What became of the calls", 1, calls[:3], _MAIN_LINE))
    recording = next((call["recording"] for call in calls if call and call["recording"]), None)
    if recording:
        out.print("recording's object:", f"{recording['url']}".partition("?")[0], soft_wrap=True)
        out.print("SHA-256:", recording["sha256"], soft_wrap=True)
    out.print()
    out.print(_table("A queue, its two agents, three callers", 4, calls[3:], _IN_THE_QUEUE))
    for line in _queue_lines(queue):
        out.print(line, markup=False, soft_wrap=True)
    for failure in failures:
        out.print(f"[red]not as it should be:[/] {failure}")
    if not failures:
        out.print("[green]Everything was as it should be.[/]")


def _table(title: str, first: int, calls: Sequence[Call | None], rows: Sequence[Row]) -> Table:
    columns = (f"call {number}" for number in range(first, first + len(calls)))
    table = Table("", *columns, title=title, show_lines=True)
    for name, text in rows:
        table.add_row(name, *("no record" if call is None else text(call) for call in calls))
    return table


def _queue_lines(queue: Mapping[str, Any]) -> list[str]:
    lines = [f"caller 6 heard  {_seconds(each['at_s'])}  {each['name']}" for each in queue["heard"]]
    for agent, events in queue["agents"].items():
        lines.append("")
        lines += [f"{agent:<14}  {each['at'][11:-1]}  {each['what']:<18} {each['state']}" for each in events]
    if queue["why"]:
        lines += ["", f"$ callwright why {queue['why']['call_id']}", *told(queue["why"]), ""]
    return lines


def _path(call: Call) -> str:
    return "\n".join(f"{_seconds(visit['entered_ms'] / 1000)}  {visit['node']}" for visit in call["visits"])


def _in_queue(call: Call) -> str:
    lines = []
    for visit in call["queues"]:
        lines += [
            f"{visit['queue']}: {visit['outcome']}",
            f"joined {visit['joined_at'][11:-1]}",
            f"waited {visit['wait_ms'] / 1000:.2f} s",
            f"offered {visit['offers']} ×, rang {visit['ring_ms'] / 1000:.2f} s",
            f"agent {visit['agent']}",
        ]
    return "\n".join(lines) or "–"


def _waited(call: Call) -> str:
    return f"{call['wait_ms'] / 1000:.2f} s"


def _talked(call: Call) -> str:
    return f"{call['talk_ms'] / 1000:.2f} s" if call["talk_ms"] else "–"


def _recording(call: Call) -> str:
    recording = call["recording"]
    if recording is None:
        return "–"
    return (
        f"{recording['format'].upper()}, {recording['channels']} channels, {recording['sample_rate']} Hz\n"
        f"{recording['duration_s']:.2f} s, {recording['bytes']} bytes"
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:6.2f} s"


_CALLER: Row = ("caller → number", lambda call: f"{call['caller']}\n→ {call['did']}")
_FLOW: Row = ("flow", lambda call: f"{call['flow']} ({call['flow_version']})")
_END: tuple[Row, ...] = (
    ("result", lambda call: f"{call['result']}"),
    ("hung up by", lambda call: f"{call['hung_up_by']} ({call['hangup_cause']})"),
)
_MAIN_LINE: tuple[Row, ...] = (
    *(_CALLER, _FLOW, ("path", _path), *_END),
    *(("waited", _waited), ("talked", _talked), ("recording", _recording)),
)
_IN_THE_QUEUE: tuple[Row, ...] = (
    *(_CALLER, _FLOW, ("path", _path), ("in the queue", _in_queue), *_END),
    *(("talked", _talked), ("recording", _recording)),
)
