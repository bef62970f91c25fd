"""Sessions on the fake switch: every way a call can go, without a network and without waiting."""

from __future__ import annotations

from collections.abc import Mapping

import gevent
import pytest

from engine.domain.call import CallResult, HungUpBy
from engine.domain.journal import Attached, Ended, Entry, LegEvent, encode
from engine.domain.routing import RoutingSnapshot
from engine.session.journal import JournalUnavailable
from engine.switch.port import ChannelEnd, Digits, NotPlayed, Originated, Played, TimedOut
from ivr_flows.node import Node
from ivr_flows.nodes.agent import Agent
from ivr_flows.nodes.answer import Answer
from ivr_flows.nodes.hangup import Hangup
from ivr_flows.nodes.menu import Menu
from ivr_flows.nodes.play import Play
from tests.unit.session.bench import Bench, flow, path, returned
from tests.unit.session.fake_switch import FakeChannel, Gone, Lost, channel_info

MAIN: Mapping[str, tuple[Node, Mapping[str, str]]] = {
    "answer": (Answer(), {"next": "welcome"}),
    "welcome": (Play(prompts=("a",)), {"done": "menu", "key": "menu", "error": "bye"}),
    "menu": (
        Menu(prompts=("b",), keys={"1": "agent"}, attempts=2),
        {"agent": "alice", "no_input": "nobody", "invalid": "nobody"},
    ),
    "alice": (
        Agent(agent="alice"),
        {"finished": "bye", "busy": "sorry", "no_answer": "sorry", "not_ready": "sorry"},
    ),
    "sorry": (Play(prompts=("c",)), {"done": "bye", "key": "bye", "error": "bye"}),
    "nobody": (Play(prompts=("d",)), {"done": "bye", "key": "bye", "error": "bye"}),
    "bye": (Hangup(reason="end"), {}),
}
TO_AGENT = [Played(), Digits("1")]


@pytest.fixture
def bench() -> Bench:
    return Bench(flow(MAIN), record=True)


def to_conversation(bench: Bench, channel: FakeChannel) -> tuple[gevent.Greenlet, str]:
    """The call in conversation with Alice; its greenlet and the id of her leg."""
    bench.control.outcomes.append(Originated("answered"))
    running = bench.start(channel)
    _, leg = bench.control.joined.get(timeout=5)
    return running, leg


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


@pytest.mark.req("R124")
def test_joined_but_not_written_down(bench: Bench) -> None:
    """The engine died between the command and the entry; the switch tells the next one."""
    bench.control.outcomes.append(Originated("answered"))
    channel = FakeChannel(script=TO_AGENT)
    running = bench.start(channel)
    originate = bench.control.ringing.get(timeout=5)
    bench.control.joined.get(timeout=5)
    running.kill()
    stream = bench.journal.streams["a-leg"]
    stream[:] = [line for line in stream if b'"bridged"' not in line]
    bench.clock.ms += 60_000
    bench.run(returned(channel, originate.leg), bench.engine("e2"))
    record = bench.record()
    assert (record.result, record.talk_ms) == (CallResult.HANDLED, 60_000)


@pytest.mark.req("R124")
def test_a_call_returns_while_the_journal_can_not_be_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = FakeChannel(script=TO_AGENT)
    running, leg = to_conversation(bench, channel)

    def unreadable(call_id: str) -> list[Entry]:
        raise JournalUnavailable("redis: away")

    with monkeypatch.context() as away:
        away.setattr(bench.journal, "load", unreadable)
        bench.run(returned(channel, leg))
    running.join(5)
    assert path(bench.record())[-2:] == ["alice", "bye"]


def test_taken_off_twice_leaves_nothing_behind(bench: Bench) -> None:
    channel = FakeChannel(script=TO_AGENT)
    running, _ = to_conversation(bench, channel)
    session = bench.register.get("a-leg")
    assert session is not None
    session.detach("one", wait_s=0)
    session.detach("two", wait_s=0)
    running.join(5)
    assert len(bench.register) == 0
    assert channel.closed


def test_one_broken_journal_does_not_keep_the_janitor_from_others(bench: Bench) -> None:
    bench.journal.streams["broken"] = [encode(Entry(1, 1, Attached("e0", 1)))]
    bench.journal.open["broken"] = "e0"
    bench.run(FakeChannel(script=[Lost()]))
    bench.journal.living = {"e2"}
    assert bench.janitor(bench.engine("e2")).sweep() == 1
    assert bench.journal.open == {}
    assert bench.record().hangup_cause == "NORMAL_UNSPECIFIED"


@pytest.mark.req("R124")
def test_engine_dies_while_ringing_and_the_caller_hangs_up(bench: Bench) -> None:
    running = bench.start(FakeChannel(script=TO_AGENT))
    originate = bench.control.ringing.get(timeout=5)
    running.kill()
    bench.control.killed.clear()
    bench.journal.living = {"e2"}
    assert bench.janitor(bench.engine("e2")).sweep() == 1
    assert originate.leg in bench.control.killed
    assert bench.record().result is CallResult.OTHER_END


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


