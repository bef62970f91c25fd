"""Visits of queues with their calls, and who talked with a caller last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import bindparam, event, text

from engine.domain.call import CallRecord, CallResult, LegRecord, QueueOutcome, QueueVisit
from engine.domain.finished import FinishedCall
from engine.store.calls import CallFilter, CallPosition, CallStore, Written
from engine.store.columns import EpochMs
from engine.store.database import Database
from engine.store.errors import BadData
from tests.integration.store.samples import T0, record

CALLER = "+420601234567"


@pytest.fixture
def calls(database: Database) -> CallStore:
    return CallStore(database)


def talk(agent: str, at_ms: int = T0, talk_ms: int = 5_000, kind: str = "agent") -> LegRecord:
    result = "talked" if talk_ms else "not_answered"
    return LegRecord(f"{agent}{at_ms}", kind, agent, at_ms, at_ms, at_ms + talk_ms, talk_ms, "NORMAL_CLEARING", result)


def call(calls: CallStore, call_id: str, *legs: LegRecord, ended_ms: int = T0 + 60_000, caller: str = CALLER) -> None:
    talk_ms = sum(leg.talk_ms for leg in legs)
    assert calls.write(record(call_id, caller=caller, ended_ms=ended_ms, talk_ms=talk_ms, legs=legs)) is Written.NEW


@pytest.mark.req("R90", "R92")
def test_every_outcome_comes_back_in_its_order(calls: CallStore) -> None:
    visits = tuple(
        QueueVisit(f"queue{n}", T0 + n, T0 + 2 * n, outcome, "7" if outcome is QueueOutcome.KEY else None, wait_ms=n)
        for n, outcome in enumerate(QueueOutcome)
    )
    others = {f"c{n}": record(f"c{n}", queues=visits[n:]) for n in range(3)}
    calls.write_all([FinishedCall(each, b"") for each in others.values()])
    calls.write_all([FinishedCall(each, b"") for each in others.values()])
    for call_id, written in others.items():
        assert calls.get(call_id) == written
    assert [each.queues for each in calls.list(CallFilter(), 10)] == [visits[n:] for n in (2, 1, 0)]


@pytest.mark.req("R90")
def test_a_visit_at_a_time_that_no_database_holds_is_bad_data(calls: CallStore) -> None:
    impossible = replace(record().queues[0], left_ms=10**17)
    with pytest.raises(BadData):
        calls.write(record(queues=(impossible,)))
    assert calls.get("c1") is None


@pytest.mark.req("R90")
def test_calls_are_found_by_their_queues_and_agents(calls: CallStore) -> None:
    lost = QueueVisit("sales", T0, T0 + 1, QueueOutcome.ABANDONED)
    twice = (replace(lost, queue="support"), replace(lost, queue="support"))
    calls.write(record("lost", queues=(lost,), legs=(talk("bob", talk_ms=0),), result=CallResult.LOST_IN_QUEUE))
    calls.write(record("twice", queues=twice, legs=(talk("alice"), talk("bob", T0 + 9_000)), started_ms=T0 + 1))
    calls.write(record("number", queues=(), legs=(talk("carol", kind="number"),), started_ms=T0 + 2))

    def found(wanted: CallFilter) -> list[str]:
        return [each.call_id for each in calls.list(wanted, 10)]

    assert found(CallFilter(queue="sales")) == ["lost"]
    assert found(CallFilter(queue="support")) == ["twice"]
    assert found(CallFilter(agent="bob")) == found(CallFilter(agent="alice")) == ["twice"]
    assert found(CallFilter(agent="carol")) == found(CallFilter(queue="other")) == []
    assert found(CallFilter(queue="support", agent="bob", to_ms=T0 + 1)) == []
    assert calls.list(CallFilter(queue="support"), 10, CallPosition(T0 + 1, "twice")) == []


@pytest.mark.req("R8")
def test_the_agent_who_talked_last(calls: CallStore) -> None:
    assert calls.last_agent(CALLER, 0) is None
    call(calls, "older", talk("alice"))
    call(calls, "newer", talk("bob", T0 + 1_000), talk("carol", T0 + 7_000), ended_ms=T0 + 90_000)
    call(calls, "nobody", talk("dan", talk_ms=0), ended_ms=T0 + 95_000)
    call(calls, "outside", talk("+420777000111", T0 + 80_000, kind="number"), ended_ms=T0 + 99_000)
    call(calls, "other", talk("erin", T0 + 80_000), ended_ms=T0 + 99_000, caller="+420777000111")
    assert calls.last_agent(CALLER, 0) == "carol"
    assert calls.last_agent("+420777000111", 0) == "erin"


@pytest.mark.req("R8")
def test_who_talked_too_long_ago_does_not_count(calls: CallStore) -> None:
    call(calls, "c1", talk("alice"), talk("bob", T0 + 10_000, 5_000), ended_ms=T0 + 60_000)
    assert calls.last_agent(CALLER, T0 + 15_000) == "bob"
    assert calls.last_agent(CALLER, T0 + 15_001) is None


@pytest.mark.req("R8", "R11")
def test_those_who_hide_their_number_are_not_one_caller(calls: CallStore) -> None:
    call(calls, "c1", talk("alice"), caller="")
    assert calls.last_agent("", 0) is None


MANY = 4_000


def one_of_many(n: int) -> CallRecord:
    """One call each second. `busy` called 800 times and talked in four of them."""
    busy = n % 5 == 0
    talk_ms = 1_000 if n % 1_000 == 0 or not busy else 0
    at_ms, agent = T0 + n * 1_000, f"agent{n % 100}"
    visit = QueueVisit(f"queue{n % 100}", at_ms, at_ms, QueueOutcome.ANSWERED, agent=agent, talk_ms=talk_ms)
    legs = (talk(agent, at_ms, talk_ms),)
    made = record(f"c{n}", caller="busy" if busy else str(n), talk_ms=talk_ms, legs=legs, queues=(visit,))
    return replace(made, started_ms=at_ms, ended_ms=at_ms + talk_ms, path=())


@pytest.fixture
def plan(database: Database, calls: CallStore) -> Callable[[Callable[[], object]], str]:
    """How PostgreSQL carries out what a function asks for, among many calls."""
    calls.write_all([FinishedCall(one_of_many(n), b"") for n in range(1, MANY + 1)])
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE call_records, call_legs, queue_visits"))

    def explained(ask: Callable[[], object]) -> str:
        asked: list[tuple[str, Any]] = []

        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            asked.append((statement, parameters))

        event.listen(database.engine, "before_cursor_execute", note)
        ask()
        event.remove(database.engine, "before_cursor_execute", note)
        ((statement, parameters),) = asked
        with database.engine.connect() as connection:
            return "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN ANALYZE {statement}", parameters))

    return explained


@pytest.mark.req("R8")
def test_the_last_agent_is_found_by_an_index_that_passes_over_calls_without_talk(
    calls: CallStore, plan: Callable[[Callable[[], object]], str]
) -> None:
    found = plan(lambda: calls.last_agent("busy", T0))
    assert "ix_call_records_talked" in found
    assert "Seq Scan" not in found
    assert "Rows Removed" not in found
    assert calls.last_agent("busy", T0) == "agent0"


@pytest.mark.req("R92")
@pytest.mark.parametrize(("column", "value"), [("queue", "queue7"), ("agent", "agent7")])
def test_the_visits_of_a_queue_or_an_agent_in_a_time_are_found_by_an_index(
    database: Database, plan: Callable[[Callable[[], object]], str], column: str, value: str
) -> None:
    query = text(f"SELECT count(*) FROM queue_visits WHERE {column} = '{value}' AND joined_at < :until")

    def ask() -> None:
        with database.transaction() as session:
            assert session.scalar(query.bindparams(bindparam("until", T0 + 1_000_000, EpochMs))) == 10

    assert f"ix_queue_visits_{column}_joined_at" in plan(ask)
