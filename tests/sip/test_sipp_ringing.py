"""Calls that ring before they are answered, by SIPp: given up, answered by the agent, refused."""

from __future__ import annotations

import pytest

from tests.sip.conftest import RINGING_NUMBER, System, nodes
from tests.sip.sipp import agent, calls, ending

pytestmark = pytest.mark.usefixtures("sipp")


@pytest.mark.req("R91")
def test_the_caller_gives_up_while_it_rings(system: System) -> None:
    caller = system.new_caller()
    with agent(system, "uas_agent_silent") as phone:
        calls(system, "uac_cancels_while_ringing_expect_487", RINGING_NUMBER, caller, pause_ms=500)
        assert phone.stop().ok, "the agent's phone was told to stop ringing"
    record = system.record(caller)
    assert nodes(record) == ["ring", "alice"]
    assert ending(record) == ("lost_ringing", "caller", "ORIGINATOR_CANCEL")
    assert record["answered_at"] is None
    assert [(leg["party"], leg["result"]) for leg in record["legs"]] == [("alice", "not_answered")]


@pytest.mark.req("R90")
def test_the_call_is_answered_when_the_agent_answers(system: System) -> None:
    caller = system.new_caller()
    with agent(system) as phone:
        calls(system, "uac_rings_expect_answer_by_agent", RINGING_NUMBER, caller)
        assert phone.stop().ok
    record = system.record(caller)
    assert nodes(record) == ["ring", "alice", "hangup"]
    assert ending(record) == ("handled", "agent", "NORMAL_CLEARING")
    assert record["answered_at"] is not None


@pytest.mark.parametrize(
    ("behaviour", "code", "node", "cause"),
    [("uas_agent_busy", 486, "busy", "USER_BUSY"), ("uas_agent_silent", 480, "no-answer", "NO_ANSWER")],
)
def test_a_call_that_nobody_takes_is_refused(system: System, behaviour: str, code: int, node: str, cause: str) -> None:
    caller = system.new_caller()
    with agent(system, behaviour) as phone:
        calls(system, f"uac_rings_expect_{code}", RINGING_NUMBER, caller)
        assert phone.stop().ok
    record = system.record(caller)
    assert nodes(record) == ["ring", "alice", node]
    assert ending(record) == ("other_end", "system", cause)
    assert record["answered_at"] is None
