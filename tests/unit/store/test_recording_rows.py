"""What the journal of a call says of its recordings: `engine.domain.recording`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.journal import Ended, Entry, Event, InstructionGiven, LegEvent, QueueEvent, RecordingEvent
from engine.domain.recording import RecordingRow, RecordingState, may_become, rows_of, states_before
from tests.integration.store.samples import T0, journal


def with_events(*events: tuple[int, Event]) -> list[Entry]:
    """The sample call with these events in place of its own between beginning and end."""
    first, *_, last = journal()
    inner = [Entry(number, T0 + at_ms, event) for number, (at_ms, event) in enumerate(events, 2)]
    return [first, *inner, Entry(len(inner) + 2, T0 + 60_000, last.event)]


STARTED, STOPPED = (RecordingEvent("r1", event, "/rec/r1.flac") for event in ("started", "stopped"))


@pytest.mark.req("R80", "R81")
def test_a_recording_with_its_agent_and_its_length() -> None:
    assert rows_of(journal()) == (
        RecordingRow(
            id="r1",
            call_id="c1",
            path="/rec/r1.flac",
            state=RecordingState.ENDED,
            switch="fs1",
            started_ms=T0 + 5_100,
            ended_ms=T0 + 59_100,
            expected_ms=54_000,
            agent="bob",
            caller="+420601234567",
            did="+420222111000",
        ),
    )


@pytest.mark.req("R83")
def test_a_recording_that_was_never_stopped_ended_with_the_call() -> None:
    (row,) = rows_of(with_events((5_000, STARTED)))
    assert (row.ended_ms, row.expected_ms, row.agent) == (T0 + 60_000, 55_000, "")


def test_a_recording_that_another_engine_went_on_with_is_one() -> None:
    (row,) = rows_of(with_events((5_000, STARTED), (9_000, STOPPED), (9_000, STARTED), (20_000, STOPPED)))
    assert (row.started_ms, row.ended_ms) == (T0 + 5_000, T0 + 20_000)


def test_the_agent_is_the_one_who_spoke_while_it_ran() -> None:
    def leg(leg: str, event: str, agent: str) -> Event:
        return LegEvent(leg, event, agent, "agent")  # type: ignore[arg-type]

    (row,) = rows_of(
        with_events(
            (1_000, leg("l1", "bridged", "alice")),
            (4_000, leg("l1", "unbridged", "alice")),
            (5_000, STARTED),
            (6_000, LegEvent("l0", "bridged", "+420777000111", "number")),
            (7_000, leg("l2", "bridged", "bob")),
            (9_000, STOPPED),
            (10_000, leg("l3", "bridged", "carol")),
        )
    )
    assert row.agent == "bob"


@pytest.mark.req("R81")
def test_the_queue_is_the_one_out_of_which_the_agent_took_the_caller() -> None:
    second = [replace(event, recording="r2") for event in (STARTED, STOPPED)]
    first_talk = (
        (1_000, InstructionGiven(0, {"op": "enqueue", "queue": "support"})),
        (1_010, QueueEvent("joined", "support", happened_ms=T0 + 1_005)),
        (3_000, LegEvent("l1", "answered", "bob", "agent")),
        (3_005, QueueEvent("accepted", "support", "1", ("bob",))),
        (3_010, STARTED),
        (3_020, LegEvent("l1", "bridged", "bob", "agent")),
    )
    (row,) = rows_of(with_events(*first_talk)[:-1])  # as it is announced
    assert (row.agent, row.queue, row.queue_ms) == ("bob", "support", 2_000)
    rows = rows_of(
        with_events(
            *first_talk,
            (9_000, LegEvent("l1", "ended", "bob", "agent")),
            (9_000, STOPPED),
            (9_010, InstructionGiven(1, {"op": "connect"})),
            (9_020, LegEvent("l2", "answered", "bob", "agent")),
            (9_030, second[0]),
            (9_040, LegEvent("l2", "bridged", "bob", "agent")),
            (12_000, second[1]),
        )
    )
    assert [(row.agent, row.queue, row.queue_ms) for row in rows] == [("bob", "support", 2_000), ("bob", "", None)]


def test_a_journal_that_is_not_whole_says_nothing() -> None:
    assert rows_of([]) == rows_of(journal()[1:]) == ()


@pytest.mark.req("R83")
def test_before_it_starts_a_recording_is_known_with_its_agent() -> None:
    running = with_events((4_000, LegEvent("b1", "answered", "alice", "agent")), (5_000, STARTED))[:-1]
    assert not any(isinstance(entry.event, Ended) for entry in running)
    (row,) = rows_of(running)
    assert (row.state, row.agent) == (RecordingState.RECORDING, "alice")
    assert (row.ended_ms, row.expected_ms) == (None, None)


@pytest.mark.req("R83")
def test_a_recording_never_goes_back_and_what_is_stored_stays() -> None:
    order = list(RecordingState)[:4]
    for here, state in enumerate(order):
        assert not may_become(state, state)
        assert all(may_become(state, later) for later in order[here + 1 :])
        assert not any(may_become(state, earlier) for earlier in order[:here])
    assert not any(may_become(RecordingState.STORED, state) for state in RecordingState)
    assert set(states_before(RecordingState.STORED)) == set(RecordingState) - {RecordingState.STORED}
