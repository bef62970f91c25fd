"""`callwright flow diff`."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from callwright.flow.documents import client, find, remote
from callwright.flow.versions import refusals

if TYPE_CHECKING:
    from ivr_flows.difference import Change

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


@click.command(
    epilog="""\b
Examples:
  callwright flow diff old.json new.json
  callwright flow diff main@active main.json          what an upload would change for callers
  callwright flow diff main@434a38095c7c5efb main@active
"""
)
@click.argument("before")
@click.argument("after")
@click.option("--json", "as_json", is_flag=True, help="For machines: a JSON array of changes.")
@remote
@click.pass_context
def diff(context: click.Context, before: str, after: str, as_json: bool, api: str | None, key: str | None) -> None:
    """Tell what is different between two flows, node by node.

    BEFORE and AFTER are files, or versions: FLOW@VERSION, FLOW@active. Ends with 0 when the two are the same, 1 when
    they differ, 2 when one can't be read. Where the nodes are drawn doesn't count.
    """
    from ivr_flows.difference import difference
    from ivr_flows.migration import NewerFormat

    with refusals():
        documents = [find(each, lambda: client(context, api, key)) for each in (before, after)]
    try:
        changes = difference(*documents)
    except NewerFormat as newer:
        raise click.UsageError(str(newer)) from None
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(change) for change in changes], ensure_ascii=False))
    else:
        click.echo("\n".join(_lines(changes)) or "the same")
    sys.exit(1 if changes else 0)


def _lines(changes: tuple[Change, ...]) -> list[str]:
    lines = []
    for change in changes:
        sign, colour = _SIGNS[change.what]
        lines.append(click.style(f"{sign} {change.part} {change.name}", fg=colour))
        for field in change.fields:
            if change.what == "changed":
                lines.append(f"    {field.field}: {_shown(field.before)} -> {_shown(field.after)}")
            else:
                lines.append(f"    {field.field}: {_shown(field.after if change.what == 'added' else field.before)}")
    return lines


def _shown(value: Any) -> str:
    if value is None:
        return "(none)"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:199]}…"
