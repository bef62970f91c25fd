"""Each part that the system stands on goes away while calls come, and comes back. On either switch."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from callwright.client import path
from callwright.demo.verify import recording_faults
from callwright.local.stack import Stack
from labswitch.phone import Behaviour
from tests.sip.conftest import (
    LONG_NUMBER,
    UNKNOWN_NUMBER,
    WITHIN_S,
    System,
    chooses,
    listens_to_the_welcome,
    nodes,
)

pytestmark = pytest.mark.req("R124")

SERVICES = ("postgres", "valkey", "s3")
LATE_S = 30.0
"""Until what waited for a part has arrived: who waits asks ever more rarely."""
REDIS_AWAY_S = 60.0
TALKED = ["answer", "welcome", "menu", "agent", "hangup"]


@pytest.fixture(autouse=True)
def _everything_again(stack: Stack) -> Iterator[None]:
    """Whatever a test took away is there for the next one."""
    yield
    for name in SERVICES:
        stack.resume_service(name)
        if not stack.service_runs(name):
            stack.start_service(name)
    for index, engine in enumerate(stack.engines):
        if not engine.running():
            stack.start_engine(index)
    stack.check()


def no_call_is_open(system: System) -> None:
    """Nobody holds a call any more: no ghost is left in the register that all engines share."""
    with system.redis() as client:
        system.wait_until("no open call in Redis", lambda: client.hlen("cw:open") == 0, LATE_S)


def entries_of(system: System, record: dict[str, object]) -> list[str]:
    """The kinds of a call's journal, in order; the numbers have no gap."""
    journal = system.api.get(path("calls", str(record["call_id"]), "journal"))["entries"]
    assert [entry["n"] for entry in journal] == list(range(1, len(journal) + 1))
    return [entry["event"]["kind"] for entry in journal]


@pytest.mark.req("R90")
def test_postgresql_is_away(system: System) -> None:
    talker, listener, stranger, late = (system.new_caller() for _ in range(4))
    system.stack.stop_service("postgres")
    call, theirs = system.talk(talker)
    short = system.call(caller=listener)
    assert system.call(UNKNOWN_NUMBER, stranger).wait_ended(WITHIN_S).sip_code == 404
    listens_to_the_welcome(short)
    short.hangup()
    theirs.hangup()
    call.wait_ended(WITHIN_S)
    no_call_is_open(system)
    system.stack.kill_engine(0)
    system.stack.start_engine(0)  # from its copy on disk
    call, theirs = system.talk(late)
    theirs.hangup()
    call.wait_ended(WITHIN_S)

    system.stack.start_service("postgres")
    records = {caller: system.record(caller, within_s=LATE_S) for caller in (talker, listener, stranger, late)}
    assert [records[caller]["result"] for caller in records] == ["handled", "lost_in_ivr", "other_end", "handled"]
    assert records[stranger]["reason"] == "no_route"
    assert [nodes(records[caller]) for caller in (talker, late)] == [TALKED, TALKED]
    for caller in (talker, late):
        system.record(caller, lambda found: [each["state"] for each in found["recordings"]] == ["stored"], LATE_S)


@pytest.mark.req("R83")
def test_object_storage_is_away(system: System) -> None:
    caller = system.new_caller()
    system.stack.stop_service("s3")
    call, theirs = system.talk(caller)
    theirs.wait_heard_s(theirs.heard_s() + 1.5, WITHIN_S)  # long enough to be heard in the recording
    theirs.hangup()
    call.wait_ended(WITHIN_S)
    record = system.record(caller, lambda found: found["recordings"][0]["state"] == "ended")
    waiting = system.stack.config.engine.recordings_dir / f"{record['recordings'][0]['id']}.flac"
    assert waiting.exists()
    system.stack.start_service("s3")
    record = system.record(caller, lambda found: found["recordings"][0]["state"] == "stored", LATE_S)
    link = system.api.get(path("calls", record["call_id"], "recording"))["url"]
    assert recording_faults(link, record["recordings"][0]) == []
    system.wait_until("the local file is gone", lambda: not waiting.exists())


