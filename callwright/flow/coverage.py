"""`callwright flow coverage`: which exits real calls took."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from callwright.flow.documents import client, read_document, remote
from callwright.flow.versions import refusals


@dataclass(frozen=True, slots=True)
class ExitTaken:
    """An exit, where it leads, and how often calls took it."""

    exit: str
    target: str
    taken: int


@dataclass(frozen=True, slots=True)
class NodeVisited:
    """A node, how often calls came to it, how many of them ended there, and its exits."""

    node: str
    visits: int
    ended: int
    exits: tuple[ExitTaken, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What so many calls, which came through the flow at this version, did in it."""

    flow: str
    version: str
    calls: int
    nodes: tuple[NodeVisited, ...]

    @property
    def never(self) -> tuple[str, ...]:
        """The exits that no call took, as `node.exit`."""
        return tuple(f"{node.node}.{each.exit}" for node in self.nodes for each in node.exits if not each.taken)


def count(document: Mapping[str, Any], calls: Iterable[Mapping[str, Any]], any_version: bool = False) -> Coverage:
    """The coverage of a flow by calls as the API lists them. `any_version`: visits of other versions count too."""
    from ivr_flows import document as documents

    version = documents.version(document)
    visits: Counter[str] = Counter()
    taken: Counter[tuple[str, str | None]] = Counter()
    through = 0
    for call in calls:
        here = [
            visit
            for visit in call["path"]
            if visit["flow"] == document["id"] and (any_version or visit["version"] == version)
        ]
        through += bool(here)
        for visit in here:
            visits[visit["node"]] += 1
            taken[visit["node"], visit["exit"]] += 1
    nodes = tuple(
        NodeVisited(
            name,
            visits[name],
            taken[name, None],
            tuple(ExitTaken(exit_name, to, taken[name, exit_name]) for exit_name, to in node.get("exits", {}).items()),
        )
        for name, node in document["nodes"].items()
    )
    return Coverage(document["id"], version, through, nodes)


@click.command(
    epilog="""\b
Examples:
  callwright flow coverage main.json --from-calls
  callwright flow coverage main.json --from-calls --since 2026-11-01T00:00:00Z --any-version
"""
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--from-calls", is_flag=True, required=True, help="Count in the calls that the system has recorded.")
@click.option("--since", help="Only calls that began at or after this moment, like 2026-11-01T00:00:00Z.")
@click.option("--most", default=10_000, show_default=True, type=click.IntRange(1), help="How many calls, newest first.")
@click.option("--any-version", is_flag=True, help="Count nodes of the same name in other versions too.")
@click.option("--json", "as_json", is_flag=True, help="For machines: one JSON object.")
@remote
@click.pass_context
def coverage(
    context: click.Context,
    file: Path,
    from_calls: bool,
    since: str | None,
    most: int,
    any_version: bool,
    as_json: bool,
    api: str | None,
    key: str | None,
) -> None:
    """Show which exits of the flow in FILE real calls took, and which none did."""
    import ivr_flows

    document = read_document(file)
    try:
        ivr_flows.load_stored(document)
    except ivr_flows.FlowInvalid as invalid:
        raise click.UsageError(f"{file}: {invalid.findings[0]}") from None
    with refusals():
        calls = client(context, api, key).calls(most, **({"from": since} if since else {}))
        found = count(document, calls, any_version)
    click.echo(_as_json(found) if as_json else _as_text(found, any_version))


def _as_json(found: Coverage) -> str:
    nodes = [
        {
            "node": node.node,
            "visits": node.visits,
            "ended": node.ended,
            "exits": [{"exit": each.exit, "target": each.target, "taken": each.taken} for each in node.exits],
        }
        for node in found.nodes
    ]
    content = {"flow": found.flow, "version": found.version, "calls": found.calls, "nodes": nodes}
    return json.dumps({**content, "never": list(found.never)}, ensure_ascii=False)


def _as_text(found: Coverage, any_version: bool) -> str:
    version = "any version" if any_version else f"version {found.version}"
    lines = [f"{found.flow}, {version}: {found.calls} calls"]
    if not found.calls:
        return f"{lines[0]} came through it; upload and activate it, or count others with --any-version"
    for node in found.nodes:
        lines.append(f"{node.node:<44} {node.visits:>7}")
        for each in node.exits:
            taken = f"{each.taken:>7}" if each.taken else click.style("  never", fg="red")
            lines.append(f"    {f'{each.exit} -> {each.target}':<40} {taken}")
        if node.ended and node.exits:
            lines.append(f"    {'(the call ended here)':<40} {node.ended:>7}")
    exits = sum(len(node.exits) for node in found.nodes)
    lines.append(f"{exits - len(found.never)} of {exits} exits were taken")
    return "\n".join(lines)