@pytest.mark.req("R124")
def test_engine_dies_in_a_prompt_and_the_next_one_goes_on(bench: Bench) -> None:
    channel = FakeChannel(script=[Played(), Lost()])
    bench.run(channel)
    assert not bench.spooled, "the call is not over"
    back = FakeChannel(
        channel_info(answered=True, attempt=2, variables={"cw_seen": "1"}), [TimedOut(), TimedOut(), Played()]
    )
    bench.run(back, bench.engine("e2"))
    record = bench.record()
    assert path(record) == ["answer", "welcome", "menu", "nobody", "bye"]
    assert record.resumed == 1
    assert back.log[0][0] == "collect", "stands at the node where the call stood"
    assert [event.engine for event in bench.events() if isinstance(event, Attached)] == ["e1", "e2"]


@pytest.mark.req("R124")
def test_engine_dies_in_conversation_and_the_agent_hangs_up(bench: Bench) -> None:
    channel = FakeChannel(script=TO_AGENT)
    running, leg = to_conversation(bench, channel)
    gevent.sleep(0)
    running.kill()
    bench.clock.ms += 9_000
    bench.run(returned(channel, leg), bench.engine("e2"))
    record = bench.record()
    assert (record.talk_ms, record.hung_up_by, record.resumed) == (9_000, HungUpBy.AGENT, 1)


@pytest.mark.req("R124")
def test_engine_dies_while_ringing_and_the_agent_is_rung_again(bench: Bench) -> None:
    channel = FakeChannel(script=TO_AGENT)
    running = bench.start(channel)
    first = bench.control.ringing.get(timeout=5)
    running.kill()
    bench.control.outcomes.append(Originated("busy", "USER_BUSY"))
    back = FakeChannel(channel_info(answered=True, attempt=2, variables={"cw_seen": "1"}), [Played()])
    bench.run(back, bench.engine("e2"))
    assert first.leg in bench.control.killed, "the forgotten leg is ended"
    assert len(bench.control.rung) == 2
    assert path(bench.record())[-3:] == ["alice", "sorry", "bye"]


@pytest.mark.req("R90", "R124")
def test_engine_dies_in_conversation_and_the_caller_hangs_up(bench: Bench) -> None:
    channel = FakeChannel(script=TO_AGENT)
    running, _ = to_conversation(bench, channel)
    gevent.sleep(0)
    running.kill()
    services = bench.engine("e2")
    janitor = bench.janitor(services)
    bench.control.alive = {"a-leg"}
    bench.journal.living = {"e1", "e2"}
    end = ChannelEnd("a-leg", "NORMAL_CLEARING", by_remote=True, variables={"cw_seen": "1"})
    for told in bench.control.end_callbacks:
        told(end)
    assert janitor.sweep() == 0, "its engine still gives signs of life"
    bench.journal.living = {"e2"}
    assert janitor.sweep() == 1
    record = bench.record()
    assert (record.result, record.hung_up_by) == (CallResult.HANDLED, HungUpBy.CALLER)
    assert janitor.sweep() == 0, "one record"


def test_janitor_asks_the_switch_where_no_hangup_was_seen(bench: Bench) -> None:
    bench.run(FakeChannel(script=[Lost()]))
    services = bench.engine("e2")
    janitor = bench.janitor(services)
    bench.journal.living = {"e2"}
    bench.control.alive = {"a-leg"}
    assert janitor.sweep() == 0, "the call lives and will come back"
    bench.control.connected = False
    assert janitor.sweep() == 0, "nobody can be asked"
    bench.control.connected = True
    bench.control.alive = set()
    assert janitor.sweep() == 1
    assert bench.record().hangup_cause == "NORMAL_UNSPECIFIED"


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


def test_known_to_the_switch_but_not_to_the_journal(bench: Bench) -> None:
    """Its journal can't be read now: the call goes back to the switch, which tries the next engine."""
    channel = FakeChannel(channel_info(attempt=2, variables={"cw_seen": "1"}))
    bench.run(channel)
    assert channel.log == []
    assert channel.closed
    assert bench.journal.streams == {}


def test_a_flow_that_changed_under_the_journal_is_not_run(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.run(FakeChannel(script=[Lost()]))
    changed = dict(MAIN) | {"answer": (Answer(mode="ringing"), {"next": "welcome"})}
    bench._flows["main", "v1"] = flow(changed)
    back = FakeChannel(channel_info(attempt=2, variables={"cw_seen": "1"}))
    bench.run(back)
    assert back.log == []
    assert "Diverged" in caplog.text


def test_comes_back_after_its_end(bench: Bench) -> None:
    bench.run(FakeChannel(script=[Gone()]))
    late = FakeChannel(channel_info(attempt=2, variables={"cw_seen": "1"}))
    bench.run(late)
    assert late.log == [("hangup", "NORMAL_CLEARING")]
    assert sum(isinstance(event, Ended) for event in bench.events()) == 1


def test_journal_tells_the_agents_leg(bench: Bench) -> None:
    channel = FakeChannel(script=TO_AGENT)
    running, leg = to_conversation(bench, channel)
    bench.run(returned(channel, leg))
    running.join(5)
    told = [event.event for event in bench.events() if isinstance(event, LegEvent)]
    assert told == ["offered", "answered", "bridged", "unbridged", "ended"]
