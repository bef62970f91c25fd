"""A roster and its shared state, in memory and on a real Valkey."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import pytest

from engine.acd import leader
from engine.acd import roster as roster_module
from engine.acd.agent import (
    Accepted,
    Agent,
    Break,
    ConversationBegan,
    ConversationEnded,
    LogIn,
    TakeBreak,
    WrapUpSet,
)
from engine.acd.store import AcdStore, UnknownAgent
from engine.acd_parts import CallWatch
from engine.domain.acd import AgentState, Tier
from engine.session.journal import Journal, JournalUnavailable
from tests.contract.acd.conftest import Rig
from tests.contract.acd.people import POOL, lease, member, reserve
from tests.contract.acd.rosters import Engine, entry
from tests.unit.session.fake_switch import FakeControl

LUNCH = Break("lunch")


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease is over as soon as its holder does not renew it."""
    monkeypatch.setattr(leader, "LEASE_MS", 1)


def talks(store: AcdStore, name: str, call: str = "m1") -> str:
    """The agent is on a call out of his queue; the offer's number."""
    store.change(name, LogIn())
    store.join(POOL, member(call))
    number = reserve(store, lease(store), call, name).number
    store.change(name, Accepted(number))
    store.change(name, ConversationBegan(call, number))
    return number


def whats(engine: Engine, name: str) -> list[str]:
    """What happened to him, as it is kept for good."""
    return [each.what for each in engine.archive.events if each.agent == name]


# Who is there


@pytest.mark.req("R50", "R52")
def test_agents_are_those_of_the_routing_data(rig: Rig) -> None:
    engine = Engine(rig.store())
    store = engine.store
    engine.lead()
    assert store.agent("alice") == Agent(id="alice", assigned={"sales": Tier()})
    store.change("alice", LogIn())
    engine.agents(entry("alice", "sales", "help", skills={"cs": 3}), entry("carl", may_choose_queues=False))
    engine.work()
    alice, carl = store.agent("alice"), store.agent("carl")
    assert (alice.state, alice.tiers, alice.skills) == (AgentState.READY, {"sales": Tier(), "help": Tier()}, {"cs": 3})
    assert (carl.state, carl.may_choose_queues) == (AgentState.LOGGED_OUT, False)
    with pytest.raises(UnknownAgent):
        store.agent("bob")
    assert whats(engine, "alice") == ["log_in", "assigned"]
    assert store.events() == [], "what is kept for good need not stay"
    assert engine.archive.kept["alice"] == alice


@pytest.mark.req("R10")
def test_who_is_on_a_call_goes_when_it_is_over(rig: Rig) -> None:
    engine = Engine(rig.store())
    store = engine.store
    engine.lead()
    talks(store, "alice")
    engine.agents(entry("bob"))
    engine.work()
    assert store.agent("alice").state is AgentState.ON_CALL
    store.change("alice", ConversationEnded("m1", 60_000))
    engine.work()
    with pytest.raises(UnknownAgent):
        store.agent("alice")
    before = engine.archive.kept["alice"]
    engine.agents(entry("alice", "help"), entry("bob"))
    engine.work()
    again = store.agent("alice")
    assert again.state is AgentState.LOGGED_OUT
    assert again.version > before.version, "owners who heard of him before take him for what he is"


def test_nobody_goes_where_the_routing_data_is_not_known(rig: Rig) -> None:
    first = Engine(rig.store())
    first.lead()
    first.roster.release()
    second = Engine(rig.store(), name="e2")
    known, second.routing = second.routing, type(second.routing)(0)
    second.lead()
    assert second.store.agent("alice").id == "alice"
    second.routing = known
    second.agents(entry("alice"))
    second.work()
    with pytest.raises(UnknownAgent):
        second.store.agent("bob")


# Wrap-up, phones, calls


