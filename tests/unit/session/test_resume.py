"""Calls that come back: from a conversation, or after an engine's death; and those that never do."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import AsyncResult

from engine.domain.call import CallResult, HungUpBy
from engine.domain.journal import Attached, Ended, Entry, encode
from engine.session.journal import JournalUnavailable
from engine.switch.port import ChannelEnd, Originated, Played, TimedOut
from ivr_flows.nodes.answer import Answer
from tests.unit.session.bench import Bench, flow, path, returned
from tests.unit.session.calls import MAIN, TO_AGENT, to_conversation
from tests.unit.session.fake_switch import FakeChannel, Gone, Lost, channel_info


@pytest.fixture
def bench() -> Bench:
    return Bench(flow(MAIN), record=True)


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


@pytest.mark.req("R83", "R124")
def test_engine_dies_between_the_recordings_entry_and_the_command(bench: Bench) -> None:
    """The next engine gives the command again: to the switch, a recording that runs already is no fault."""
    bench.control.outcomes.append(Originated("answered"))
    channel = FakeChannel(script=TO_AGENT)
    running = bench.start(channel)
    bench.control.joined.get(timeout=5)
    running.kill()
    stream = bench.journal.streams["a-leg"]
    upto = next(n for n, line in enumerate(stream, 1) if b'"kind":"recording"' in line)
    del stream[upto:]
    (recording,) = bench.announced
    bench.control.outcomes.append(Originated("answered"))
    back = FakeChannel(channel_info(answered=True, attempt=2, variables={"cw_seen": "1"}), [Gone()])
    bench.control.joined = AsyncResult()
    again = bench.start(back, bench.engine("e2"))
    bench.control.joined.get(timeout=5)
    assert ("start_recording", recording.path) in back.log
    again.kill()
    assert {row.id for row in bench.announced} == {recording.id}, "one recording, one row"


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


def test_a_call_without_its_engine_is_fetched_once(bench: Bench) -> None:
    bench.run(FakeChannel(script=[Lost()]))
    janitor = bench.janitor(bench.engine("e2"))
    bench.journal.living = {"e2"}
    bench.control.alive = {"a-leg"}
    janitor.sweep()
    assert bench.control.fetched == [], "its engine's sign of life may only be late"
    bench.clock.ms += 3000
    bench.control.connected = False
    janitor.sweep()
    bench.control.connected = True
    bench.journal.claims.clear()
    janitor.sweep()
    janitor.sweep()
    assert bench.control.fetched == [("a-leg", "cw_again:XML:public")]


def test_a_sign_of_life_begins_the_wait_anew(bench: Bench) -> None:
    bench.run(FakeChannel(script=[Lost()]))
    janitor = bench.janitor(bench.engine("e2"))
    bench.control.alive = {"a-leg"}
    for living in ({"e2"}, {"e1", "e2"}, {"e2"}):
        bench.journal.living = living
        janitor.sweep()
        bench.clock.ms += 2000
    assert bench.control.fetched == []


def test_a_conversation_without_its_engine_is_left_alone(bench: Bench) -> None:
    channel = FakeChannel(script=TO_AGENT)
    running, leg = to_conversation(bench, channel)
    running.kill()
    bench.control.alive = {"a-leg", leg}
    bench.control.in_conversation = {"a-leg"}
    bench.journal.living = {"e2"}
    janitor = bench.janitor(bench.engine("e2"))
    for _ in range(3):
        janitor.sweep()
        bench.clock.ms += 3000
    assert bench.control.fetched == []


@pytest.mark.parametrize(
    ("attempt", "variables"),
    [(2, {}), (1, {"cw_seen": "true"}), (1, {"transfer_source": "1:a:bl_xfer:100/public/XML"})],
)
def test_a_call_that_was_here_before_goes_on_where_it_stood(
    bench: Bench, attempt: int, variables: dict[str, str]
) -> None:
    bench.run(FakeChannel(script=[Lost()]))
    info = channel_info(attempt=attempt, variables=variables)
    bench.run(FakeChannel(info, script=[Played(), Gone()]), bench.engine("e2"))
    record = bench.record()
    assert record.resumed == 1
    assert path(record)[0] == "answer"


def test_a_call_that_comes_for_the_first_time_has_no_journal_to_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as unread:
        unread.delattr(type(bench.journal), "load")
        bench.run(FakeChannel(script=[Gone()]))
    assert path(bench.record())[0] == "answer"
