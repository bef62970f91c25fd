"""Calls that reach an agent past his queues: no queue offers him anybody meanwhile (R5, R14)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from engine.acd.agent import LogIn, LogOut
from engine.domain.acd import AgentState
from engine.switch.port import DialTarget, Originated
from ivr_flows.flow import Flow
from ivr_flows.nodes.agent import Agent
from ivr_flows.nodes.hangup import Hangup
from tests.unit.session.bench import flow, returned
from tests.unit.session.centre import ANSWERED, Centre, ended, in_state, talking, waiting
from tests.unit.session.fake_switch import FakeChannel, channel_info

Open = Callable[..., Centre]


def past_the_queue() -> Flow:
    exits = {each: each for each in ("finished", "busy", "no_answer", "not_ready")}
    return flow({"alice": (Agent(agent="alice"), exits)} | {each: (Hangup(reason=each), {}) for each in exits})


def test_who_is_rung_is_offered_nobody_until_the_call_is_over(centre: Open) -> None:
    made = centre(past_the_queue(), agents="alice")
    caller = FakeChannel()
    made.start(caller)
    ringing = made.rings("alice")
    assert (made.agent("alice").state, made.agent("alice").call) == (AgentState.ON_CALL, "a-leg")
    ringing.outcome.set(ANSWERED)
    made.control.joined.get(timeout=5)
    made.run(returned(caller, ringing.leg))
    assert ended(made) == "finished"
    made.until(lambda: in_state(made, "alice", AgentState.READY))


@pytest.mark.parametrize("outcome", [Originated("no_answer", "NO_ANSWER"), Originated("rejected", "CALL_REJECTED")])
def test_or_until_it_did_not_come_about(centre: Open, outcome: Originated) -> None:
    made = centre(past_the_queue(), agents="alice")
    made.start(FakeChannel())
    made.rings("alice").outcome.set(outcome)
    made.until(lambda: in_state(made, "alice", AgentState.READY))


def test_or_until_the_caller_hangs_up(centre: Open) -> None:
    made = centre(past_the_queue(), agents="alice")
    caller = FakeChannel()
    made.start(caller)
    made.rings("alice")
    caller.caller_hangs_up()
    made.until(lambda: in_state(made, "alice", AgentState.READY))
    assert ended(made) == ""


def test_who_talks_with_a_member_is_busy(centre: Open) -> None:
    made = centre(agents="alice")
    talking(made)
    made.flows_now(past_the_queue())
    made.start(FakeChannel(channel_info("b-leg")))
    assert ended(made, "b-leg") == "busy"
    assert made.agent("alice").call == "a-leg"
    assert len(made.control.rung) == 1


def test_who_is_logged_out_has_a_phone_all_the_same_and_may_log_in_while_he_talks(centre: Open) -> None:
    made = centre(past_the_queue(), agents="alice")
    made.store.change("alice", LogOut())
    caller = FakeChannel()
    made.start(caller)
    ringing = made.rings("alice")
    ringing.outcome.set(ANSWERED)
    made.control.joined.get(timeout=5)
    made.store.change("alice", LogIn())
    made.flows_now(waiting())
    member = FakeChannel(channel_info("b-leg"))
    made.arrives(member)
    made.until(made.second_passes)
    assert (made.agent("alice").state, made.agent("alice").call) == (AgentState.ON_CALL, "a-leg")
    caller.caller_hangs_up()
    assert made.rings("alice", times=2)
    assert made.agent("alice").call == "b-leg"


def test_another_engine_rings_on(centre: Open) -> None:
    made = centre(past_the_queue(), agents="alice")
    made.start(FakeChannel())
    made.rings("alice")
    second = made.second_engine()
    made.engine_dies(made.services)
    made.start(FakeChannel(channel_info(attempt=2, variables={"cw_seen": "1"})), second)
    made.rings("alice", times=2)


def test_the_janitor_frees_who_was_rung_by_a_dead_engine(centre: Open) -> None:
    made = centre(past_the_queue(), agents="alice")
    made.start(FakeChannel())
    made.rings("alice")
    second = made.second_engine()
    made.journal.living.clear()
    made.janitor(second).sweep()
    made.until(lambda: in_state(made, "alice", AgentState.READY))


@pytest.mark.req("R14")
@pytest.mark.parametrize(("states", "rung"), [((AgentState.READY,), "+420777123456"), ((AgentState.BREAK,), "alice")])
def test_his_mobile_rings_in_the_states_that_he_chose(centre: Open, states: tuple[AgentState, ...], rung: str) -> None:
    made = centre(past_the_queue(), agents="alice")
    alice, *others = made.snapshot.agents
    made.snapshot = replace(made.snapshot, agents=(replace(alice, mobile="+420777123456", mobile_in=states), *others))
    made.start(FakeChannel())
    target: DialTarget = made.until(lambda: made.control.rung)[0][0]
    assert target.user_or_number == rung


@pytest.mark.req("R14")
def test_so_does_it_for_a_member_of_a_queue(centre: Open) -> None:
    made = centre()
    alice, *others = made.snapshot.agents
    mobile = replace(alice, mobile="+420777123456", mobile_in=(AgentState.READY,))
    made.snapshot = replace(made.snapshot, agents=(mobile, *others))
    made.log_in("alice")
    made.arrives()
    ringing = made.rings("+420777123456")
    assert made.control.rung[0][0].kind == "gateway"
    ringing.outcome.set(ANSWERED)
    made.until(lambda: made.agent("alice").talking_since_ms)


def test_where_nobody_can_tell_his_phone_rings(centre: Open) -> None:
    made = centre(past_the_queue(), agents="alice")
    made.close()  # nobody puts the shared state together again
    made.acd.lose()
    made.start(FakeChannel())
    made.rings("alice")
