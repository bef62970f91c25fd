"""Requirements and their tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from callwright.requirements import BadRequirements, Requirement, parse, report, run

TEXT = """# Requirements
## Inbound
- R1 core: one decision.
- R2 admin: another: with a colon.

## IVR
- R20 core: menus.

## Out of scope
Agents' desktops.
"""


def test_parse() -> None:
    assert parse(TEXT) == (
        Requirement(1, "core", "Inbound", "one decision."),
        Requirement(2, "admin", "Inbound", "another: with a colon."),
        Requirement(20, "core", "IVR", "menus."),
    )


@pytest.mark.parametrize(
    ("line", "words"), [("- R1 core: again", "R1 stands there twice"), ("- R3: no kind", "not of the form")]
)
def test_what_cannot_be_read(line: str, words: str) -> None:
    with pytest.raises(BadRequirements, match=words):
        parse(TEXT + line + "\n")


def test_report() -> None:
    assert report(parse(TEXT), {1: ["tests/a.py::test_x", "tests/a.py::test_y"]}) == (
        "Inbound\n"
        "  R1 core: one decision.\n"
        "      tests/a.py::test_x\n"
        "      tests/a.py::test_y\n"
        "  R2 admin: another: with a colon.\n"
        "      no test yet\n"
        "\n"
        "IVR\n"
        "  R20 core: menus.\n"
        "      no test yet\n"
        "\n"
        "1 of 3 requirements shown"
    )


def checkout(tmp_path: Path, marker: str) -> Path:
    root = Path(__file__).parents[3]
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "requirements.md").write_text(TEXT, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = --strict-markers --import-mode=importlib\nmarkers =\n    req(*numbers): shown\n",
        encoding="utf-8",
    )
    plugin = (root / "tests" / "plugins" / "requirements.py").read_text(encoding="utf-8")
    (tmp_path / "conftest.py").write_text(plugin, encoding="utf-8")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        f"@pytest.mark.req({marker})\n"
        "@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_shown(n): raise AssertionError('is not run')\n"
        "def test_other(): pass\n",
        encoding="utf-8",
    )
    return tmp_path


def test_tests_are_collected_and_not_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(checkout(tmp_path, "'R1', 20")) == 0
    output = capfd.readouterr().out
    assert output.count("      test_it.py::test_shown\n") == 2
    assert output.endswith("\n2 of 3 requirements shown\n")


@pytest.mark.parametrize("marker", ["'R3'", "'1a'", "None"])
def test_a_number_that_is_not_there_is_an_error(tmp_path: Path, marker: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(checkout(tmp_path, marker)) == 1
    assert "docs/requirements.md has no requirement" in capfd.readouterr().err


def test_outside_of_a_checkout(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 1
    assert "run this in a checkout" in capfd.readouterr().err