@pytest.mark.req("R51")
def test_wrap_up_ends_by_itself(rig: Rig) -> None:
    engine = Engine(rig.store())
    store = engine.store
    engine.lead()
    talks(store, "alice")
    until_ms = store.change("alice", ConversationEnded("m1", 60_000)).agent.wrap_up_until_ms
    engine.work()
    assert store.agent("alice").state is AgentState.WRAP_UP
    until_ms = store.change("alice", WrapUpSet(150)).agent.wrap_up_until_ms
    while store.agent("alice").state is AgentState.WRAP_UP:
        engine.roster.turn()
    assert 0 <= store.agent("alice").since_ms - until_ms < 100
    assert max(engine.pauses) <= 0.1, "it looks often enough"


@pytest.mark.req("R5")
def test_phones_go_and_come_back(rig: Rig) -> None:
    engine = Engine(rig.store())
    store = engine.store
    engine.lead()
    store.change("alice", LogIn())
    engine.work()
    engine.phones.heard("switch", "alice", False)
    engine.work()
    assert not store.agent("alice").available
    engine.phones.heard("switch", "alice", True)
    engine.work()
    assert store.agent("alice").available
    assert whats(engine, "alice") == ["log_in", "phone_gone", "phone_back"]


@pytest.mark.req("R14")
def test_a_mobile_needs_no_phone(rig: Rig) -> None:
    engine = Engine(rig.store(), registered=set())
    store = engine.store
    ready = (AgentState.READY,)
    engine.agents(
        entry("alice", mobile="+420777123456", mobile_in=ready),
        entry("bob", mobile="+420777123457", mobile_in=(AgentState.BREAK,)),
    )
    engine.lead()
    assert (store.agent("alice").reachable, store.agent("bob").reachable) == (True, False)
    engine.agents(entry("alice"), entry("bob", mobile="+420777123457", mobile_in=ready))
    engine.work()
    assert (store.agent("alice").reachable, store.agent("bob").reachable) == (False, True)


