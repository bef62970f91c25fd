"""The rooms of the design: who may know whom (setup.cfg, [importlinter]), and that every package is listed."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_rooms_know_only_whom_they_may() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_package_is_listed() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = setup["options"]["packages"].split()
    there = {
        ".".join(file.relative_to(ROOT).parent.parts)
        for file in ROOT.rglob("__init__.py")
        if file.relative_to(ROOT).parts[0] not in {".venv", "tests", "build"}
    }
    assert sorted(listed) == sorted(there)


def test_every_package_is_in_a_contract() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    roots = {package.partition(".")[0] for package in setup["options"]["packages"].split()}
    assert roots == set(setup["importlinter"]["root_packages"].split())
