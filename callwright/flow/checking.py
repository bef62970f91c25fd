"""`callwright flow check` and `schema`."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callwright.flow.documents import UNREADABLE, read_text

if TYPE_CHECKING:
    from ivr_flows import Finding, Longest, Report

_directory = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(
    epilog="""\b
Examples:
  callwright flow check main.json night.json          two flows that may lead to each other
  callwright flow check main.json --prompts prompts   are all sound files there?
  callwright flow check main.json --json | jq .ok
"""
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For machines: one JSON object for each file, a line each.")
@click.option("--prompts", type=_directory, help="The prompts directory: tells which sound files are missing.")
def check(files: tuple[Path, ...], as_json: bool, prompts: Path | None) -> None:
    """Check flow FILES as an upload would.

    Agents, calendars, queues and trunks are known to the running system only: whether they exist is checked at the
    upload, and whether the installation has what the flow `needs`, like queues.
    Flows that are given together are known to each other. Ends with 0 when there are no errors, 1 when there are, 2
    when a file can't be read or is no JSON.
    """
    import ivr_flows

    code = 0
    texts = {file: read_text(file) for file in files}
    world = _Files([text for text in texts.values() if isinstance(text, str)], prompts)
    for file, text in texts.items():
        report = ivr_flows.report(text, world) if isinstance(text, str) else ivr_flows.Report((text,))
        unreadable = any(finding.code in UNREADABLE for finding in report.findings)
        code = max(code, 2 if unreadable else 0 if report.ok else 1)
        click.echo(_as_json(report) if as_json else _as_text(file, report))
    sys.exit(code)


class _Files:
    """What the files themselves tell of the world. `ivr_flows.World`."""

    def __init__(self, texts: list[str], prompts: Path | None) -> None:
        self._flows: dict[str, Mapping[str, Any]] = {}
        for text in texts:
            try:
                document = json.loads(text)
            except (ValueError, RecursionError):
                continue  # is reported when the file itself is checked
            if isinstance(document, dict) and isinstance(document.get("id"), str):
                self._flows[document["id"]] = document
        self._prompts = prompts

    def names(self, kind: str) -> Collection[str] | None:
        if kind != "prompt" or self._prompts is None:
            return None
        from ivr_flows import library

        return {
            file.relative_to(directory).as_posix()
            for directory in (self._prompts, library.prompts_dir())
            for file in directory.rglob("*.wav")
        }

    def flow(self, flow: str, version: str | None) -> Mapping[str, Any] | None:
        return self._flows.get(flow) if version is None else None


def _as_json(report: Report) -> str:
    content: dict[str, Any] = {"ok": report.ok, "findings": [_finding(each) for each in report.findings]}
    if report.to_person is not None:
        content["longest_to_person"] = {"ms": report.to_person.ms, "path": list(report.to_person.path)}
    if report.needs:
        content["needs"] = list(report.needs)
    return json.dumps(content, ensure_ascii=False)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "severity": finding.severity,
        "code": finding.code,
        "node": finding.node,
        "field": finding.field,
        "message": finding.message,
        "path": list(finding.path),
    }


def _as_text(file: Path, report: Report) -> str:
    lines = [f"{file}: {finding}" for finding in report.findings]
    errors = sum(finding.severity == "error" for finding in report.findings)
    warnings = len(report.findings) - errors
    waited = f", {_waited(report.to_person)}" if report.to_person is not None else ""
    needs = f"; needs: {', '.join(report.needs)}" if report.needs else ""
    counted = f"{_count(errors, 'error')}, {_count(warnings, 'warning')}" if report.findings else "ok"
    return "\n".join([*lines, f"{file}: {counted}{waited}{needs}"])


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _waited(longest: Longest) -> str:
    if longest.ms is None:
        return "a person may never be reached"
    return f"a person is reached after {longest.ms / 1000:.0f} s at most"


@click.command()
def schema() -> None:
    """Print the JSON Schema of flows, for editors."""
    from ivr_flows import schema as schemas

    click.echo(schemas.as_text(), nl=False)
