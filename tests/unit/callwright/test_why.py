"""`callwright why` as people read it."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from callwright.cli import cli
from callwright.why import line_told, told

AT = "2026-11-23T08:00:00.123Z"


def decision(**others: Any) -> dict[str, Any]:
    return {"at": AT, "offer": None, "leave": None, "passed": [], "more": 0} | others


def offer(**others: Any) -> dict[str, Any]:
    usual = {"queue": "sales", "agents": ["alice"], "strategy": "longest_idle", "score": "idle for 12 s"}
    return {**usual, "ring": 0, "waited_ms": 3_449, "ring_ms": 20_000, "accept": "answer"} | others


def passed(agent: str, why: str, detail: str) -> dict[str, Any]:
    return {"agent": agent, "why": why, "detail": detail}


@pytest.mark.req("R4")
def test_decisions_in_words() -> None:
    reasons = [passed("bob", "not_ready", "break for 3 s"), passed("caroline", "skill", "has czech 3 of 5")]
    decisions = [
        decision(offer=offer(), passed=reasons, more=12),
        decision(offer=offer(agents=["bob", "carl"], ring=2, strategy="ring_all", score="2 agents at once")),
        decision(leave="timeout"),
    ]
    lines = list(told({"call_id": "c1", "at": AT, "decisions": decisions, "waits": None}))
    assert lines == [
        "call c1",
        "",
        f"{AT}  in sales offered to alice after 3.4 s of waiting: longest_idle, idle for 12 s",
        "    not bob       not_ready      break for 3 s",
        "    not caroline  skill          has czech 3 of 5",
        "    nor 12 more",
        "",
        f"{AT}  in sales offered to bob, carl after 3.4 s of waiting, by demands relaxed 2 times: "
        "ring_all, 2 agents at once",
        "",
        f"{AT}  told to leave (timeout): his longest wait was over",
        "",
        "waits no more",
    ]


@pytest.mark.req("R4")
@pytest.mark.parametrize(
    ("waits", "line"),
    [
        ({}, "waits in sales, position 2, for 9.0 s"),
        ({"offered": ["alice"]}, "waits in sales, position 2, for 9.0 s; rings at alice"),
        ({"next": ["bob"]}, "waits in sales, position 2, for 9.0 s; nothing speaks against bob: next decision"),
        ({"position": None}, "waits in sales, which is not set up, for 9.0 s"),
    ],
)
def test_a_call_that_waits(waits: dict[str, Any], line: str) -> None:
    usual = {"queue": "sales", "position": 2, "waited_ms": 9_000, "offered": [], "next": [], "passed": [], "more": 0}
    found = {"call_id": "c1", "at": AT, "decisions": [], "waits": usual | waits}
    assert list(told(found)) == ["call c1", "", f"{AT}  {line}"]


@pytest.mark.req("R4")
def test_who_is_passed_over_now() -> None:
    reason = passed("bob", "other_member", "c0 goes before")
    usual = {"queue": "q", "position": 2, "waited_ms": 0, "offered": [], "next": [], "passed": [reason], "more": 0}
    (*_, last) = told({"call_id": "c1", "at": AT, "decisions": [], "waits": usual})
    assert last == "    not bob  other_member   c0 goes before"


@pytest.mark.req("R4")
def test_who_waits_in_a_queue() -> None:
    def member(position: int, call: str, **others: Any) -> dict[str, Any]:
        usual = {"position": position, "call_id": call, "joined_at": AT, "waited_ms": 61_900, "priority": 10.0}
        return usual | {"offered": []} | others

    members = [member(1, "c1", offered=["alice", "bob"]), member(2, "call2", waited_ms=900, priority=2.5)]
    assert list(line_told({"queue": "sales", "at": AT, "members": members})) == [
        "position  call   joined                    waited  priority  rings at",
        f"1         c1     {AT}  61.9 s  10        alice, bob",
        f"2         call2  {AT}  0.9 s   2.5       -",
    ]
    assert list(line_told({"queue": "sales", "at": AT, "members": []})) == ["nobody waits in sales"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "a CALL is missing; --queue QUEUE lists the calls that wait, with their ids"),
        (("c1", "--queue", "sales"), "CALL and --queue don't go together"),
    ],
)
def test_either_a_call_or_a_queue(arguments: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(cli, ["why", *arguments])
    assert (done.exit_code, said in done.output) == (2, True)
