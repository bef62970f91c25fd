"""Visits of queues in the record: where each caller was lost, and who answered after how long."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cdr.record import build
from engine.domain.call import CallResult, HungUpBy, QueueVisit
from engine.domain.call import QueueOutcome as QO
from engine.domain.journal import LegEvent
from tests.unit.cdr.queue_calls import Story, Written, written


@pytest.mark.req("R90", "R91", "R92")
def test_the_second_agent_who_is_rung_answers_and_hangs_up() -> None:
    story = Story()
    stay = story.visit("support", ms=100)
    stay.join()
    (leg,) = stay.offer("alice", ms=1_000)
    stay.stop(leg, "NO_ANSWER", ms=20_000)
    (leg,) = stay.offer("bob", ms=500)
    stay.talk(leg, ms=4_000, bridge_ms=30, talk_ms=90_000, agent_ends=True)
    story.give({"op": "hangup"})
    record = build(story.end("system"))
    assert record.queues == (
        QueueVisit("support", 1_100, 26_630, QO.ANSWERED, None, "bob", 25_530, ring_ms=4_000, offers=2, talk_ms=90_000),
    )
    assert (record.result, record.hung_up_by) == (CallResult.HANDLED, HungUpBy.AGENT)
    assert (record.wait_ms, record.talk_ms) == (25_630, 90_000)


@pytest.mark.req("R91")
def test_after_the_conversation_the_flow_says_goodbye_and_hangs_up() -> None:
    story = Story()
    stay = story.visit("support")
    (leg,) = stay.offer("bob")
    stay.talk(leg, ms=1_000, talk_ms=9_000, agent_ends=True)
    story.give({"op": "play"})
    story.result({"kind": "played"}, 2_000)
    story.give({"op": "hangup"})
    record = build(story.end("system"))
    assert (record.result, record.hung_up_by) == (CallResult.HANDLED, HungUpBy.SYSTEM)


@pytest.mark.req("R91")
def test_an_overflow_to_another_queue_is_a_visit_of_each() -> None:
    story = Story()
    first = story.visit("sales", ms=100)
    first.leave("full", 5)
    second = story.visit("support")
    second.join(3)
    record = build(second.break_off("caller", 8_000))
    assert record.queues == (
        QueueVisit("sales", 1_100, 1_105, QO.FULL, wait_ms=5),
        QueueVisit("support", 1_108, 9_108, QO.ABANDONED, wait_ms=8_000),
    )
    assert record.result is CallResult.LOST_IN_QUEUE


@pytest.mark.req("R91")
@pytest.mark.parametrize("clean_up", [False, True])
def test_hung_up_while_agents_ring(clean_up: bool) -> None:
    story = Story()
    stay = story.visit("support")
    stay.join()
    stay.offer("alice", "bob")
    record = build(stay.break_off("caller", 3_000, clean_up))
    (visit,) = record.queues
    assert (record.result, visit.outcome, visit.offers) == (CallResult.LOST_RINGING, QO.ABANDONED_RINGING, 2)
    assert (visit.agent, visit.ring_ms, visit.talk_ms) == (None, 0, 0)


@pytest.mark.req("R91")
def test_phones_that_stopped_before_the_caller_hung_up_ring_no_more() -> None:
    for cause in ("NO_ANSWER", "CALL_REJECTED", "USER_BUSY", "LOSE_RACE"):
        story = Story()
        stay = story.visit("support")
        (leg,) = stay.offer("alice")
        stay.stop(leg, cause, ms=100)
        record = build(stay.break_off("caller"))
        assert (record.result, record.queues[0].outcome) == (CallResult.LOST_IN_QUEUE, QO.ABANDONED)


@pytest.mark.req("R91")
def test_a_phone_that_was_cancelled_when_another_engine_took_over_does_not_count_for_the_next_one() -> None:
    story = Story()
    stay = story.visit("support")
    (leg,) = stay.offer("alice")
    stay.stop(leg, "ORIGINATOR_CANCEL", ms=100)
    (leg,) = stay.offer("bob", ms=10)
    stay.stop(leg, "NO_ANSWER", ms=20_000)
    record = build(stay.break_off("caller"))
    assert (record.result, record.queues[0].outcome) == (CallResult.LOST_IN_QUEUE, QO.ABANDONED)


@pytest.mark.req("R91")
def test_of_two_phones_one_rang_to_the_end() -> None:
    story = Story()
    stay = story.visit("support")
    first, second = stay.offer("alice", "bob")
    stay.stop(first, "ORIGINATOR_CANCEL", ms=3_000)
    stay.stop(second, "NO_ANSWER")
    record = build(story.end("caller"))
    assert (record.result, record.queues[0].outcome) == (CallResult.LOST_RINGING, QO.ABANDONED_RINGING)


@pytest.mark.req("R91")
def test_a_phone_of_which_no_more_was_heard_rang_to_the_end() -> None:
    story = Story()
    stay = story.visit("support")
    stay.offer("alice")
    record = build(story.end("caller", 4_000))
    assert (record.result, record.queues[0].outcome) == (CallResult.LOST_RINGING, QO.ABANDONED_RINGING)


@pytest.mark.req("R91")
def test_who_talked_is_handled_wherever_he_hangs_up_later() -> None:
    story = Story()
    stay = story.visit("support")
    (leg,) = stay.offer("bob")
    stay.talk(leg, ms=1_000, talk_ms=9_000, agent_ends=True)
    record = build(story.visit("sales").break_off("caller", 5_000))
    assert [visit.outcome for visit in record.queues] == [QO.ANSWERED, QO.ABANDONED]
    assert (record.result, record.hung_up_by, record.wait_ms) == (CallResult.HANDLED, HungUpBy.CALLER, 1_000)


@pytest.mark.req("R90")
def test_a_conversation_that_was_found_out_about_only_later() -> None:
    story = Story()
    stay = story.visit("support")
    (leg,) = stay.offer("bob")
    story.add(LegEvent(leg, "answered", "bob", "agent"), 2_000)
    story.add(LegEvent(leg, "bridged", "bob", "agent", happened_ms=3_000), 60_000)
    story.add(LegEvent(leg, "ended", "bob", "agent", "NORMAL_CLEARING"))
    record = build(story.end("caller"))
    expected = QueueVisit("support", 1_000, 3_000, QO.ANSWERED, None, "bob", 2_000, 2_000, 1, talk_ms=60_000)
    assert record.queues == (expected,)


@pytest.mark.req("R91")
def test_a_refused_queue_and_a_call_that_the_switch_ends_are_errors_of_the_visit() -> None:
    story = Story()
    story.visit("support").refuse()
    record = build(story.visit("sales").break_off("system"))
    assert [visit.outcome for visit in record.queues] == [QO.ERROR, QO.ERROR]
    assert (record.result, record.hung_up_by) == (CallResult.OTHER_END, HungUpBy.SYSTEM)


@pytest.mark.req("R92")
@pytest.mark.parametrize("told_before_ms", [-5_000, 40, 5_000])
def test_a_shared_clock_that_is_wrong_makes_no_wait_longer_than_the_visit(told_before_ms: int) -> None:
    story = Story()
    stay = story.visit("support")
    stay.join(100, told_before_ms)
    (visit,) = build(stay.break_off("caller", 700)).queues
    assert visit.wait_ms == {-5_000: 700, 40: 740, 5_000: 800}[told_before_ms]


@pytest.mark.req("R90", "R91", "R92")
@given(written())
def test_any_call_through_queues_has_its_visits_its_class_and_who_hung_up(call: Written) -> None:
    record = build(call.entries)
    assert record.queues == call.visits
    assert (record.result, record.hung_up_by) == (call.result, call.hung_up_by)
    assert sum(visit.talk_ms for visit in record.queues) == record.talk_ms
    assert sum(visit.offers for visit in record.queues) == len(record.legs)


@pytest.mark.req("R91")
@given(st.lists(written(), max_size=8))
def test_calls_and_visits_tell_the_same_sums(calls: list[Written]) -> None:
    records = [build(call.entries) for call in calls]
    results = Counter(record.result for record in records)
    talked = [record for record in records if any(visit.outcome is QO.ANSWERED for visit in record.queues)]
    last = Counter(record.queues[-1].outcome for record in records if record.queues and record not in talked)
    assert results[CallResult.HANDLED] == len(talked)
    assert results[CallResult.LOST_IN_QUEUE] == last[QO.ABANDONED]
    assert results[CallResult.LOST_RINGING] == last[QO.ABANDONED_RINGING]
    others = (CallResult.LOST_BEFORE_IVR, CallResult.LOST_IN_IVR, CallResult.OTHER_END)
    lost = last[QO.ABANDONED] + last[QO.ABANDONED_RINGING] + sum(results[each] for each in others)
    assert len(records) == len(talked) + lost
