from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from engine.domain.call import CallResult
from engine.domain.journal import encode
from engine.store.calls import CallStore
from engine.store.recordings import RecordingStore
from tests.integration.api.conftest import NOW_MS, Api, problem
from tests.integration.store.samples import T0, journal, record

STARTED = "2026-09-21T14:13:20.123Z"
STORED: dict[str, Any] = {
    "bucket": "calls",
    "key": "2026/r1.flac",
    "sha256": "ab" * 32,
    "bytes": 9_000,
    "duration_ms": 54_020,
    "channels": 2,
    "sample_rate": 8_000,
}


@pytest.fixture
def calls(api: Api) -> CallStore:
    return CallStore(api.database)


@pytest.mark.req("R90")
def test_a_call_with_everything(api: Api, calls: CallStore) -> None:
    calls.write(record(), journal())
    call = api.get("/calls/c1").get_json()
    assert (
        call.items()
        >= {
            "call_id": "c1",
            "did": "+420222111000",
            "caller": "+420601234567",
            "caller_name": "Žofie Černá",
            "flow": "main",
            "flow_version": "0123456789abcdef",
            "started_at": STARTED,
            "answered_at": "2026-09-21T14:13:20.223Z",
            "ended_at": "2026-09-21T14:14:20.123Z",
            "result": "handled",
            "hung_up_by": "agent",
            "hangup_cause": "NORMAL_CLEARING",
            "wait_ms": 5_000,
            "talk_ms": 54_001,
            "attributes": {"problem": "fakturace"},
        }.items()
    )
    assert [(visit["node"], visit["exit"]) for visit in call["path"]] == [("welcome", "done"), ("agent", None)]
    assert call["path"][0]["entered_at"] == STARTED
    assert [(leg["party"], leg["result"], leg["answered_at"]) for leg in call["legs"]] == [
        ("alice", "not_answered", None),
        ("bob", "talked", "2026-09-21T14:13:25.123Z"),
    ]
    assert [(visit["queue"], visit["outcome"]) for visit in call["queues"]] == [
        ("orders", "closed"),
        ("support", "answered"),
    ]
    assert call["queues"][1] == {
        "queue": "support",
        "joined_at": "2026-09-21T14:13:23.133Z",
        "left_at": "2026-09-21T14:13:26.122Z",
        "outcome": "answered",
        "key": None,
        "agent": "bob",
        "wait_ms": 2_989,
        "ring_ms": 900,
        "offers": 2,
        "talk_ms": 54_001,
    }
    (recording,) = call["recordings"]
    assert recording.items() >= {"id": "r1", "state": "ended", "agent": "bob", "did": "+420222111000"}.items()


@pytest.mark.req("R83")
@pytest.mark.parametrize(
    ("state", "reason"), [("quarantined", "1 channels in place of 2"), ("missing", "no file r1.flac on the disk")]
)
def test_what_is_wrong_with_a_recording_is_told(api: Api, calls: CallStore, state: str, reason: str) -> None:
    calls.write(record(), journal())
    rows = RecordingStore(api.database)
    assert (rows.quarantine if state == "quarantined" else rows.missing)("r1", reason)
    calls.write(record(), journal())  # the engine says it once more, and knows nothing of what became of the file
    (recording,) = api.get("/calls/c1").get_json()["recordings"]
    assert (recording["state"], recording["reason"]) == (state, reason)


@pytest.mark.req("R90")
def test_the_list_has_each_call_with_its_path_and_queues(api: Api, calls: CallStore) -> None:
    calls.write(record(), journal())
    (call,) = api.get("/calls").get_json()["calls"]
    assert [visit["node"] for visit in call["path"]] == ["welcome", "agent"]
    assert [visit["queue"] for visit in call["queues"]] == ["orders", "support"]
    assert not {"legs", "recordings"} & call.keys()


@pytest.mark.req("R90")
def test_pages_follow_each_other_while_new_calls_come_in(api: Api, calls: CallStore) -> None:
    for number in range(5):
        calls.write(record(f"c{number}", started_ms=T0 + number))
    seen, cursor = [], ""
    while True:
        page = api.get(f"/calls?limit=2{cursor}").get_json()
        seen += [call["call_id"] for call in page["calls"]]
        calls.write(record(f"new{len(seen)}", started_ms=T0 + 1_000 + len(seen)))
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == ["c4", "c3", "c2", "c1", "c0"]


