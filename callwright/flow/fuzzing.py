"""`callwright flow fuzz`: random and adverse callers."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callwright.flow.running import read_flows

if TYPE_CHECKING:
    from callwright.caller.fuzz import Caller, Failure, Findings
    from ivr_flows import Flow

_OPTIONS = {"ani": "--from", "did": "--to", "language": "--language", "call_id": "--call-id"}


@click.command(
    epilog="""\b
Examples:
  callwright flow fuzz main.json
  callwright flow fuzz main.json night.json --callers 20000 --seed 7
  callwright flow fuzz main.json --json | jq -r '.failures[].replay'
"""
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--callers", default=2000, show_default=True, type=click.IntRange(1, 1_000_000), help="How many call.")
@click.option("--seed", default=0, show_default=True, help="Other callers; the same number, the same callers.")
@click.option("--json", "as_json", is_flag=True, help="For machines: one JSON object.")
def fuzz(files: tuple[Path, ...], callers: int, seed: int, as_json: bool) -> None:
    """Have random callers call the flow in FILE.

    They press keys, wait, and hang up at any instruction; agents are busy, services fail, prompts are missing: any
    answer that an instruction may get. Told are flow errors, calls that only a limit ended, what the interpreter itself
    failed at, and nodes and exits that nobody came to; for each failure the shortest caller, and how to call like that
    again. Further files are flows that the first one leads to.

    A limit that ends a caller who presses keys again and again is told but is no failure. A flow of kind queue_wait is
    ended from outside after a random time; that somebody waits until max_seconds is no failure of it.

    Ends with 0 without failures, 1 with some, 2 when a file can't be read.
    """
    from callwright.caller.fuzz import Fuzz

    documents, flows = read_flows(files)
    findings = Fuzz(flows, documents, seed).run(callers)
    click.echo(_as_json(findings, flows, files, seed) if as_json else _as_text(findings, flows, files, seed))
    sys.exit(0 if findings.ok else 1)


def replay(caller: Caller, files: Sequence[Path]) -> str:
    """The command that calls like this once more."""
    from callwright.caller.script import text_of
    from callwright.flow.running import run

    usual = {option.name: option.default for option in run.params}
    told = []
    for name, option in _OPTIONS.items():
        value = getattr(caller.data, name)
        if value != usual[name]:
            told += [option, str(value)]
    if (standing := caller.data.standing) is not None:
        told += ["--position", str(standing.position)]
        if standing.wait_high_s is not None:
            told += ["--wait", f"{standing.wait_low_s}-{standing.wait_high_s}"]
    return shlex.join(["callwright", "flow", "run", *map(str, files), "--keys", text_of(caller.script), *told])


def _as_json(findings: Findings, flows: Mapping[str, Flow], files: Sequence[Path], seed: int) -> str:
    failures = [
        {**dataclasses.asdict(each.place), "message": each.message, "callers": each.callers,
         "replay": replay(each.caller, files)}
        for each in _worst_first(findings)
    ]  # fmt: skip
    content: dict[str, Any] = {
        "ok": findings.ok,
        "callers": findings.callers,
        "seed": seed,
        "ends": dict(sorted(findings.ends.items())),
        "failures": failures,
        "never": {flow.id: list(findings.never(flow)) for flow in flows.values()},
        "not_given": sorted(findings.not_given),
    }
    return json.dumps(content, ensure_ascii=False)


def _as_text(findings: Findings, flows: Mapping[str, Flow], files: Sequence[Path], seed: int) -> str:
    gone = "from outside" if next(iter(flows.values())).kind == "queue_wait" else "by the caller"
    ends = ", ".join(f"{number} {_ENDS.get(end, gone)}" for end, number in findings.ends.most_common())
    lines = [f"{files[0]}: {findings.callers} callers, seed {seed}: {ends}"]
    for flow in flows.values():
        never = findings.never(flow)
        nodes = sum((flow.id, name) in findings.nodes for name in flow.nodes)
        lines.append(f"{flow.id}: {nodes} of {len(flow.nodes)} nodes reached")
        if never:
            lines.append(f"  never reached: {', '.join(never)}")
    if findings.not_given:
        lines.append(f"calls went on in flows that are not given: {', '.join(sorted(findings.not_given))}")
    for failure in _worst_first(findings):
        lines += _told(failure, files)
    return "\n".join(lines)


_ENDS = {
    "hangup": "ended by the flow",
    "flow_error": "by an error",
    "step_limit": "by max_steps",
    "time_limit": "by max_seconds",
    "crash": "by a fault of the interpreter",
    "left": "went on in another flow",
}


def _worst_first(findings: Findings) -> list[Failure]:
    return sorted(findings.failures.values(), key=lambda each: each.place.by_caller)


def _told(failure: Failure, files: Sequence[Path]) -> Iterator[str]:
    place = failure.place
    where = f" at {place.flow}/{place.node}" if place.node else f" in {place.flow}"
    told = click.style(place.kind, fg="yellow" if place.by_caller else "red")
    by = ", who presses keys again and again" if place.by_caller else ""
    yield f"{told}{where}, {failure.callers} callers: {failure.message}{by}"
    yield f"  {replay(failure.caller, files)}"
