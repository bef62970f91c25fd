"""The flow language is pure: it imports nothing of the project, and nothing that reads the world."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ivr_flows

PACKAGE = Path(ivr_flows.__file__).parent
TOOLS = {"golden.py", "pages.py", "schema.py", "library/__init__.py"}
"""What is run by hand, or reads package data; it may touch files."""
ALLOWED = {
    *(
        "__future__",
        "collections",
        "contextlib",
        "dataclasses",
        "difflib",
        "functools",
        "hashlib",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "urllib",
    ),
    *("types", "typing", "lark", "pydantic", "pydantic_core", "re2", "ivr_flows"),
}

OF_VALUES = {"datetime", "decimal", "phonenumbers", "zoneinfo"}
"""For what is said: days, amounts, telephone numbers. None of the clock's functions may be called."""

MODULES = sorted(file.relative_to(PACKAGE).as_posix() for file in PACKAGE.rglob("*.py"))


def imported(module: str) -> set[str]:
    """The names of all top-level packages that the module imports, wherever it does so."""
    found: set[str] = set()
    for each in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8"))):
        if isinstance(each, ast.Import):
            found |= {alias.name.split(".")[0] for alias in each.names}
        elif isinstance(each, ast.ImportFrom):
            found.add((each.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("module", MODULES)
def test_imports(module: str) -> None:
    own = (
        {"argparse", "pathlib", "sys", "io", "shutil", "subprocess", "numpy", "soundfile", "inspect"}
        if module in TOOLS
        else set()
    )
    if module.startswith("say/") or module == "nodes/say.py":
        own = OF_VALUES
    assert imported(module) <= ALLOWED | own


@pytest.mark.parametrize("module", MODULES)
def test_no_clock_is_read(module: str) -> None:
    tree = ast.parse((PACKAGE / module).read_text(encoding="utf-8"))
    attributes = {each.attr for each in ast.walk(tree) if isinstance(each, ast.Attribute)}
    assert not attributes & {"now", "utcnow", "today", "localtime"}


@pytest.mark.parametrize("module", sorted(set(MODULES) - TOOLS))
def test_nothing_is_opened_or_evaluated(module: str) -> None:
    names = {
        each.id
        for each in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8")))
        if isinstance(each, ast.Name)
    }
    assert not names & {"open", "eval", "exec", "compile", "__import__", "print", "input"}


@pytest.mark.parametrize("module", MODULES)
def test_files_stay_short(module: str) -> None:
    assert len((PACKAGE / module).read_text(encoding="utf-8").splitlines()) < 400


@pytest.mark.parametrize("module", MODULES)
def test_functions_stay_short(module: str) -> None:
    for each in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8"))):
        if isinstance(each, ast.FunctionDef):
            assert (each.end_lineno or 0) - each.lineno < 50, each.name
