from __future__ import annotations

import json
import logging
import threading
from dataclasses import replace

import pytest

from engine.domain.call import CallResult
from engine.domain.finished import FinishedCall
from engine.domain.journal import decode, encode
from engine.domain.recording import RecordingState
from engine.store.calls import CallFilter, CallPosition, CallStore, Written
from engine.store.database import Database
from engine.store.errors import BadData, StoreUnavailable
from engine.store.recordings import RecordingStore
from tests.integration.store.samples import T0, journal, record, row


@pytest.fixture
def calls(database: Database) -> CallStore:
    return CallStore(database)


def bare(call_id: str, **changes: object) -> FinishedCall:
    return FinishedCall(record(call_id, **changes), b"")


@pytest.mark.req("R90")
def test_a_record_comes_back_as_it_was_written(calls: CallStore) -> None:
    assert calls.write(record(), journal()) is Written.NEW
    assert calls.get("c1") == record()


@pytest.mark.req("R90")
def test_the_journal_comes_back_entry_by_entry(calls: CallStore) -> None:
    calls.write(record("entries"), journal())
    calls.write(record("lines"), [encode(entry) for entry in journal()])
    for call_id in ("entries", "lines"):
        kept = calls.journal(call_id)
        assert kept is not None
        assert [decode(json.dumps(entry)) for entry in kept] == journal()


@pytest.mark.req("R90", "R124")
def test_a_call_written_again_is_still_one_call(calls: CallStore, caplog: pytest.LogCaptureFixture) -> None:
    calls.write(record(), journal())
    with caplog.at_level(logging.ERROR):
        assert calls.write(record(), journal()) is Written.SAME
    assert caplog.records == []
    assert calls.list(CallFilter(), 10) == [record()]


@pytest.mark.req("R90")
def test_of_two_different_records_the_first_is_kept(calls: CallStore, caplog: pytest.LogCaptureFixture) -> None:
    calls.write(record(), journal())
    other = replace(record(), result=CallResult.OTHER_END, path=())
    assert calls.write(other, journal()) is Written.KEPT_FIRST
    assert calls.get("c1") == record()
    assert "c1" in caplog.text


@pytest.mark.req("R90", "R124")
def test_many_who_write_the_same_call_at_once_write_it_once(calls: CallStore) -> None:
    outcomes: list[Written] = []
    together = threading.Barrier(6)

    def write() -> None:
        together.wait()
        outcomes.append(calls.write(record(), journal()))

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [Written.NEW] + [Written.SAME] * 5
    assert calls.get("c1") == record()


@pytest.mark.req("R90")
def test_what_a_hostile_caller_sends_does_not_cost_the_record(calls: CallStore) -> None:
    hostile = replace(record(), caller_name="a\0b\ud800c😀", attributes={"k\0": "v\udfff", "say": '\\u0000 "quoted"'})
    assert calls.write(hostile, journal()) is Written.NEW
    kept = calls.get("c1")
    assert kept is not None
    assert kept.caller_name == "a\ufffdb\ufffdc😀"
    assert kept.attributes == {"k\ufffd": "v\ufffd", "say": '\\u0000 "quoted"'}


@pytest.mark.parametrize("ms", [-62_135_596_800_000 - 1, 10**17], ids=["before year 1", "after year 9999"])
def test_what_no_time_can_hold_is_bad_data(calls: CallStore, ms: int) -> None:
    with pytest.raises(BadData):
        calls.write(record(started_ms=ms), journal())


def test_a_line_that_is_no_entry_is_bad_data(calls: CallStore) -> None:
    with pytest.raises(BadData):
        calls.write(record(), [b"{"])
    assert calls.get("c1") is None


def test_errors_hold_no_personal_data(calls: CallStore) -> None:
    with pytest.raises(BadData) as raised:
        calls.write(record(talk_ms=2**70), journal())
    assert "+420601234567" not in str(raised.value)


@pytest.mark.req("R124")
def test_a_database_that_is_away_is_one_to_wait_for() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(StoreUnavailable):
        CallStore(database).write(record(), journal())
    database.close()


