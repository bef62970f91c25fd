"""What is suggested for a word that nothing is called."""

from __future__ import annotations

import pytest

from ivr_flows.findings import did_you_mean

NODES = ("answer", "menu", "agent", "agents-busy", "goodbye")


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("agnet", NODES, "agent"),
        ("menue", NODES, "menu"),
        ("sya", ("say", "play"), "say"),
        ("alicia", ("alice", "bob"), "alice"),
        ("BUSY", ("USER_BUSY", "NO_ANSWER"), "USER_BUSY"),
        ("busy", NODES, "agents-busy"),
    ],
)
def test_what_comes_near_is_suggested(word: str, known: tuple[str, ...], meant: str) -> None:
    assert did_you_mean(word, known) == f"; did you mean '{meant}'?"


@pytest.mark.parametrize("word", ["nowhere", "end", "", "answers-nobody"])
def test_what_is_another_word_is_not(word: str) -> None:
    assert did_you_mean(word, NODES) == ""