@pytest.mark.req("R90")
def test_redis_is_away_for_a_minute_and_comes_back_empty(system: System, a_long_prompt: None) -> None:
    before, during = system.new_caller(), system.new_caller()
    early = system.call(LONG_NUMBER, caller=before)
    early.wait_heard_tone(500, WITHIN_S)
    system.stack.stop_service("valkey")
    away_until = time.monotonic() + REDIS_AWAY_S
    agent = system.agent(Behaviour.answering(0.1, tone_hz=700, hangup_after_s=0.5))
    whole = []
    while time.monotonic() < away_until:
        whole.append(system.new_caller())
        call = system.call(caller=whole[-1])
        chooses(call, "1")
        agent.wait_call(WITHIN_S)
        call.wait_ended(WITHIN_S)
    held = system.call(caller=during)
    listens_to_the_welcome(held)
    system.stack.start_service("valkey")
    with system.redis() as client:
        system.wait_until("both calls are joined up", lambda: client.hlen("cw:open") == 2)
        streams = [f"cw:journal:{call_id.decode()}" for call_id in client.hkeys("cw:open")]
        system.wait_until("their journals too", lambda: all(client.xlen(stream) > 4 for stream in streams))
        owners = dict.fromkeys(client.hvals("cw:open"))
        assert len(owners) == 1
        system.stack.kill_engine(0)  # the other one goes on from what was joined up
        system.wait_until("it has both calls", lambda: not owners.keys() & set(client.hvals("cw:open")), LATE_S)
    held.hangup()
    early.hangup()
    records = {caller: system.record(caller) for caller in (before, during, *whole)}
    results = [records[caller]["result"] for caller in records]
    assert results == ["lost_in_ivr", "lost_in_ivr", *("handled" for _ in whole)]
    assert nodes(records[before]) == ["answer", "long"]
    assert nodes(records[during])[:2] == ["answer", "welcome"]
    assert records[during]["resumed"] >= 1
    assert all(nodes(records[caller]) == TALKED for caller in whole)
    for record in records.values():
        kinds = entries_of(system, record)
        assert (kinds[:2], kinds[-1]) == (["started", "attached"], "ended")
    no_call_is_open(system)


@pytest.mark.req("R90")
def test_redis_hangs(system: System) -> None:
    before, during = system.new_caller(), system.new_caller()
    early = system.call(caller=before)
    listens_to_the_welcome(early)
    system.stack.suspend_service("valkey")
    call, theirs = system.talk(during)
    theirs.hangup()
    call.wait_ended(WITHIN_S)
    early.hangup()
    for caller, path_taken in ((during, TALKED), (before, ["answer", "welcome", "menu"])):
        record = system.record(caller)
        assert nodes(record) == path_taken
        assert entries_of(system, record)[-1] == "ended"
    system.stack.resume_service("valkey")
    no_call_is_open(system)


def test_an_engine_dies_while_redis_hangs(system: System) -> None:
    """Nobody can read how far the call was: the next engine serves it from the beginning, and there is one record."""
    caller = system.new_caller()
    system.stack.suspend_service("valkey")
    call = system.call(caller=caller)
    listens_to_the_welcome(call)
    system.stack.kill_engine(0)
    call.wait_heard_silence(WITHIN_S, 0.5)
    call.skip_heard()
    agent = system.agent(Behaviour.answering(0.1, tone_hz=700))
    call.wait_heard_any(WITHIN_S)
    call.press("1")
    theirs = agent.wait_call(2 * WITHIN_S)
    call.wait_heard_tone(700, WITHIN_S)
    system.stack.resume_service("valkey")
    with system.redis() as client:
        system.wait_until("the call is joined up", lambda: client.hlen("cw:open") == 1)
    system.stack.start_engine(0)  # with the beginning of the call in its file
    theirs.hangup()
    call.wait_ended(WITHIN_S)
    record = system.record(caller)
    assert (record["result"], record["hung_up_by"], nodes(record)) == ("handled", "agent", TALKED)
    no_call_is_open(system)
    assert system.record(caller) == record


def test_all_engines_die_and_one_comes_back(system: System) -> None:
    """The caller hears the prompt to its end, then a pause of the dialplan's rounds, then goes on."""
    caller = system.new_caller()
    call = system.call(caller=caller)
    listens_to_the_welcome(call)
    for index in (0, 1):
        system.stack.kill_engine(index)
    system.stack.start_engine(1)
    call.skip_heard()
    call.wait_heard_silence(WITHIN_S, 0.5)
    agent = system.agent(Behaviour.answering(0.1, tone_hz=700, hangup_after_s=0.5))
    call.wait_heard_any(WITHIN_S)
    call.press("1")
    agent.wait_call(WITHIN_S)
    call.wait_ended(WITHIN_S)
    record = system.record(caller)
    assert (record["result"], nodes(record)) == ("handled", TALKED)
    assert record["resumed"] >= 1


@pytest.mark.req("R90")
def test_the_switch_dies_with_calls_up(system: System) -> None:
    talker, listener, next_one = (system.new_caller() for _ in range(3))
    system.talk(talker)
    listens_to_the_welcome(system.call(caller=listener))
    system.stack.kill_switch()
    system.stack.restart_switch()
    lost = [system.record(caller, within_s=LATE_S) for caller in (talker, listener)]
    assert [record["result"] for record in lost] == ["handled", "other_end"]
    assert [record["hung_up_by"] for record in lost] == ["system", "system"]
    no_call_is_open(system)

    agent = system.agent(Behaviour.answering(0.1, tone_hz=700, hangup_after_s=0.5), index=0)
    call = system.call(caller=next_one)
    chooses(call, "1")
    agent.wait_call(WITHIN_S)
    call.wait_ended(WITHIN_S)
    assert nodes(system.record(next_one)) == TALKED
