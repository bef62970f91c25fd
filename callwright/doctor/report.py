"""The findings for a person or for a program, and the exit code that follows from them."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from itertools import zip_longest
from pathlib import Path

import click

from callwright.doctor import machine
from callwright.doctor.examine import Examined, examine
from callwright.doctor.finding import Finding, Level, Subject, fail
from engine.config import ConfigError, load

EX_CONFIG = 78
WIDEST = 110
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
_INDENT = " " * 8


def run(file: Path | None, *, as_json: bool = False, only: Sequence[str] = ()) -> int:
    """Examine and print; the exit code: 0 nothing to mend, 1 something to mend, 78 wrong configuration."""
    hint = ""
    try:
        subject = Subject(load(file), file)
        found, hint = examine(subject, only), machine.running_here(subject)
        code = 1 if _count(found, "fail") else 0
    except ConfigError as error:
        advice = "correct it; docs/operations.md lists every field. Nothing else was examined"
        found, code = [Examined("configuration", [fail(fault, advice) for fault in error.faults])], EX_CONFIG
    if as_json:
        click.echo(json.dumps(document(found, code, hint), indent=2, ensure_ascii=False))
    else:
        width = min(shutil.get_terminal_size().columns, WIDEST)
        for line in [*lines(found, width, only), *([hint] if hint else [])]:
            click.echo(line)
    return code


def document(found: Sequence[Examined], code: int, hint: str = "") -> dict[str, object]:
    """The findings as JSON values. What is there stays; more may come."""
    return {
        "version": metadata.version("callwright"),
        "exit_code": code,
        "ok": _count(found, "ok"),
        "warn": _count(found, "warn"),
        "fail": _count(found, "fail"),
        "findings": [
            {**_place(each.area), "level": finding.level, "what": finding.what, "advice": finding.advice}
            for each in found
            for finding in each.findings
        ],
        "took_s": {each.area: round(each.took_s, 3) for each in found},
        "hint": hint,
    }


def _place(area: str) -> dict[str, str]:
    """An area as `--only` names it, and which one of several: the switch's name, empty where there is but one."""
    kind, _, name = area.partition(" ")
    return {"area": kind, "name": name}


def lines(found: Sequence[Examined], width: int, only: Sequence[str] = ()) -> list[str]:
    """The findings as lines for a terminal, an area under its name; the last line sums up.

    Advice that is the same for several findings in a row stands once, behind them.
    """
    told = []
    for each in found:
        told.append(click.style(each.area, bold=True))
        for finding, following in zip_longest(each.findings, each.findings[1:]):
            once = following is not None and following.advice == finding.advice
            told += _lines(replace(finding, advice="") if once else finding, width)
    failed, warned = _count(found, "fail"), _count(found, "warn")
    if failed:
        told += ["", f"{failed} to mend" + (f", {warned} to look at" if warned else "")]
    else:
        well = f"nothing to mend in: {', '.join(only)}" if only else "everything needed is here"
        told += ["", well + (f"; {warned} to look at" if warned else "")]
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
