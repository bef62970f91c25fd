"""The demo says of its queue what is not as it should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from callwright.demo import verify

CALL = ("reserved", "accepted", "conversation_began", "conversation_ended")
Report = tuple[list[dict[str, Any]], dict[str, Any]]


def good() -> Report:
    """The three calls of the queue, and the queue, as the demo reports them."""
    calls = [
        {
            "path": list(expected.path),
            "result": expected.result,
            "hung_up_by": expected.hung_up_by,
            "hangup_cause": "NORMAL_CLEARING",
            "queues": [
                {
                    "queue": "support",
                    "outcome": "answered",
                    "agent": expected.agent,
                    "offers": 1,
                    "left_at": f"2026-11-22T12:00:0{number}.000Z",
                }
            ],
            "talk_ms": (expected.talk_s or 8) * 1000,
            "recording": {},
        }
        for number, expected in enumerate(verify.EXPECTED[3:])
    ]
    agents = {"bob": CALL * 2, "caroline": ("log_in", *CALL)}
    decision = {"offer": {"agents": ["bob"]}, "passed": [{"agent": "caroline", "why": "not_ready"}]}
    queue = {
        "agents": {agent: [{"what": each} for each in did] for agent, did in agents.items()},
        "why": {"decisions": [decision]},
    }
    return calls, queue


def faults(report: Report) -> list[str]:
    calls, queue = report
    expected = zip(verify.EXPECTED[3:], calls, strict=True)
    return [fault for each, call in expected for fault in verify.faults(each, call)] + verify.queue_faults(calls, queue)


def test_nothing_is_said_of_what_is_as_it_should_be() -> None:
    assert faults(good()) == []


def _second_answered_first(calls: list[dict[str, Any]], _: dict[str, Any]) -> None:
    calls[0]["queues"][0]["left_at"] = "2026-11-22T12:00:09.000Z"


def _rung_twice(calls: list[dict[str, Any]], _: dict[str, Any]) -> None:
    calls[2]["queues"][0]["offers"] = 2


def _another_agent(calls: list[dict[str, Any]], _: dict[str, Any]) -> None:
    calls[2]["queues"][0]["agent"] = "caroline"


def _not_answered(_: list[dict[str, Any]], queue: dict[str, Any]) -> None:
    queue["agents"]["bob"][1]["what"] = "not_answered"


def _nothing_decided(_: list[dict[str, Any]], queue: dict[str, Any]) -> None:
    queue["why"] = None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_second_answered_first, "not answered in the order"),
        (_rung_twice, "queues: [('support', 'answered', 'bob', 2)]"),
        (_another_agent, "queues: [('support', 'answered', 'caroline', 1)]"),
        (_not_answered, "queue: bob: ['reserved', 'not_answered'"),
        (_nothing_decided, "queue: why: offered to []"),
    ],
)
def test_what_is_wrong_is_said(spoil: Callable[[list[dict[str, Any]], dict[str, Any]], None], said: str) -> None:
    report = good()
    spoil(*report)
    (fault,) = faults(report)
    assert said in fault
