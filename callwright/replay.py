"""`callwright replay`: a finished call once more, from its journal."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callwright.flow.documents import client, find, read_text, remote

if TYPE_CHECKING:
    from callwright.caller.again import Asked, Difference, Event, Recorded
    from callwright.client import Client
    from ivr_flows import Flow

_VERSION = re.compile(r"[0-9a-f]{16}")
_COLOURS = {"node": "cyan", "leg": "yellow", "queue": "magenta", "ended": "green"}


@click.command(
    epilog="""\b
Examples:
  callwright replay 4f7c0b0e-8d3b-4f4e-9a57-0d6f3a6f3f11
  callwright replay CALL --flow main.json              what would the flow in the file have done?
  callwright replay CALL --flow main@active --json
  callwright replay --journal call.json --flow main.json
"""
)
@click.argument("call", required=False)
@click.option("--flow", "flows", multiple=True, metavar="FLOW",
              help="Run this in place of the version that the call had: a file, FLOW@VERSION, FLOW@active, or a "
                   "version of the call's own flow. May be repeated for flows that it leads to.")  # fmt: skip
@click.option("--journal", type=click.Path(path_type=Path),
              help="A file with the journal: what GET /calls/CALL/journal answers, or an entry a line.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="For machines: one JSON object.")
@remote
@click.pass_context
def replay(
    context: click.Context,
    call: str | None,
    flows: tuple[str, ...],
    journal: Path | None,
    as_json: bool,
    api: str | None,
    key: str | None,
) -> None:
    """Show what happened in a CALL that is over, and run its flow again with the same answers.

    Prints the time line, and the first difference between what the flow asked for then and what it asks for now: none
    for the same version, else where another one parts from it and what it would have done. Nothing is done to anybody.
    Ends with 0 without a difference, 1 with one, 2 when the journal or a version of the flow can't be had.
    """
    from callwright.caller.again import JournalUnusable, Recorded, Versions, first_difference

    if (call is None) == (journal is None):
        raise click.UsageError("give the id of a call, or --journal with a file; one of the two")

    def ask() -> Client:
        return client(context, api, key)

    try:
        entries = _read(journal) if journal is not None else _ask(ask, "calls", str(call), "journal")["entries"]
        recorded = Recorded(entries)
        given = _given(recorded, flows, ask)
        kept = {each: _kept(*each, ask) for each in recorded.versions if each[0] not in given}
        found = first_difference(recorded, Versions(given, kept)) if recorded.facts.flow else None
    except JournalUnusable as error:
        raise click.UsageError(f"{journal or f'the journal of {call}'}: {error}") from None
    other = any((flow.id, flow.version) not in recorded.versions for flow in given.values())
    click.echo(_as_json(recorded, found) if as_json else "\n".join(_as_text(recorded, found, other)))
    sys.exit(1 if found else 0)


def _read(file: Path) -> list[Any]:
    """The entries in a file. Raises JournalUnusable, and click's error where the file can't be read."""
    from callwright.caller.again import JournalUnusable

    text = read_text(file)
    if not isinstance(text, str):
        raise click.UsageError(f"{file}: {text.message}")
    try:
        content = json.loads(text)
    except ValueError:
        try:
            content = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise JournalUnusable(f"neither JSON nor an entry a line: {error}") from None
    if isinstance(content, dict):
        content = [content] if "kind" in content.get("event", ()) else content.get("entries")
    if not isinstance(content, list):
        raise JournalUnusable("a journal is a list of entries, or an object with 'entries'")
    return content


def _ask(ask: Callable[[], Client], *path: str) -> Any:
    """What the API answers. Raises click's error, which ends the command with 2."""
    from callwright.client import ApiError
    from callwright.client import path as quoted

    try:
        return ask().get(quoted(*path))
    except ApiError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise click.UsageError(f"the API doesn't answer: {error}") from None


