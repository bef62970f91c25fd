"""The flow language is pure: it imports nothing of the project, and nothing that reads the world."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ivr_flows

PACKAGE = Path(ivr_flows.__file__).parent
TOOLS = {"golden.py", "schema.py", "library/make_prompts.py", "library/__init__.py"}
"""What is run by hand, or reads package data; it may touch files."""
ALLOWED = {
    *("__future__", "collections", "contextlib", "dataclasses", "difflib", "functools", "hashlib", "json", "re"),
    *("types", "typing", "pydantic", "pydantic_core", "ivr_flows"),
}

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
        {"argparse", "pathlib", "sys", "io", "shutil", "subprocess", "numpy", "soundfile"} if module in TOOLS else set()
    )
    assert imported(module) <= ALLOWED | own


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
