"""Sessions on the fake switch: every way a call can go, without a network and without waiting."""

from __future__ import annotations

import gevent
import pytest

from engine.domain.call import CallResult, HungUpBy
from engine.domain.journal import LegEvent
from engine.domain.routing import RoutingSnapshot
from engine.switch.port import ChannelEnd, Digits, NotPlayed, Originated, Played, TimedOut
from ivr_flows.nodes.agent import Agent
from tests.unit.session.bench import Bench, flow, path, returned
from tests.unit.session.calls import MAIN, TO_AGENT, to_conversation
from tests.unit.session.fake_switch import FakeChannel, Gone, channel_info


@pytest.fixture
def bench() -> Bench:
    return Bench(flow(MAIN), record=True)


@pytest.mark.req("R20")
def test_wrong_key_then_nothing_takes_the_no_input_exit(bench: Bench) -> None:
    channel = FakeChannel(script=[Played(), Digits("9"), TimedOut(), Played()])
    bench.run(channel)
    record = bench.record()
    assert path(record) == ["answer", "welcome", "menu", "nobody", "bye"]
    assert (record.result, record.hung_up_by) == (CallResult.OTHER_END, HungUpBy.SYSTEM)
    assert channel.closed
    assert len(bench.register) == 0


@pytest.mark.req("R90", "R91")
def test_hangup_in_a_prompt(bench: Bench) -> None:
    bench.run(FakeChannel(script=[Gone()]))
    record = bench.record()
    assert path(record) == ["answer", "welcome"]
    assert (record.result, record.hung_up_by) == (CallResult.LOST_IN_IVR, HungUpBy.CALLER)
    assert bench.journal.open == {}


def test_a_missing_prompt_takes_the_error_exit(bench: Bench) -> None:
    bench.run(FakeChannel(script=[NotPlayed("FILE NOT FOUND")]))
    assert path(bench.record()) == ["answer", "welcome", "bye"]


@pytest.mark.req("R80", "R83")
def test_conversation_that_the_agent_ends(bench: Bench) -> None:
    channel = FakeChannel(script=TO_AGENT)
    running, leg = to_conversation(bench, channel)
    assert bench.control.bridged == [("a-leg", leg)]
    assert channel.variables["transfer_after_bridge"] == "cw_resume:XML:public"
    recording = bench.announced[0]
    assert channel.log[-1] == ("start_recording", recording.path)
    assert (recording.call_id, recording.agent, recording.agent_name) == ("a-leg", "alice", "Alice")

    bench.clock.ms += 60_000
    back = returned(channel, leg)
    bench.run(back)
    running.join(5)
    record = bench.record()
    assert path(record) == ["answer", "welcome", "menu", "alice", "bye"]
    assert (record.result, record.hung_up_by) == (CallResult.HANDLED, HungUpBy.AGENT)
    assert (record.wait_ms, record.talk_ms) == (0, 60_000)
    assert record.recordings == (recording.id,)
    assert back.log == [("stop_recording", recording.path), ("hangup", "NORMAL_CLEARING")]
    assert ("answer",) not in back.log, "what was done already is not done again"


@pytest.mark.req("R90")
def test_conversation_that_the_caller_ends(bench: Bench) -> None:
    channel = FakeChannel(script=TO_AGENT)
    running, leg = to_conversation(bench, channel)
    bench.clock.ms += 5_000
    channel.caller_hangs_up()
    running.join(5)
    record = bench.record()
    assert (record.result, record.hung_up_by, record.talk_ms) == (CallResult.HANDLED, HungUpBy.CALLER, 5_000)
    assert leg in bench.control.killed


@pytest.mark.req("R90")
def test_the_channel_leaves_its_socket_for_the_conversation(bench: Bench) -> None:
    channel = FakeChannel(script=TO_AGENT)
    running, _ = to_conversation(bench, channel)
    channel.connection_breaks()
    gevent.sleep(0)
    assert "a-leg" in bench.register, "the call is this engine's, socket or not"
    bench.clock.ms += 3_000
    end = ChannelEnd("a-leg", "NORMAL_CLEARING", by_remote=True, variables={})
    bench.services.tools.conversations.note_end(end)
    running.join(5)
    record = bench.record()
    assert (record.hung_up_by, record.talk_ms, record.resumed) == (HungUpBy.CALLER, 3_000, 0)


@pytest.mark.req("R90")
def test_the_switch_restarts_in_conversation(bench: Bench) -> None:
    channel = FakeChannel(script=TO_AGENT)
    running, _ = to_conversation(bench, channel)
    channel.connection_breaks()
    gevent.sleep(0)
    bench.control.alive = {"a-leg"}
    bench.services.tools.conversations.check(bench.control)
    gevent.sleep(0)
    assert "a-leg" in bench.register
    bench.control.alive = set()
    bench.services.tools.conversations.check(bench.control)
    running.join(5)
    assert bench.record().hangup_cause == "NORMAL_UNSPECIFIED"
    assert len(bench.register) == 0


