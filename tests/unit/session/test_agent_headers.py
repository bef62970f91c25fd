"""What agents' phones are told of a call, and nobody else (R9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from engine.domain.acd import AgentState
from engine.session.agent_headers import MOST_ATTRIBUTES
from ivr_flows.flow import Flow
from ivr_flows.node import Node
from ivr_flows.nodes.agent import Agent
from ivr_flows.nodes.dial import Dial
from ivr_flows.nodes.hangup import Hangup
from ivr_flows.nodes.queue import Queue
from ivr_flows.nodes.set import Set
from ivr_flows.salvage import read_node
from tests.unit.session.bench import flow
from tests.unit.session.centre import Centre
from tests.unit.session.fake_switch import FakeChannel

pytestmark = pytest.mark.req("R9")
Open = Callable[..., Centre]


def attaching(attributes: Mapping[str, str], then: Node) -> Flow:
    attach = read_node(Set, {"type": "set", "attributes": {name: f"'{value}'" for name, value in attributes.items()}})
    nodes: dict[str, tuple[Node, Mapping[str, str]]] = {
        "attach": (attach, {"next": "then"}),
        "then": (then, dict.fromkeys(then.exits(), "over")),
        "over": (Hangup(reason="over"), {}),
    }
    return flow(nodes)


def told(made: Centre) -> dict[str, str]:
    """The headers of the only leg."""
    made.start(FakeChannel())
    ((_, ringing),) = made.until(lambda: made.control.rung)
    return made.control.headers[ringing.leg]


def test_out_of_a_queue(centre: Open) -> None:
    made = centre(attaching({"campaign": "summer", "problem_kind": "bill"}, Queue(queue="sales")), agents="alice")
    assert told(made) == {
        "X-Callwright-Call": "a-leg",
        "X-Callwright-Queue": "sales",
        "X-Callwright-Attribute-campaign": "summer",
        "X-Callwright-Attribute-problem-kind": "bill",
    }


def test_past_the_queues(centre: Open) -> None:
    made = centre(attaching({"campaign": "summer"}, Agent(agent="alice")))
    assert told(made) == {"X-Callwright-Call": "a-leg", "X-Callwright-Attribute-campaign": "summer"}


def test_as_many_as_an_invite_may_carry(centre: Open) -> None:
    many = {f"a{number}": str(number) for number in range(MOST_ATTRIBUTES + 5)}
    names = [name for name in told(centre(attaching(many, Agent(agent="alice")))) if "Attribute" in name]
    assert names == [f"X-Callwright-Attribute-a{number}" for number in range(MOST_ATTRIBUTES)]


def test_nothing_goes_over_a_trunk(centre: Open) -> None:
    assert told(centre(attaching({"campaign": "summer"}, Dial(number="+420601222333")))) == {}


def test_nor_to_a_mobile(centre: Open) -> None:
    made = centre(attaching({"campaign": "summer"}, Queue(queue="sales")), agents="alice")
    alice = replace(made.snapshot.agents[0], mobile="+420601222333", mobile_in=(AgentState.READY,))
    made.snapshot = replace(made.snapshot, agents=(alice, *made.snapshot.agents[1:]))
    assert told(made) == {}
