"""docs/queues-agents.md says what the state machine does."""

from __future__ import annotations

from pathlib import Path

from engine.acd.states import TRANSITIONS
from engine.acd.states_page import BEGIN, END, states_page

PAGE = Path(__file__).parents[3] / "docs" / "queues-agents.md"


def test_page_and_table_agree() -> None:
    between = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()
    assert between == states_page(), f"put this between the marks in {PAGE.name}:\n{states_page()}"


def test_every_happening_is_explained() -> None:
    text = PAGE.read_text(encoding="utf-8").partition(END)[2]
    assert [each.name for each in TRANSITIONS.values() if f"`{each.name}`" not in text] == []
