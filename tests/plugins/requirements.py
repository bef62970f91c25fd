"""Collects which test shows which requirement: `@pytest.mark.req("R41", "R42")`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from callwright.requirements import FILE, parse


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--requirements-to`, for `callwright requirements`."""
    parser.addoption("--requirements-to", metavar="FILE", help="write the tests of each requirement to FILE, as JSON")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check every marker, and write what was found when asked to."""
    known = {each.number for each in parse((config.rootpath / FILE).read_text(encoding="utf-8"))}
    found: dict[int, set[str]] = {}
    for item in items:
        for marker in item.iter_markers("req"):
            for argument in marker.args:
                number = _number(argument)
                if number not in known:
                    raise pytest.UsageError(f"{item.nodeid}: {FILE} has no requirement {argument!r}")
                # the parameters of a test are one test here
                found.setdefault(number, set()).add(item.nodeid.partition("[")[0])
    target = config.getoption("--requirements-to")
    if target:
        content = {str(number): sorted(tests) for number, tests in sorted(found.items())}
        Path(target).write_text(json.dumps(content), encoding="utf-8")


def _number(argument: object) -> int | None:
    text = str(argument).removeprefix("R")
    return int(text) if text.isascii() and text.isdigit() else None
