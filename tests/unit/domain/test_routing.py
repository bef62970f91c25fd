from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from engine.domain.acd import Accept, AgentState, QueueRules, Strategy
from engine.domain.routing import AgentEntry, OverflowReason, QueueEntry
from ivr_flows.nodes.queue import Queue


def test_a_queue_becomes_rules_of_the_matcher() -> None:
    queue = QueueEntry(
        id="sales",
        name="Sales",
        strategy=Strategy.OCCUPANCY,
        weight=2.5,
        ageing_per_min=0.5,
        tier_wait_s=1,
        ring_s=2,
        wrap_up_s=3,
        sticky_wait_s=4,
        accept=Accept.AT_ONCE,
    )
    assert queue.rules(is_open=False) == QueueRules(
        id="sales",
        strategy=Strategy.OCCUPANCY,
        weight=2.5,
        ageing_per_min=0.5,
        tier_wait_ms=1_000,
        ring_ms=2_000,
        wrap_up_ms=3_000,
        sticky_wait_ms=4_000,
        accept=Accept.AT_ONCE,
        open=False,
    )


def test_what_is_usual_in_the_settings_is_usual_for_the_matcher() -> None:
    assert QueueEntry(id="sales", name="Sales").rules(is_open=True) == QueueRules(id="sales")


@pytest.mark.req("R3", "R6", "R32")
def test_an_overflow_has_the_name_of_an_exit_of_the_node() -> None:
    assert set(OverflowReason) == set(Queue.EXITS) - {"finished"}


@pytest.mark.req("R14")
def test_the_mobile_rings_in_the_states_that_are_named() -> None:
    agent = AgentEntry("bob", "Bob", mobile="+420777123456", mobile_in=(AgentState.LOGGED_OUT, AgentState.BREAK))
    assert {state for state in AgentState if agent.rings_mobile(state)} == {AgentState.LOGGED_OUT, AgentState.BREAK}
    desk_only = AgentEntry("bob", "Bob", mobile_in=(AgentState.BREAK,))
    assert not desk_only.rings_mobile(AgentState.BREAK)


def test_settings_can_not_be_changed_in_a_snapshot() -> None:
    def parts(value: Any) -> Iterator[Any]:
        if is_dataclass(value):
            yield value
            for each in fields(value):
                yield from parts(getattr(value, each.name))

    found = [*parts(QueueEntry(id="sales", name="Sales")), *parts(AgentEntry("bob", "Bob"))]
    assert len(found) == 3
    for part in found:
        with pytest.raises(AttributeError):
            setattr(part, fields(part)[0].name, "other")
