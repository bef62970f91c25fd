"""The findings for a person or for a program, and the exit code that follows from them."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import click

from callwright.doctor.examine import Examined, examine
from callwright.doctor.finding import Finding, Level, Subject, fail
from engine.config import ConfigError, load

EX_CONFIG = 78
WIDEST = 110
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
_INDENT = " " * 8


def run(file: Path | None, *, as_json: bool = False, only: Sequence[str] = ()) -> int:
    """Examine and print; the exit code: 0 nothing to mend, 1 something to mend, 78 wrong configuration."""
    try:
        found = examine(Subject(load(file), file), only)
        code = 1 if _count(found, "fail") else 0
    except ConfigError as error:
        advice = "correct it; docs/operations.md lists every field. Nothing else was examined"
        faults = [fail(fault, advice if last else "") for fault, last in _with_last(error.faults)]
        found, code = [Examined("configuration", faults)], EX_CONFIG
    if as_json:
        click.echo(json.dumps(document(found, code), indent=2, ensure_ascii=False))
    else:
        width = min(shutil.get_terminal_size().columns, WIDEST)
        for line in lines(found, width):
            click.echo(line)
    return code


def document(found: Sequence[Examined], code: int) -> dict[str, object]:
    """The findings as JSON values. What is there stays; more may come."""
    return {
        "version": metadata.version("callwright"),
        "exit_code": code,
        "ok": _count(found, "ok"),
        "warn": _count(found, "warn"),
        "fail": _count(found, "fail"),
        "findings": [
            {"area": each.area, "level": finding.level, "what": finding.what, "advice": finding.advice}
            for each in found
            for finding in each.findings
        ],
        "took_s": {each.area: round(each.took_s, 3) for each in found},
    }


def lines(found: Sequence[Examined], width: int) -> list[str]:
    """The findings as lines for a terminal, an area under its name; the last line sums up."""
    told = []
    for each in found:
        told.append(click.style(each.area, bold=True))
        for finding in each.findings:
            told += _lines(finding, width)
    failed, warned = _count(found, "fail"), _count(found, "warn")
    if failed:
        told += ["", f"{failed} to mend" + (f", {warned} to look at" if warned else "")]
    else:
        told += ["", "everything needed is here" + (f"; {warned} to look at" if warned else "")]
    return told


def _lines(finding: Finding, width: int) -> list[str]:
    mark = click.style(f"{finding.level:4}", fg=_COLOURS[finding.level])
    told = _wrapped(finding.what, width)
    told[0] = f"  {mark}  {told[0].lstrip()}"
    return told + [click.style(line, dim=True) for line in _wrapped(finding.advice, width, "→ ")]


def _wrapped(text: str, width: int, mark: str = "") -> list[str]:
    """No line for no text."""
    return textwrap.wrap(
        text,
        max(width, 40),
        initial_indent=_INDENT + mark,
        subsequent_indent=_INDENT + " " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _count(found: Sequence[Examined], level: Level) -> int:
    return sum(finding.level == level for each in found for finding in each.findings)


def _with_last(faults: Sequence[str]) -> list[tuple[str, bool]]:
    return [(fault, fault is faults[-1]) for fault in faults]
