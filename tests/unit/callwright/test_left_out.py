"""A skip is never silent: what was left out, and why, stands at the end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PLUGINS = Path(__file__).parents[2] / "plugins"

TESTS = """
import pytest

@pytest.mark.freeswitch_only
@pytest.mark.parametrize("n", [1, 2])
def test_real(n): pass

def test_skips_itself(): pytest.skip("needs a moon")

def test_with_sipp(sipp): pass

def test_passes(switch): assert switch == "lab"
"""


def pytest_run(tmp_path: Path, *arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    sources = [(PLUGINS / name).read_text(encoding="utf-8") for name in ("left_out.py", "switches.py")]
    for number, source in enumerate(sources):
        (tmp_path / f"plugin{number}.py").write_text(source, encoding="utf-8")
    (tmp_path / "conftest.py").write_text("pytest_plugins = ['plugin0', 'plugin1']\n", encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    freeswitch_only: x\n", encoding="utf-8")
    (tmp_path / "test_it.py").write_text(TESTS, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env={"PATH": path})


def test_reasons_are_counted(tmp_path: Path) -> None:
    done = pytest_run(tmp_path)
    lines = done.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if " left out " in line)
    assert lines[at + 1 : at + 4] == [
        "1 test: needs SIPp (apt-get install sip-tester)",
        "1 test: needs a moon",
        "2 tests: needs FreeSWITCH (set FREESWITCH_BIN and run `make test-freeswitch`)",
    ]
    assert "1 passed, 4 skipped" in lines[-1]


def test_deselected_ones_too(tmp_path: Path) -> None:
    done = pytest_run(tmp_path, "-k", "passes")
    assert "4 tests: deselected on the command line" in done.stdout


def test_a_run_on_freeswitch_without_one_is_refused(tmp_path: Path) -> None:
    done = pytest_run(tmp_path, "--switch=freeswitch")
    assert done.returncode == 4
    assert "set FREESWITCH_BIN" in done.stderr
