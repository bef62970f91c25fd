"""The record as a pure function of the journal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cdr.record import JournalBroken, build
from engine.domain.call import CallResult, HungUpBy
from engine.domain.journal import (
    Attached,
    Ended,
    Entry,
    Event,
    InstructionGiven,
    LegEvent,
    QueueEvent,
    RecordingEvent,
    ResultCame,
    Started,
)
from tests.unit.cdr.queue_calls import FACTS


def journal(*events: tuple[int, Event]) -> list[Entry]:
    return [Entry(n, at_ms, event) for n, (at_ms, event) in enumerate(events, 1)]


def node(name: str, by: str | None = None) -> dict[str, str | None]:
    return {"flow": "main", "version": "v1", "node": name, "exit": by}


def begun(*events: tuple[int, Event]) -> list[Entry]:
    return journal((1000, Started(FACTS)), (1001, Attached("e1", 1)), *events)


TALKED = (
    (1010, InstructionGiven(0, {"op": "answer", "mode": "answer"}, (node("answer"),))),
    (1050, ResultCame(0, {"kind": "done"}, 50)),
    (1060, InstructionGiven(1, {"op": "connect"}, (node("agent", "next"),))),
    (1061, LegEvent("b1", "offered", "alice", "agent")),
    (3000, LegEvent("b1", "answered", "alice", "agent")),
    (3001, RecordingEvent("r1", "started", "/r/r1.flac")),
    (3010, LegEvent("b1", "bridged", "alice", "agent")),
)


@pytest.mark.req("R90")
def test_a_conversation_that_the_agent_ends() -> None:
    record = build(
        begun(
            *TALKED,
            (8000, Attached("e1", 1)),
            (8010, LegEvent("b1", "unbridged", "alice", "agent", "NORMAL_CLEARING")),
            (8010, LegEvent("b1", "ended", "alice", "agent", "NORMAL_CLEARING")),
            (8012, ResultCame(1, {"kind": "conversation", "ended_by": "agent", "talk_ms": 5000}, 7012)),
            (8013, InstructionGiven(2, {"op": "hangup", "reason": "done"}, (node("bye", "finished"),))),
            (8030, ResultCame(2, {"kind": "done"}, 7030)),
            (8031, Ended("NORMAL_CLEARING", "system")),
        )
    )
    assert (record.result, record.hung_up_by) == (CallResult.HANDLED, HungUpBy.AGENT)
    assert (record.wait_ms, record.talk_ms, record.answered_ms) == (2010, 5000, 1050)
    left = [(visit.node, visit.exit) for visit in record.path]
    assert left == [("answer", "next"), ("agent", "finished"), ("bye", None)]
    assert [(leg.party, leg.talk_ms, leg.result) for leg in record.legs] == [("alice", 5000, "talked")]
    assert record.recordings == ("r1",)
    assert record.reason == "done"
    assert record.resumed == 0


@pytest.mark.req("R90")
def test_a_call_that_only_rang_is_answered_by_the_one_it_is_joined_with() -> None:
    rang = (1010, InstructionGiven(0, {"op": "answer", "mode": "ringing"}, (node("ring"),)))
    assert build(begun(rang, *TALKED[1:], (9000, Ended("NORMAL_CLEARING", "caller")))).answered_ms == 3010
    assert build(begun(rang, *TALKED[1:5], (9000, Ended("ORIGINATOR_CANCEL", "caller")))).answered_ms is None


@pytest.mark.req("R90")
def test_the_caller_hangs_up_in_conversation() -> None:
    record = build(begun(*TALKED, (9000, Ended("NORMAL_CLEARING", "caller"))))
    assert (record.result, record.hung_up_by, record.talk_ms) == (CallResult.HANDLED, HungUpBy.CALLER, 5990)


@pytest.mark.req("R91")
@pytest.mark.parametrize(
    ("events", "result"),
    [
        ([], CallResult.LOST_BEFORE_IVR),
        ([(1010, InstructionGiven(0, {"op": "play"}, (node("welcome"),)))], CallResult.LOST_IN_IVR),
        ([(1010, InstructionGiven(0, {"op": "connect"}, (node("agent"),)))], CallResult.LOST_RINGING),
        (
            [
                (1010, InstructionGiven(0, {"op": "connect"}, (node("agent"),))),
                (1500, ResultCame(0, {"kind": "not_connected", "why": "busy"}, 500)),
            ],
            CallResult.LOST_IN_IVR,
        ),
    ],
)
def test_a_lost_call_belongs_to_one_class(events: list[tuple[int, Event]], result: CallResult) -> None:
    record = build(begun(*events, (2000, Ended("NORMAL_CLEARING", "caller"))))
    assert (record.result, record.wait_ms, record.talk_ms) == (result, 1000, 0)


@pytest.mark.req("R91")
def test_what_a_flow_cleans_up_does_not_hide_what_the_hangup_broke_off() -> None:
    ringing = (1010, InstructionGiven(0, {"op": "connect"}, (node("agent"),)))
    clean_up = [
        (2000, InstructionGiven(1, {"op": "set_attributes", "attributes": {"left": "ringing"}})),
        (2000, ResultCame(1, {"kind": "done"}, 1000)),
    ]
    record = build(begun(ringing, *clean_up, (2001, Ended("ORIGINATOR_CANCEL", "caller"))))
    assert record.result is CallResult.LOST_RINGING
    assert record.attributes == {"left": "ringing"}


def test_the_reason_of_a_hangup_is_kept_though_the_flow_cleans_up_after_it() -> None:
    hangup = InstructionGiven(0, {"op": "hangup", "reason": "closed"}, (node("bye"),))
    attributes = InstructionGiven(1, {"op": "set_attributes", "attributes": {}})
    rest = [(1030, attributes), (1031, ResultCame(1, {"kind": "done"}, 31)), (1040, Ended("NORMAL_CLEARING", "system"))]
    assert build(begun((1010, hangup), (1020, ResultCame(0, {"kind": "done"}, 20)), *rest)).reason == "closed"
    late = (1020, ResultCame(0, {"kind": "refused", "why": "the caller is gone"}, 20))
    assert build(begun((1010, hangup), late, *rest)).reason == ""


def test_a_prompt_after_the_conversation_makes_the_end_the_flows() -> None:
    record = build(
        begun(
            *TALKED,
            (8012, ResultCame(1, {"kind": "conversation", "ended_by": "agent", "talk_ms": 5000}, 7012)),
            (8013, InstructionGiven(2, {"op": "play"}, (node("thanks", "finished"),))),
            (9013, ResultCame(2, {"kind": "played"}, 8013)),
            (9014, InstructionGiven(3, {"op": "hangup"}, (node("bye", "done"),))),
            (9031, Ended("NORMAL_CLEARING", "system")),
        )
    )
    assert record.hung_up_by is HungUpBy.SYSTEM


@pytest.mark.req("R9")
def test_attributes_count_once_they_are_set() -> None:
    record = build(
        begun(
            (1010, InstructionGiven(0, {"op": "set_attributes", "attributes": {"problem": "invoice"}})),
            (1011, ResultCame(0, {"kind": "done"}, 11)),
            (1012, InstructionGiven(1, {"op": "set_attributes", "attributes": {"problem": "other"}})),
            (2000, Ended("NORMAL_CLEARING", "caller")),
        )
    )
    assert record.attributes == {"problem": "invoice"}


def test_half_a_journal_is_no_record() -> None:
    with pytest.raises(JournalBroken, match="does not begin"):
        build([])
    with pytest.raises(JournalBroken, match="does not end"):
        build(begun())


EVENTS = st.sampled_from(
    [
        InstructionGiven(0, {"op": "answer", "mode": "answer"}, (node("a"),)),
        ResultCame(0, {"kind": "done"}, 1),
        InstructionGiven(1, {"op": "connect"}, (node("b", "next"), node("c", "next"))),
        ResultCame(1, {"kind": "conversation", "ended_by": "agent", "talk_ms": 1}, 2),
        LegEvent("b1", "offered", "alice", "agent"),
        LegEvent("b1", "answered", "alice", "agent"),
        LegEvent("b1", "bridged", "alice", "agent"),
        LegEvent("b1", "unbridged", "alice", "agent"),
        LegEvent("b1", "ended", "alice", "agent"),
        Attached("e2", 2),
        InstructionGiven(2, {"op": "enqueue", "queue": "support"}, (node("d", "next"),)),
        ResultCame(2, {"kind": "queue_left", "why": "key", "key": "1"}, 3),
        QueueEvent("joined", "support", happened_ms=3000),
        QueueEvent("offered", "support", "1", ("alice",)),
        QueueEvent("accepted", "support", "1", ("alice",)),
        LegEvent("b1", "ended", "alice", "agent", "ORIGINATOR_CANCEL"),
    ]
)


@pytest.mark.req("R91")
@given(st.lists(st.tuples(st.integers(0, 5000), EVENTS), max_size=12), st.sampled_from(["caller", "system"]))
def test_any_journal_with_an_end_gives_one_record(events: list[tuple[int, Event]], by: str) -> None:
    at_ms, timed = 1000, []
    for gap, event in events:
        at_ms += gap
        timed.append((at_ms, event))
    record = build(begun(*timed, (at_ms + 1, Ended("NORMAL_CLEARING", by))))  # type: ignore[arg-type]
    length = record.ended_ms - record.started_ms
    assert 0 <= record.wait_ms <= length
    assert 0 <= record.talk_ms <= length
    assert all(visit.entered_ms <= visit.left_ms for visit in record.path)
    for stay in record.queues:
        assert record.started_ms <= stay.joined_ms <= stay.left_ms <= record.ended_ms
        assert 0 <= stay.ring_ms <= length
        assert 0 <= stay.talk_ms <= length
    assert (record.result is CallResult.HANDLED) == any(
        isinstance(event, LegEvent) and event.event == "bridged" for _, event in timed
    )
