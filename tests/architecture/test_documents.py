"""Documents that must not drift from the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from callwright.reference import BEGIN, END, config_reference
from callwright.requirements import FILE, parse, report

ROOT = Path(__file__).parents[2]


def test_the_configuration_reference_is_current() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    between = text.partition(BEGIN)[2].partition(END)[0].strip()
    assert between == config_reference(), "run `callwright config reference` and put its output into docs/operations.md"


def test_there_are_71_requirements() -> None:
    requirements = parse((ROOT / FILE).read_text(encoding="utf-8"))
    assert len(requirements) == 71
    assert all(each.group for each in requirements)
    assert report(requirements, {1: ["a"], 126: ["b"]}).endswith("\n\n2 of 71 requirements shown")


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/operations.md"])
def test_links_between_documents_lead_somewhere(document: str) -> None:
    import re

    path = ROOT / document
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{document}: {target}"