@pytest.mark.req("R10")
@pytest.mark.parametrize("begun", [True, False])
def test_nobody_is_held_by_a_call_that_is_over(rig: Rig, begun: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(rig.store())
    store = engine.store
    engine.lead()
    store.change("alice", LogIn())
    store.join(POOL, member("m1"))
    number = reserve(store, lease(store), "m1", "alice").number
    store.change("alice", Accepted(number))
    if begun:
        store.change("alice", ConversationBegan("m1", number))
    engine.work()
    assert engine.roster.calls == {"m1"}
    engine.roster.over(["m1"])
    engine.work()
    assert store.agent("alice").state is AgentState.ON_CALL, "not at once: his engine may still say so"
    monkeypatch.setattr(leader, "STUCK_MS", -1)
    engine.roster.over([])
    engine.work()
    assert store.agent("alice").state is AgentState.ON_CALL, "it lives after all"
    engine.roster.over(["m1"])
    engine.work()
    assert store.agent("alice").state is AgentState.READY
    assert whats(engine, "alice")[-1] == ("conversation_ended" if begun else "withdrawn")
    assert engine.roster.calls == frozenset()


# Two engines, and what is lost


@pytest.mark.req("R124")
@pytest.mark.usefixtures("short_leases")
def test_the_next_roster_goes_on(rig: Rig) -> None:
    first, second = Engine(rig.store()), Engine(rig.store(), name="e2")
    first.lead()
    first.store.change("alice", LogIn())
    second.lead()
    assert first.roster.lease is not None, "it does not know yet"
    second.phones.heard("switch", "alice", False)
    second.work()
    assert not second.store.agent("alice").reachable
    first.roster.turn()
    assert first.store.agent("alice") == second.store.agent("alice")
    assert whats(second, "alice") == ["log_in", "phone_gone"]


@pytest.mark.req("R124")
def test_the_second_waits_for_the_first_and_is_given_the_lease(rig: Rig) -> None:
    first, second = Engine(rig.store()), Engine(rig.store(), name="e2")
    first.lead()
    second.work(2)
    assert (second.roster.lease, second.pauses) == (None, [leader.ASK_EVERY_S] * 2)
    first.roster.release()
    second.work(1)
    assert second.roster.lease is not None


@pytest.mark.req("R124")
@pytest.mark.parametrize("by_memory", [True, False])
def test_agents_come_back_as_they_were(rig: Rig, by_memory: bool) -> None:
    engine = Engine(rig.store())
    store = engine.store
    engine.agents(*(entry(each) for each in ("alice", "bob", "carl", "dora")))
    engine.lead()
    talks(store, "alice")
    store.change("bob", LogIn())
    store.change("bob", TakeBreak(LUNCH))
    store.change("carl", LogIn())
    store.join(POOL, member("m2"))
    reserve(store, lease(store), "m2", "carl")
    engine.work()
    before = {each: store.agent(each) for each in ("alice", "bob", "carl")}
    rig.lose()
    if not by_memory:
        engine = Engine(rig.store(), archive=engine.archive, name="e2")
        engine.agents(*(entry(each) for each in ("alice", "bob", "carl", "dora")))
    engine.work(30)
    store = engine.store
    assert store.agent("alice") == before["alice"], "his call lives as long as nobody says otherwise"
    assert store.agent("bob") == before["bob"]
    carl = store.agent("carl")
    assert (carl.state, carl.offer, carl.ready_since_ms) == (AgentState.READY, None, before["carl"].ready_since_ms)
    assert whats(engine, "carl") == ["log_in", "reserved", "withdrawn"]
    assert store.change("alice", ConversationEnded("m1")).agent.state is AgentState.READY


@pytest.mark.req("R124")
def test_a_standby_remembers_too(rig: Rig) -> None:
    first, second = Engine(rig.store()), Engine(rig.store(), name="e2")
    first.lead()
    first.store.change("alice", LogIn())
    second.roster.turn()
    rig.lose()
    second.archive.away = True
    second.work(30)
    assert second.roster.lease is not None
    assert second.store.agent("alice").state is AgentState.READY


@pytest.mark.req("R124")
def test_the_archive_is_away(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(rig.store())
    store = engine.store
    engine.archive.away = True
    engine.lead()
    with pytest.raises(UnknownAgent):
        store.agent("alice")
    monkeypatch.setattr(roster_module, "RECALL_WITHIN_MS", 0)
    engine.work()
    assert store.agent("alice").state is AgentState.LOGGED_OUT, "nothing stops"
    store.change("alice", LogIn())
    engine.work()
    assert [event.what for _, event in store.events()] == ["log_in"], "they wait"
    engine.archive.away = False
    engine.work()
    assert (whats(engine, "alice"), store.events()) == (["log_in"], [])
    assert engine.archive.kept["alice"].state is AgentState.READY


@dataclass
class Calls:
    """The journals that are open; None: nobody knows."""

    open: dict[str, str] | None = field(default_factory=dict)

    def open_calls(self) -> Mapping[str, str]:
        if self.open is None:
            raise JournalUnavailable("redis is away")
        return self.open


@pytest.mark.req("R10")
def test_a_call_is_over_where_neither_journal_nor_switch_has_it(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader, "STUCK_MS", -1)
    engine, journal, control = Engine(rig.store()), Calls({"m1": "e1"}), FakeControl()
    watch = CallWatch((engine.roster,), cast(Journal, journal), {"switch": control})
    engine.lead()
    talks(engine.store, "alice")
    engine.work()

    def state() -> AgentState:
        watch.look()
        engine.work()
        return engine.store.agent("alice").state

    assert state() is AgentState.ON_CALL
    journal.open = None
    assert state() is AgentState.ON_CALL, "nobody knows"
    journal.open, control.alive = {}, {"m1"}
    assert state() is AgentState.ON_CALL, "the switch has it"
    control.connected = False
    assert state() is AgentState.ON_CALL, "the switch can't be asked"
    control.connected, control.alive = True, set()
    assert state() is AgentState.READY
