"""Agents' phones that don't take the call, by SIPp, and the exit that the flow takes."""

from __future__ import annotations

import pytest

from tests.sip.conftest import SHORT_NUMBER, System, nodes
from tests.sip.sipp import agent, calls, ending

pytestmark = pytest.mark.usefixtures("sipp")

EXITS = {
    "uas_agent_busy": ("busy", "USER_BUSY"),
    "uas_agent_rejects": ("busy", "CALL_REJECTED"),
    "uas_agent_silent": ("no-answer", "NO_ANSWER"),
    "uas_agent_does_not_want_to_be_disturbed": ("no-answer", "NO_USER_RESPONSE"),
    "uas_agent_without_common_codec": ("away", "INCOMPATIBLE_DESTINATION"),
}


@pytest.mark.req("R90")
@pytest.mark.parametrize("behaviour", EXITS)
def test_the_flow_takes_the_exit(system: System, behaviour: str) -> None:
    caller = system.new_caller()
    with agent(system, behaviour) as phone:
        calls(system, "uac_menu_agent_expect_talk", SHORT_NUMBER, caller)
        assert phone.stop().ok
    exit_node, cause = EXITS[behaviour]
    record = system.record(caller)
    assert nodes(record) == ["answer", "menu", "alice", exit_node, "unserved"]
    assert ending(record) == ("other_end", "system", "NORMAL_CLEARING")
    (leg,) = record["legs"]
    assert (leg["party"], leg["result"], leg["hangup_cause"]) == ("alice", "not_answered", cause)
    assert record["recordings"] == []


def test_an_agent_who_hangs_up_at_once(system: System) -> None:
    caller = system.new_caller()
    with agent(system, "uas_agent_answers_hangs_up_at_once") as phone:
        calls(system, "uac_menu_agent_expect_talk", SHORT_NUMBER, caller)
        assert phone.stop().ok
    record = system.record(caller)
    assert nodes(record) == ["answer", "menu", "alice", "away", "unserved"]
    assert ending(record) == ("other_end", "system", "NORMAL_CLEARING")
    # Whether the answer or the hangup is seen first is a matter of milliseconds; that nobody talked is not.
    (leg,) = record["legs"]
    assert (leg["party"], leg["talk_ms"], leg["hangup_cause"]) == ("alice", 0, "NORMAL_CLEARING")
