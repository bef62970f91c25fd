"""The lines of skill groups: who is in which, and how many agents work for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.acd.lines import GROUPS_KEPT, PLAIN, KnownLine, Lines
from engine.acd.wait import ExpectedWait, Learnt
from engine.domain.acd import AgentSnapshot, AgentState, Ring, Tier
from tests.unit.acd.people import NOW, agent, member

CZECH = (Ring(0, {"czech": 5}), Ring(60_000, {"czech": 2}))
A_MINUTE_EACH = Learnt(at_ms=NOW, taken=100, taken_ms=100 * 60_000)


def lines(*rings: tuple[Ring, ...]) -> Lines:
    return Lines(NOW, [KnownLine("q", each, A_MINUTE_EACH) for each in rings or (PLAIN,)])


def working(name: str, **others: object) -> AgentSnapshot:
    return replace(agent(name), state=AgentState.ON_CALL, **others)  # type: ignore[arg-type]


def mean_ms(expected: ExpectedWait | None) -> int | None:
    return None if expected is None else expected.mean_ms


def wait(there: Lines, *order: str, rings: tuple[Ring, ...] = PLAIN, queue: str = "q") -> int | None:
    """Of somebody behind these, in ms."""
    return mean_ms(there.behind(order, queue, rings, NOW))


@pytest.mark.req("R30")
def test_agents_at_work_count() -> None:
    there = lines()
    assert wait(there) is None
    there.set_agent(working("alice"), NOW)
    assert wait(there) == 60_000
    for state, ms in (
        (AgentState.READY, 30_000),
        (AgentState.WRAP_UP, 30_000),
        (AgentState.BREAK, 60_000),
        (AgentState.RINGING, 30_000),
        (AgentState.LOGGED_OUT, 60_000),
    ):
        there.set_agent(working("bob") if state is AgentState.ON_CALL else replace(agent("bob"), state=state), NOW)
        assert wait(there) == ms, state
    there.set_agent(working("bob", reachable=False), NOW)
    assert wait(there) == 60_000
    there.set_agent(working("bob", tiers={"q": Tier(), "other": Tier()}), NOW)
    assert wait(there) == 30_000
    there.set_agent(working("bob", tiers={"other": Tier()}), NOW)
    assert wait(there) == 60_000


@pytest.mark.req("R1", "R30")
def test_agents_count_who_fit_sooner_or_later() -> None:
    there = lines(PLAIN, CZECH)
    there.set_agent(working("alice"), NOW)
    assert (wait(there), wait(there, rings=CZECH)) == (60_000, None)
    there.set_agent(working("bob", skills={"czech": 2}), NOW)
    assert (wait(there), wait(there, rings=CZECH)) == (30_000, 60_000)
    there.set_agent(working("bob", skills={"czech": 1}), NOW)
    assert (wait(there), wait(there, rings=CZECH)) == (30_000, None)
    there.set_agent(working("bob", skills={"czech": 9}), NOW)
    there.set_agent(working("carl", skills={"czech": 9}), NOW)
    assert wait(there, rings=CZECH) == 30_000


@pytest.mark.req("R30")
def test_each_counts_those_who_ask_for_the_same() -> None:
    there = lines(PLAIN, CZECH)
    there.set_agent(working("alice", skills={"czech": 5}), NOW)
    for name, rings in (("m1", PLAIN), ("c1", CZECH), ("c2", CZECH), ("m2", PLAIN)):
        there.joined(member(name, rings=rings), NOW)
    order = ["m1", "c1", "rung for", "c2", "m2"]
    found = {name: mean_ms(each) for name, each in there.along(order, NOW).items()}
    assert found == {"m1": 60_000, "c1": 60_000, "c2": 120_000, "m2": 120_000}
    assert wait(there, *order) == wait(there, *order, rings=CZECH) == 180_000
    there.taken("m1", NOW)
    there.left("c1", True, NOW)
    there.left("stranger", True, NOW)
    assert there.along(order, NOW).keys() == {"c2", "m2"}
    there.drop_queue("q")
    assert there.along(order, NOW) == {}
    there.left("c2", True, NOW)


@pytest.mark.req("R30")
def test_where_the_pace_is_not_known_the_first_in_line_tells() -> None:
    there = Lines(NOW)
    there.set_agent(working("alice"), NOW)
    there.joined(member("m1", joined_ms=NOW - 60_000), NOW)
    there.joined(member("m2"), NOW)
    assert {name: mean_ms(each) for name, each in there.along(["m1", "m2"], NOW).items()} == {"m1": None, "m2": 120_000}
    assert wait(there, "m1") == 120_000


def test_what_nobody_asks_for_any_more_is_forgotten() -> None:
    there = Lines(NOW)
    there.set_agent(working("alice"), NOW)
    kinds = [(Ring(0, {f"s{n}": 1}),) for n in range(GROUPS_KEPT + 20)]
    for n, rings in enumerate(kinds):
        there.joined(member(f"m{n}", rings=rings), NOW)
        if n != 5:
            there.taken(f"m{n}", NOW)
    known = [each.rings for each in there.known(NOW)]
    assert len(known) < GROUPS_KEPT
    assert kinds[-1] in known
    assert there.along(["m5"], NOW).keys() == {"m5"}, "he waits"


def test_what_was_learnt_long_ago_is_not_handed_on() -> None:
    there = lines()
    assert [each.rings for each in there.known(NOW)] == [PLAIN]
    assert there.known(NOW + 10 * 3_600_000) == ()
    assert there.usual("q") == there.usual("unheard of") == PLAIN