@pytest.mark.req("R90")
@pytest.mark.parametrize(
    "query",
    [
        "did=222 111 999",
        "did=%2B420222111999",
        "caller=777000111",
        "result=lost_in_ivr",
        "flow=other",
        "queue=sales",
        "agent=carol",
        "queue=sales&agent=carol&flow=other",
        "from=2026-09-21T14:13:20.124Z",
        "from=2026-09-21T16:13:20.124%2B02:00&to=2026-09-21T14:13:20.125Z&flow=other",
    ],
)
def test_filters(api: Api, calls: CallStore, query: str) -> None:
    calls.write(record("c1"))
    other = record("c2", did="+420222111999", caller="+420777000111", flow="other", started_ms=T0 + 1)
    other = replace(other, queues=(replace(other.queues[1], queue="sales"),))
    other = replace(other, legs=(replace(other.legs[1], party="carol"),))
    calls.write(replace(other, result=CallResult.LOST_IN_IVR))
    found = api.get(f"/calls?{query}").get_json()
    assert [call["call_id"] for call in found["calls"]] == ["c2"]
    assert found["next"] is None


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("from=yesterday", "from"),
        ("from=2026-09-21T14:13:20", "from"),
        ("result=lost", "result"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=eA", "cursor"),
        ("cursor=%C5%BE", "cursor"),
        ("form=2026-09-21T14:13:20Z", "form"),
    ],
)
def test_a_filter_that_makes_no_sense_is_named(api: Api, query: str, place: str) -> None:
    found = problem(api.get(f"/calls?{query}"), 422, "invalid_request")
    assert [error["place"] for error in found["errors"]] == [place]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"])
def test_the_ends_of_time_are_moments_too(api: Api, calls: CallStore, moment: str) -> None:
    calls.write(record())
    assert len(api.get(f"/calls?from={moment}").get_json()["calls"]) == int(moment < "2026")


@pytest.mark.req("R90")
def test_the_journal(api: Api, calls: CallStore) -> None:
    calls.write(record(), [encode(entry) for entry in journal()])
    calls.write(record("bare"))
    found = api.get("/calls/c1/journal").get_json()
    assert [entry["event"]["kind"] for entry in found["entries"]] == [entry.event.kind for entry in journal()]
    problem(api.get("/calls/bare/journal"), 404, "journal_not_found")
    problem(api.get("/calls/none/journal"), 404, "call_not_found")


@pytest.mark.req("R82", "R122")
def test_a_link_to_the_recording_expires_and_is_audited(api: Api, calls: CallStore) -> None:
    calls.write(record(), journal())
    recordings = RecordingStore(api.database)
    (row,) = recordings.of_call("c1")
    recordings.stored(replace(row, **STORED))
    link = api.get("/calls/c1/recording", headers={"X-Request-Id": "listen-1"})
    assert link.get_json() == {
        "recording": "r1",
        "url": "https://storage.invalid/calls/2026/r1.flac?expires=300",
        "expires_at": "2026-09-21T14:20:00.000Z",
        "duration_ms": 54_020,
        "bytes": 9_000,
        "sha256": "ab" * 32,
    }
    assert link.headers["Cache-Control"] == "no-store"
    (access,) = api.audit("call:c1")
    assert (access.at_ms, access.actor, access.source) == (NOW_MS, "bootstrap", "127.0.0.1")
    assert (access.action, access.outcome, access.request_id) == ("recording.link", "ok", "listen-1")
    assert access.detail == {"recording": "r1", "expires_s": 300}


@pytest.mark.req("R82", "R122")
def test_a_recording_that_is_not_there_is_audited_too(api: Api, calls: CallStore) -> None:
    problem(api.get("/calls/none/recording"), 404, "call_not_found")
    calls.write(record("bare"))
    problem(api.get("/calls/bare/recording"), 404, "recording_not_found")
    calls.write(record(), journal())
    found = problem(api.get("/calls/c1/recording"), 409, "recording_not_stored")
    assert (found["recording"], found["state"]) == ("r1", "ended")
    problem(api.get("/calls/c1/recording?recording=r9"), 404, "recording_not_found")
    assert [row.outcome for row in api.audit()] == [
        "recording_not_found",
        "recording_not_stored",
        "recording_not_found",
        "call_not_found",
    ]


def test_of_several_recordings_one_can_be_named(api: Api, calls: CallStore) -> None:
    calls.write(record(recordings=("r1", "r2")), journal())
    recordings = RecordingStore(api.database)
    (first,) = recordings.of_call("c1")
    second = replace(first, id="r2", path="/rec/r2.flac", started_ms=T0 + 60_000)
    recordings.finish(second)
    recordings.stored(replace(second, **STORED))
    assert api.get("/calls/c1/recording").get_json()["recording"] == "r2", "the first one that is in storage"
    assert api.get("/calls/c1/recording?recording=r2").get_json()["recording"] == "r2"
    problem(api.get("/calls/c1/recording?recording=r1"), 409, "recording_not_stored")


def test_an_id_may_hold_anything(api: Api, calls: CallStore) -> None:
    strange = "a b/ž?#%"
    calls.write(record(strange))
    assert api.get(f"/calls/{quote(strange, safe='')}").status_code == 404, "a slash ends a part of a path"
    calls.write(record("a b?ž#%"))
    assert api.get(f"/calls/{quote('a b?ž#%', safe='')}").get_json()["call_id"] == "a b?ž#%"
