"""The requirements of docs/requirements.md, and which tests show them.

A test says what it shows: `@pytest.mark.req("R41")`. The tests are collected by pytest, with the plugin of
tests/plugins/requirements.py, and are not run.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FILE = Path("docs/requirements.md")
_LINE = re.compile(r"- R(?P<number>\d+) (?P<kind>core|admin): (?P<text>.+)")


class BadRequirements(Exception):
    """The file of requirements cannot be read as such."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement. `kind`: core is call-time behaviour, admin what the admin API, its feeds or exports offer."""

    number: int
    kind: str
    group: str
    text: str


def parse(text: str) -> tuple[Requirement, ...]:
    """The requirements in the order of the file. Raises BadRequirements for a number that stands there twice."""
    found: dict[int, Requirement] = {}
    group = ""
    for line in text.splitlines():
        if line.startswith("## "):
            group = line.removeprefix("## ").strip()
        elif match := _LINE.fullmatch(line.strip()):
            number = int(match["number"])
            if number in found:
                raise BadRequirements(f"R{number} stands there twice")
            found[number] = Requirement(number, match["kind"], group, match["text"])
        elif line.startswith("- R"):
            raise BadRequirements(f"not of the form `- R1 core: text`: {line}")
    return tuple(found.values())


def report(requirements: Sequence[Requirement], tests: Mapping[int, Sequence[str]]) -> str:
    """Each requirement with its tests, those without any marked; at the end how many are shown."""
    lines: list[str] = []
    group = ""
    for each in requirements:
        if each.group != group:
            group = each.group
            lines += ["", group]
        shown = tests.get(each.number, ())
        lines.append(f"  R{each.number} {each.kind}: {each.text}")
        lines += [f"      {test}" for test in shown] or ["      no test yet"]
    count = sum(1 for each in requirements if tests.get(each.number))
    return "\n".join([*lines, "", f"{count} of {len(requirements)} requirements shown"]).lstrip("\n")


def collect(checkout: Path) -> dict[int, list[str]]:
    """The tests of each requirement by its number. Raises BadRequirements with pytest's words when it fails."""
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "requirements.json"
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", f"--requirements-to={target}"]
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not target.exists():
            raise BadRequirements(f"the tests cannot be collected:\n{done.stdout}{done.stderr}")
        return {int(number): tests for number, tests in json.loads(target.read_text(encoding="utf-8")).items()}


def run(checkout: Path) -> int:
    """Print the report; the exit code."""
    file = checkout / FILE
    if not file.exists():
        print(f"{FILE} is not here: run this in a checkout of the project", file=sys.stderr)
        return 1
    try:
        requirements = parse(file.read_text(encoding="utf-8"))
        tests = collect(checkout)
    except BadRequirements as error:
        print(error, file=sys.stderr)
        return 1
    print(report(requirements, tests))
    return 0
