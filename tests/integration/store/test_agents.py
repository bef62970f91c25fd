"""Agents' events and states in PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.acd.agent import Agent, AgentEvent, Break, BreakKind, HeldOffer
from engine.acd.scribe import ArchiveAway
from engine.acd_parts import DatabaseArchive
from engine.domain.acd import AgentState, Tier
from engine.store.agents import AgentArchive, EventPosition
from engine.store.database import Database

T0 = 1_790_000_000_123


def event(version: int, at_ms: int = T0, **others: Any) -> AgentEvent:
    plain = AgentEvent(
        agent="alice",
        version=version,
        at_ms=at_ms,
        what="take_break",
        from_state=AgentState.READY,
        to_state=AgentState.BREAK,
        reason="lunch",
        kind=BreakKind.PRIVATE,
        call="c1",
        queue="sales",
    )
    return replace(plain, **others)


@pytest.mark.req("R50")
def test_events_are_written_once_and_read_newest_first(database: Database) -> None:
    archive = AgentArchive(database)
    first, second, third = event(1), event(2, kind=None, reason=""), event(3, T0 + 1)
    archive.write_events([first, second, event(1, agent="bob")])
    archive.write_events([third, second, replace(first, what="other")])
    assert archive.events("alice", 10) == [third, second, first]
    assert archive.events("alice", 1, EventPosition(T0 + 1, 3)) == [second]
    assert archive.events("alice", 10, EventPosition(T0, 1)) == []
    again = event(1, T0 + 5)
    archive.write_events([again])
    assert archive.events("alice", 1) == [again], "versions begin anew where all was lost"


@pytest.mark.req("R124")
def test_states_are_those_written_last(database: Database) -> None:
    archive = AgentArchive(database)
    alice = Agent(
        id="alice",
        state=AgentState.RINGING,
        assigned={"sales": Tier(2, 3)},
        tiers={"sales": Tier(2, 3)},
        skills={"cs": 5},
        on_break=Break("\x00lunch"),
        offer=HeldOffer("1-1", "c1", "sales", 7),
    )
    archive.write_agents([replace(alice, version=1), Agent(id="bob")])
    archive.write_agents([alice])
    kept = replace(alice, on_break=Break("\ufffdlunch"))
    assert archive.agents(["alice", "bob", "carl"]) == {"alice": kept, "bob": Agent(id="bob")}
    assert archive.agents([]) == {}


def test_what_is_refused_holds_up_nothing_else(database: Database) -> None:
    archive = AgentArchive(database)
    impossible = event(2, at_ms=10**17)
    DatabaseArchive(archive).write_events([event(1), impossible, event(3)])
    assert [each.version for each in archive.events("alice", 10)] == [3, 1]


def test_a_database_that_is_away() -> None:
    archive = DatabaseArchive(AgentArchive(Database("postgresql://nobody@127.0.0.1:1/nothing")))
    for ask in (lambda: archive.write_events([event(1)]), lambda: archive.agents(["alice"])):
        with pytest.raises(ArchiveAway):
            ask()
