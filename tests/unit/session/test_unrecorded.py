"""Nothing is recorded where a listed number takes part, whatever flow and route say (R7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from engine.domain.call import CallResult
from engine.domain.journal import RecordingEvent
from engine.session.session import SessionServices
from engine.switch.port import Originated
from ivr_flows.flow import Flow
from ivr_flows.node import Node
from ivr_flows.nodes.agent import Agent
from ivr_flows.nodes.answer import Answer
from ivr_flows.nodes.dial import Dial
from ivr_flows.nodes.hangup import Hangup
from ivr_flows.nodes.record import Record
from tests.unit.session.bench import Bench, flow, returned
from tests.unit.session.fake_switch import FakeChannel, channel_info

pytestmark = pytest.mark.req("R7")
OUTSIDE = "+420601222333"


def talking_with(node: Node, *, started: bool = False) -> Flow:
    """Answers, starts recording where told to, and connects; after that a recording is wanted once more."""
    nodes: dict[str, tuple[Node, Mapping[str, str]]] = {
        "answer": (Answer(), {"next": "record" if started else "talk"}),
        "record": (Record(action="start"), {"next": "talk", "error": "talk"}),
        "talk": (node, dict.fromkeys(node.exits(), "again")),
        "again": (Record(action="start"), {"next": "started", "error": "refused"}),
        "started": (Hangup(reason="started"), {}),
        "refused": (Hangup(reason="refused"), {}),
    }
    return flow(nodes)


def bench(asked: Flow, *unrecorded: str) -> tuple[Bench, SessionServices]:
    made = Bench(asked, record=True)
    made.snapshot = replace(made.snapshot, agents=(replace(made.snapshot.agents[0], number="2001"),))
    made.unrecorded = unrecorded
    return made, made.engine("e1")


def talked(made: Bench, services: SessionServices, **caller: Any) -> list[str]:
    """What happened to recordings until the two were joined."""
    made.control.outcomes.append(Originated("answered"))
    channel = FakeChannel(channel_info(**caller))
    running = made.start(channel, services)
    _, leg = made.control.joined.get(timeout=5)
    happened = recordings(made)
    made.run(returned(channel, leg), services)
    running.join(5)
    return happened


def recordings(made: Bench) -> list[str]:
    return [event.event for event in made.events() if isinstance(event, RecordingEvent)]


def test_a_call_to_an_external_number_keeps_record_leg_and_recording() -> None:
    made, services = bench(talking_with(Dial(number=OUTSIDE)), "+420601222334", "20*")
    happened = talked(made, services)
    assert happened == ["started"]
    record = made.record()
    assert record.result is CallResult.HANDLED
    (leg,) = record.legs
    assert (leg.kind, leg.party, leg.result, leg.hangup_cause) == ("number", OUTSIDE, "talked", "NORMAL_CLEARING")
    assert [each.id for each in made.announced] == list(record.recordings)
    assert made.announced[0].call_id == record.call_id


@pytest.mark.parametrize("pattern", [OUTSIDE, "601 222 333", "00420601222*", "+4206012223*"])
@pytest.mark.parametrize("record", [None, True])
def test_with_a_listed_number_nothing_is_recorded(pattern: str, record: bool | None) -> None:
    made, services = bench(talking_with(Dial(number=OUTSIDE, record=record)), pattern)
    assert talked(made, services) == []
    record_ = made.record()
    assert (record_.legs[0].result, record_.reason) == ("talked", "started")  # the flow may record what comes after


def test_an_agent_is_known_by_his_extension() -> None:
    made, services = bench(talking_with(Agent(agent="alice", record=True)), "20*")
    assert talked(made, services) == []


def test_a_recording_that_runs_stops_before_they_hear_each_other() -> None:
    made, services = bench(talking_with(Dial(number=OUTSIDE), started=True), OUTSIDE)
    happened = talked(made, services)
    assert happened == ["started", "stopped"]
    assert recordings(made) == ["started", "stopped", "started"]
    assert len(made.record().recordings) == 2


@pytest.mark.parametrize("caller", [{"ani": "00420601222333"}, {"did": "221111000"}])
def test_nor_is_anything_of_a_call_from_or_to_one(caller: dict[str, str]) -> None:
    made, services = bench(talking_with(Agent(agent="alice"), started=True), OUTSIDE, "+420221111000")
    assert talked(made, services, **caller) == []
    record = made.record()
    assert (record.reason, record.recordings) == ("refused", ())
    assert not made.announced


def test_an_anonymous_caller_is_nobody_of_the_list() -> None:
    made, services = bench(talking_with(Agent(agent="alice")), OUTSIDE)
    assert talked(made, services, ani="", privacy=True) == ["started"]