def _given(recorded: Recorded, wanted: tuple[str, ...], ask: Callable[[], Client]) -> dict[str, Flow]:
    """The flows to be run in place of those that were, by id."""
    from callwright.client import ApiError

    given = {}
    for what in wanted:
        named = f"{recorded.facts.flow}@{what}" if _VERSION.fullmatch(what) and not Path(what).exists() else what
        try:
            flow = _loaded(what, find(named, ask))
        except ApiError as error:
            raise click.UsageError(f"--flow {what}: {error}") from None
        except OSError as error:
            raise click.UsageError(f"--flow {what}: the API doesn't answer: {error}") from None
        given[flow.id] = flow
    if given and not given.keys() & {flow for flow, _ in recorded.versions}:
        came = ", ".join(dict.fromkeys(flow for flow, _ in recorded.versions)) or "none"
        raise click.UsageError(f"--flow: the call never came to {', '.join(given)}; the flows that it came to: {came}")
    return given


def _kept(flow: str, version: str, ask: Callable[[], Client]) -> Flow:
    try:
        return _loaded(f"{flow}@{version}", _ask(ask, "flows", flow, "versions", version))
    except click.UsageError as error:
        hint = f"the call's version of {flow} is {version}; where its file is kept, give it with --flow FILE"
        raise click.UsageError(f"{error.message}\n{hint}") from None


def _loaded(what: str, document: Mapping[str, Any]) -> Flow:
    import ivr_flows

    try:
        return ivr_flows.load_stored(document)
    except ivr_flows.FlowInvalid as invalid:
        raise click.UsageError(f"{what}: {invalid.findings[0]}") from None


def _as_json(recorded: Recorded, found: Difference | None) -> str:
    facts = recorded.facts
    content = {
        "call_id": facts.call_id,
        "flow": facts.flow,
        "version": facts.flow_version,
        "same": found is None,
        "difference": dataclasses.asdict(found) if found else None,
        "timeline": [dataclasses.asdict(event) for event in recorded.events()],
    }
    return json.dumps(content, ensure_ascii=False)


def _as_text(recorded: Recorded, found: Difference | None, other: bool) -> Iterator[str]:
    facts = recorded.facts
    yield f"{facts.call_id}: {facts.ani or 'hidden number'} to {facts.did}, flow {facts.flow or '(none)'}"
    for event in recorded.events():
        marked = found is not None and event.ms >= found.ms
        yield ("  " if not marked else "| ") + _line(event)
    if recorded.ended is None:
        yield "the journal ends before the call does"
    if not facts.flow:
        yield "the call came to no flow; there is nothing to run again"
    elif found is None:
        yield click.style("the same", fg="green") + (" with the other version" if other else "")
    else:
        yield click.style(f"first difference after {found.ms / 1000:.3f} s, at step {found.step}", fg="red")
        yield f"  then: {_asked(found.recorded)}"
        yield f"  now:  {_asked(found.now)}"


def _line(event: Event) -> str:
    from ivr_flows.findings import plain

    detail = dict(event.detail)
    if event.kind == "node":
        by = f" by {detail['by']}" if detail["by"] else ""
        text = f"{event.flow}/{event.node}{by}"
    else:
        what = str(detail.pop("op", None) or detail.pop("kind", None) or detail.pop("event", None) or event.kind)
        text = "    " * (event.kind in ("instruction", "result")) + f"{'-> ' * (event.kind == 'result')}{what}"
        text = f"{text}  {_fields(detail)}".rstrip()
        text = f"{event.kind} {text}" if event.kind in ("leg", "queue", "recording") else text
    return f"{event.ms / 1000:>9.3f}  " + click.style(plain(text)[:300], fg=_COLOURS.get(event.kind))


def _fields(detail: Mapping[str, Any]) -> str:
    told = [(name, value) for name, value in detail.items() if value not in ("", None, [], {})]
    return ", ".join(f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in told)


def _asked(asked: Asked) -> str:
    nodes = " -> ".join(asked.entered)
    instruction = dict(asked.instruction or {})
    what = f"{instruction.pop('op')}  {_fields(instruction)}" if asked.instruction else asked.end
    return f"{nodes}: {what}" if nodes else what
