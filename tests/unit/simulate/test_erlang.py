"""Erlang's formulas against published values and against each other."""

from __future__ import annotations

import pytest

from callwright.simulate.erlang import NeverSteady, erlang_a, erlang_b, erlang_c

# Gans, Koole, Mandelbaum, Telephone call centers (2003): 48 calls a minute of a minute each, 50 agents, patience 2 min.
RATE, AGENTS = 48.0, 50


def test_published_example_without_abandonment() -> None:
    steady = erlang_c(RATE, 1.0, AGENTS, within=20 / 60)
    assert steady.asa * 60 == pytest.approx(20.8, abs=0.05)
    assert steady.line == pytest.approx(16.7, abs=0.05)
    assert steady.occupancy == pytest.approx(0.96)


def test_published_example_with_abandonment() -> None:
    steady = erlang_a(RATE, 1.0, AGENTS, patience=2.0, within=20 / 60)
    assert steady.abandoned == pytest.approx(0.031, abs=0.0005)
    assert steady.wait * 60 == pytest.approx(3.7, abs=0.05)
    assert steady.line == pytest.approx(3.0, abs=0.05)
    assert steady.occupancy == pytest.approx(0.93, abs=0.005)


def test_tables_of_erlang_b_and_c() -> None:
    assert erlang_b(8, 10) == pytest.approx(0.1217, abs=0.00005)
    assert erlang_c(8, 1, 10, 0).waited == pytest.approx(0.4092, abs=0.00005)
    assert erlang_c(0.5, 1, 1, 0).waited == pytest.approx(0.5)
    assert erlang_c(0.5, 1, 1, 0).wait == pytest.approx(1.0)


@pytest.mark.parametrize(("rate", "agents"), [(8.0, 10), (0.5, 1), (90.0, 100)])
def test_endless_patience_is_erlang_c(rate: float, agents: int) -> None:
    patient, never = erlang_a(rate, 1, agents, 1e6, 0.3), erlang_c(rate, 1, agents, 0.3)
    for name in ("waited", "wait", "asa", "line", "occupancy", "service_level"):
        assert getattr(patient, name) == pytest.approx(getattr(never, name), rel=1e-3), name


@pytest.mark.parametrize("load", [0.7, 1.0, 1.4])
@pytest.mark.parametrize("agents", [1, 10, 1000])
def test_what_must_add_up(load: float, agents: int) -> None:
    """All calls are answered or give up; all waits together are those of the two."""
    rate, handling, patience = load * agents / 240, 240.0, 180.0
    steady = erlang_a(rate, handling, agents, patience, within=1e9)
    assert steady.service_level == pytest.approx(1 - steady.abandoned, abs=1e-6)
    assert steady.line == pytest.approx(rate * steady.wait)
    assert erlang_a(rate, handling, agents, patience, within=0).service_level == pytest.approx(1 - steady.waited)
    assert 0 < steady.occupancy <= 1


def test_hardly_any_calls() -> None:
    assert erlang_a(0.001, 1, 500, 1, 20).service_level == 1


def test_more_load_than_agents() -> None:
    with pytest.raises(NeverSteady, match="11 erlangs for 10 agents"):
        erlang_c(11, 1, 10, 0)
