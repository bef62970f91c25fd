"""`callwright why`: what the queues decided for a call, in words; which calls wait."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from callwright.flow.documents import client, remote
from callwright.flow.versions import refusals
from callwright.listing import columns

_LEAVE = {
    "closed": "the queue was closed when he joined, or is not set up",
    "full": "the queue was full when he joined",
    "no_agents": "nobody was logged in to the queue",
    "timeout": "his longest wait was over",
}


@click.command(
    epilog="""\b
Examples:
  callwright why --queue sales                         the calls that wait there, with their ids
  callwright why 6f1c4c1e-0a53-4d8f-9a0e-2f6f1f9b7c11
"""
)
@click.argument("call", required=False)
@click.option("--queue", help="List the calls that wait in this queue, in order.")
@click.option("--json", "as_json", is_flag=True, help="For machines: what the API answers.")
@remote
@click.pass_context
def why(
    context: click.Context, call: str | None, queue: str | None, as_json: bool, api: str | None, key: str | None
) -> None:
    """Explain what the queues decided for CALL: offered to whom and why, and why not to each other agent.

    A call that still waits is explained as it stands at this moment. Decisions are kept for a day; CALL is the id that
    its record has, the switch's channel uuid. The reasons are those of docs/queues.md.
    With --queue in place of CALL: which calls wait there now.
    """
    from callwright.client import path

    if call is None and queue is None:
        raise click.UsageError("a CALL is missing; --queue QUEUE lists the calls that wait, with their ids")
    if call is not None and queue is not None:
        raise click.UsageError("CALL and --queue don't go together: CALL explains one call, --queue lists a queue's")
    way = path("calls", call, "why") if call is not None else path("queues", str(queue), "members")
    with refusals():
        found = client(context, api, key).get(way)
    lines = told(found) if call is not None else line_told(found)
    click.echo(json.dumps(found, ensure_ascii=False) if as_json else "\n".join(lines))


def told(found: Mapping[str, Any]) -> Iterator[str]:
    """The API's answer, line by line."""
    yield f"call {found['call_id']}"
    for decision in found["decisions"]:
        yield ""
        yield f"{decision['at']}  {_decision(decision)}"
        yield from _passed(decision)
    waits = found["waits"]
    yield ""
    if waits is None:
        yield "waits no more"
        return
    yield f"{found['at']}  {_waits(waits)}"
    yield from _passed(waits)


def line_told(found: Mapping[str, Any]) -> Iterator[str]:
    """Who waits in a queue, line by line."""
    if not found["members"]:
        yield f"nobody waits in {found['queue']}"
        return
    rows = [("position", "call", "joined", "waited", "priority", "rings at")]
    for each in found["members"]:
        rung = ", ".join(each["offered"]) or "-"
        span, priority = _span(each["waited_ms"]), f"{each['priority']:g}"
        rows.append((str(each["position"]), each["call_id"], each["joined_at"], span, priority, rung))
    yield from columns(rows)


def _decision(decision: Mapping[str, Any]) -> str:
    offer = decision["offer"]
    if offer is None:
        return f"told to leave ({decision['leave']}): {_LEAVE[decision['leave']]}"
    demands = "" if offer["ring"] == 0 else f", by demands relaxed {_times(offer['ring'])}"
    return (
        f"in {offer['queue']} offered to {', '.join(offer['agents'])} after {_span(offer['waited_ms'])} of waiting"
        f"{demands}: {offer['strategy']}, {offer['score']}"
    )


def _waits(waits: Mapping[str, Any]) -> str:
    place = "which is not set up" if waits["position"] is None else f"position {waits['position']}"
    line = f"waits in {waits['queue']}, {place}, for {_span(waits['waited_ms'])}"
    if waits["offered"]:
        line += f"; rings at {', '.join(waits['offered'])}"
    if waits["next"]:
        line += f"; nothing speaks against {', '.join(waits['next'])}: next decision"
    return line


def _passed(of: Mapping[str, Any]) -> Iterator[str]:
    passed: Sequence[Mapping[str, Any]] = of["passed"]
    width = max((len(each["agent"]) for each in passed), default=0)
    for each in passed:
        yield f"    not {each['agent']:<{width}}  {each['why']:<13}  {each['detail']}"
    if of["more"]:
        yield f"    nor {of['more']} more"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _span(span_ms: int) -> str:
    return f"{span_ms / 1000:.1f} s"