@pytest.mark.req("R90")
def test_pages_run_from_the_newest_to_the_oldest_without_gaps(calls: CallStore) -> None:
    for number in range(7):  # three of them started in the same millisecond
        calls.write(record(f"c{number}", started_ms=T0 + max(0, number - 2)))
    seen: list[str] = []
    position = None
    while page := calls.list(CallFilter(), 2, position):
        seen += [call.call_id for call in page]
        position = CallPosition(page[-1].started_ms, page[-1].call_id)
    assert seen == ["c6", "c5", "c4", "c3", "c2", "c1", "c0"]


@pytest.mark.req("R90")
@pytest.mark.parametrize(
    "wanted",
    [
        CallFilter(did="+420222111999"),
        CallFilter(caller="+420777000111"),
        CallFilter(result=CallResult.LOST_IN_IVR),
        CallFilter(flow="other"),
        CallFilter(from_ms=T0 + 1),
        CallFilter(from_ms=T0 + 1, to_ms=T0 + 3, flow="other"),
    ],
)
def test_filters(calls: CallStore, wanted: CallFilter) -> None:
    calls.write(record("c1"))
    calls.write(
        record(
            "c2",
            did="+420222111999",
            caller="+420777000111",
            result=CallResult.LOST_IN_IVR,
            flow="other",
            started_ms=T0 + 1,
        )
    )
    assert [call.call_id for call in calls.list(wanted, 10)] == ["c2"]
    assert [call.call_id for call in calls.list(CallFilter(to_ms=T0 + 1), 10)] == ["c1"]


@pytest.mark.req("R80", "R83")
def test_a_record_brings_the_rows_of_its_recordings_up_to_date(calls: CallStore, database: Database) -> None:
    recordings = RecordingStore(database)
    recordings.announce(replace(row(), state=RecordingState.RECORDING))
    calls.write(record(), journal())
    calls.write(record(), journal())
    (kept,) = recordings.of_call("c1")
    assert kept.state is RecordingState.ENDED
    assert (kept.expected_ms, kept.agent, kept.switch) == (54_000, "bob", "fs1")
    assert kept.metadata == {"campaign": "jaro"}


@pytest.mark.req("R83")
def test_a_recording_that_nobody_announced_is_found_in_the_journal(calls: CallStore, database: Database) -> None:
    calls.write(record(), journal())
    (kept,) = RecordingStore(database).due()
    assert (kept.id, kept.path) == ("r1", "/rec/r1.flac")


@pytest.mark.req("R90")
def test_many_calls_in_one_transaction_are_written_as_one_by_one(
    calls: CallStore, caplog: pytest.LogCaptureFixture
) -> None:
    calls.write(record("there"))
    calls.write(record("other", talk_ms=1))
    fresh = [(record(f"new{number}"), journal(f"new{number}")) for number in range(3)]
    finished = [FinishedCall(found, b"\n".join(map(encode, entries))) for found, entries in fresh]
    written = calls.write_all([bare("there"), *finished, bare("other")])
    assert written == [Written.SAME, Written.NEW, Written.NEW, Written.NEW, Written.KEPT_FIRST]
    for found, entries in fresh:
        assert calls.get(found.call_id) == found
        assert calls.journal(found.call_id) == [json.loads(encode(entry)) for entry in entries]
    assert "call other: a second, different record came" in caplog.text


@pytest.mark.req("R90")
def test_of_many_calls_all_are_written_or_none(calls: CallStore) -> None:
    with pytest.raises(BadData):
        calls.write_all([bare("good"), bare("bad", started_ms=10**18)])
    with pytest.raises(BadData):
        calls.write_all([bare("good"), bare("bad", talk_ms=2**63)])
    assert calls.get("good") is None


@pytest.mark.req("R90")
def test_of_the_same_call_twice_in_one_transaction_the_first_is_kept(calls: CallStore) -> None:
    written = calls.write_all([bare("c1"), bare("c1"), bare("c1", talk_ms=1)])
    assert written == [Written.NEW, Written.SAME, Written.KEPT_FIRST]
    assert calls.get("c1") == record()


@pytest.mark.req("R90")
def test_a_journal_with_what_jsonb_does_not_hold_is_kept(calls: CallStore) -> None:
    lines = b'{"n":1,"text":"a\\u0000b"}\n{"n":2,"text":"\\ud800"}\n{"n":3,"text":"\\\\u0000"}'
    calls.write_all([FinishedCall(record(), lines)])
    kept = calls.journal("c1")
    assert kept is not None
    assert [entry["text"] for entry in kept] == ["a\ufffdb", "\ufffd", "\\u0000"]