@pytest.mark.req("R91")
def test_hangup_while_the_agent_is_rung(bench: Bench) -> None:
    channel = FakeChannel(script=TO_AGENT)
    running = bench.start(channel)
    originate = bench.control.ringing.get(timeout=5)
    channel.caller_hangs_up("ORIGINATOR_CANCEL")
    running.join(5)
    assert originate.cancelled
    record = bench.record()
    assert (record.result, record.hangup_cause) == (CallResult.LOST_RINGING, "ORIGINATOR_CANCEL")
    assert [(leg.party, leg.result) for leg in record.legs] == [("alice", "not_answered")]


@pytest.mark.parametrize(
    "outcome",
    [
        Originated("busy", "USER_BUSY"),
        Originated("no_answer", "NO_ANSWER"),
        Originated("rejected", "CALL_REJECTED"),
        Originated("not_registered", "USER_NOT_REGISTERED"),
        Originated("failed", "NETWORK_OUT_OF_ORDER"),
    ],
)
def test_agent_not_reached(bench: Bench, outcome: Originated) -> None:
    bench.control.outcomes.append(outcome)
    channel = FakeChannel(script=[*TO_AGENT, Played()])
    bench.run(channel)
    record = bench.record()
    assert path(record)[-3:] == ["alice", "sorry", "bye"]
    assert record.legs[0].hangup_cause == outcome.cause
    assert ("stop_playing",) in channel.log
    assert record.recordings == ()


@pytest.mark.req("R80")
def test_a_recording_that_is_refused_costs_no_conversation(bench: Bench) -> None:
    channel = FakeChannel(script=TO_AGENT, refuses={"start_recording"})
    running, leg = to_conversation(bench, channel)
    assert len(bench.control.rung) == 1
    bench.run(returned(channel, leg))
    running.join(5)
    record = bench.record()
    assert (record.result, record.recordings) == (CallResult.HANDLED, ())
    assert len(bench.announced) == 1, "the row says that it was to be recorded"


def test_a_recording_that_has_ended_by_itself_is_no_fault(bench: Bench) -> None:
    channel = FakeChannel(script=TO_AGENT)
    running, leg = to_conversation(bench, channel)
    back = returned(channel, leg)
    back.refuses = {"stop_recording"}
    bench.run(back)
    running.join(5)
    record = bench.record()
    assert (record.result, len(record.recordings)) == (CallResult.HANDLED, 1)


def test_a_prompt_that_the_switch_refuses_takes_the_error_exit(bench: Bench) -> None:
    bench.run(FakeChannel(refuses={"play"}))
    assert path(bench.record()) == ["answer", "welcome", "bye"]


def test_hangup_during_the_announcement_to_the_agent(bench: Bench) -> None:
    announced = dict(MAIN)
    announced["alice"] = (Agent(agent="alice", announcement=("e",)), MAIN["alice"][1])
    bench = Bench(flow(announced))
    bench.control.outcomes.append(Originated("answered"))
    channel = FakeChannel(script=TO_AGENT)
    running = bench.start(channel)
    assert bench.control.announcing.wait(5)
    assert not bench.services.tools.conversations.holds("a-leg")
    channel.caller_hangs_up()
    running.join(5)
    assert running.ready()
    record = bench.record()
    assert (record.result, record.talk_ms) == (CallResult.LOST_RINGING, 0)
    assert bench.control.bridged == []


def test_control_connection_down(bench: Bench) -> None:
    bench.control.connected = False
    bench.run(FakeChannel(script=[*TO_AGENT, Played()]))
    assert path(bench.record())[-3:] == ["alice", "sorry", "bye"]


def test_the_agent_hangs_up_in_the_moment_of_joining(bench: Bench) -> None:
    bench.control.outcomes.append(Originated("answered"))
    bench.control.refuse_bridge = True
    channel = FakeChannel(script=[*TO_AGENT, Played()])
    bench.run(channel)
    record = bench.record()
    assert path(record)[-3:] == ["alice", "sorry", "bye"]
    assert record.talk_ms == 0
    assert any(done[0] == "stop_recording" for done in channel.log)


@pytest.mark.req("R11")
def test_a_number_without_a_route_is_refused_and_recorded(bench: Bench) -> None:
    channel = FakeChannel(channel_info(did="+420999888777"))
    bench.run(channel)
    assert channel.log == [("hangup", "UNALLOCATED_NUMBER")]
    record = bench.record()
    assert (record.flow, record.reason, record.did) == ("", "no_route", "+420999888777")


def test_a_number_put_in_a_moment_ago_works_at_once(bench: Bench) -> None:
    bench.newer = bench.snapshot
    bench.snapshot = RoutingSnapshot(6)
    bench.run(FakeChannel(script=[Gone()]))
    assert path(bench.record()) == ["answer", "welcome"]


def test_hostile_caller_values_stay_values(bench: Bench) -> None:
    info = channel_info(ani="x\nUnique-ID: victim", caller_name="a\nvariable_ua: evil\x00${system(id)}")
    bench.run(FakeChannel(info, [Gone()]))
    record = bench.record()
    assert record.caller == ""
    assert "\n" not in record.caller_name
    assert "\x00" not in record.caller_name


def test_journal_tells_the_agents_leg(bench: Bench) -> None:
    channel = FakeChannel(script=TO_AGENT)
    running, leg = to_conversation(bench, channel)
    bench.run(returned(channel, leg))
    running.join(5)
    told = [event.event for event in bench.events() if isinstance(event, LegEvent)]
    assert told == ["offered", "answered", "bridged", "unbridged", "ended"]
