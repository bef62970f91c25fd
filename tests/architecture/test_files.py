"""What every file of the repository has to keep to."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_FILE = 400
LONGEST_FUNCTION = 50

LONG_FILES: dict[str, str] = {}
"""Files that may be longer, each with the reason."""
LONG_FUNCTIONS = {
    "engine/app.py:__init__": "puts every adapter together, line by line",
    "labswitch/channel.py:__init__": "the attributes of a channel",
    "labswitch/incoming.py:caller_variables": "a table: the variables that mod_sofia sets",
    "labswitch/originate.py:make_channel": "a table: the variables of an outgoing leg",
}
"""Functions (`file:name`) that may be longer, each with the reason."""

# A machine's own directories; a path below / that means something on every machine is none.
_MACHINE = re.compile(r"(?<![\w./])/(?:root|home/[a-z]|Users/|work/|workspace/|tmp/pytest)")
_REGISTRY = re.compile(r"--(?:extra-)?index-url|pypi\.org/simple|trusted-host")


def files(*endings: str) -> Iterator[Path]:
    """The repository's files, those too that are not committed yet."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs a git checkout")
    for name in listed:
        path = ROOT / name
        if name and path.is_file() and (not endings or path.suffix in endings):
            yield path


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_file_is_too_long() -> None:
    long = {name(path): lines for path in files(".py") if (lines := _lines(path)) > LONGEST_FILE}
    assert not long.keys() - LONG_FILES.keys(), long


def test_no_function_is_too_long() -> None:
    long = {}
    for path in files(".py"):
        if path.is_relative_to(ROOT / "tests"):
            continue  # a table of cases is as long as it is
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    long[f"{name(path)}:{node.name}"] = lines
    assert not long.keys() - LONG_FUNCTIONS.keys(), long


def test_no_path_of_a_machine_and_no_registry() -> None:
    found = []
    for path in files():
        if path == Path(__file__):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # sound and pictures
        for number, line in enumerate(text.splitlines(), 1):
            if _MACHINE.search(line) or _REGISTRY.search(line):
                found.append(f"{name(path)}:{number}: {line.strip()[:100]}")
    assert not found, "\n".join(found)


def test_every_decision_has_a_number_of_its_own_and_a_status() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert decisions
    numbers = [path.name[:4] for path in decisions]
    assert len(set(numbers)) == len(numbers), numbers
    for number, path in zip(numbers, decisions, strict=True):
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {number}: "), f"{path.name}: begins with its number and title"
        assert re.search(r"^Status: (accepted|replaced by \d{4})\b", text, re.MULTILINE), f"{path.name}: has no status"


def _lines(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n")
