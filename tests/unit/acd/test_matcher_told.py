"""What the matcher says: why an agent was not chosen, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from engine.acd.faults import AlreadyInQueue, BadMember, UnknownMember, UnknownQueue
from engine.domain.acd import AgentState, Passed, Ring, Tier, Why
from tests.unit.acd.people import NOW, agent, matcher, member

S = 1000


def test_why_the_others_were_not_chosen() -> None:
    made = matcher()
    made.set_agent(agent("chosen", ready_since_ms=NOW - 30 * S))
    made.set_agent(agent("later", ready_since_ms=NOW - 20 * S))
    made.set_agent(agent("silent", reachable=False))
    made.set_agent(agent("out", state=AgentState.LOGGED_OUT))
    made.set_agent(agent("foreign", skills={}, tiers={"other": Tier()}))
    made.join(member("m", sticky_agent="foreign"), NOW)
    (offer,) = made.decide(NOW)
    assert made.offer_of("m") == offer
    assert made.explain("m", NOW) == [
        Passed("foreign", Why.NOT_LOGGED_IN, "not logged in to q"),
        Passed("later", Why.OTHER_AGENT, "chosen went before by longest_idle: idle for 30 s"),
        Passed("out", Why.NOT_LOGGED_IN, "not logged in to q"),
        Passed("silent", Why.UNREACHABLE, "his phone can't be reached"),
    ]


def test_before_the_decision_it_is_said_who_goes_before() -> None:
    made = matcher()
    made.set_agent(agent("first", ready_since_ms=NOW - 30 * S))
    made.set_agent(agent("second", ready_since_ms=NOW - 20 * S))
    made.join(member("m"), NOW)
    assert made.explain("m", NOW) == [Passed("second", Why.OTHER_AGENT, "first goes before by longest_idle")]
    made.join(member("n", joined_ms=NOW + S), NOW + S)
    assert made.explain("n", NOW + S)[0] == Passed("first", Why.OTHER_MEMBER, "m goes before")


def test_what_can_not_be() -> None:
    made = matcher()
    with pytest.raises(UnknownQueue, match=r"queue 'nowhere': not known here; set_rules comes first"):
        made.join(member("m", "nowhere"), NOW)
    with pytest.raises(UnknownQueue):
        made.put_back(member("m", "nowhere"), NOW)
    with pytest.raises(UnknownQueue):
        made.waiting("nowhere")
    with pytest.raises(UnknownMember, match=r"member 'm' is in no queue"):
        made.explain("m", NOW)
    made.join(member("m"), NOW)
    for again in (made.join, made.put_back):
        with pytest.raises(AlreadyInQueue, match=r"member 'm' is in queue 'q' already"):
            again(member("m"), NOW)
    assert made.leave("m") == member("m")
    assert made.leave("m") is None


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"rings": ()}, "member 'm': the first ring must begin at after_ms 0"),
        ({"rings": (Ring(1, {}),)}, "member 'm': the first ring must begin at after_ms 0"),
        ({"rings": (Ring(0, {}), Ring(0, {}))}, "member 'm': each ring must begin later than the one before"),
        ({"rings": tuple(Ring(at, {}) for at in range(7))}, "member 'm': 7 rings, at most 6 are possible"),
        ({"priority": 101.0}, "member 'm': priority 101.0, must be from 0 to 100"),
        ({"priority": float("nan")}, "member 'm': priority nan, must be from 0 to 100"),
    ],
)
def test_members_who_have_no_order_are_refused(others: dict[str, Any], message: str) -> None:
    made = matcher()
    with pytest.raises(BadMember) as raised:
        made.join(member("m", **others), NOW)
    assert str(raised.value) == message
    assert made.waiting("q") == []
