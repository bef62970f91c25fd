"""Many callers at once, and one caller's packets many times, by SIPp: each call has one record."""

from __future__ import annotations

import re

import pytest

from tests.sip.conftest import SHORT_NUMBER, System, nodes
from tests.sip.sipp import agent, calls, ending, sip_call_ids

pytestmark = [pytest.mark.usefixtures("sipp"), pytest.mark.req("R90")]

CALLERS = 20


def test_twenty_callers_at_once(system: System) -> None:
    caller = system.new_caller()
    with agent(system) as phone:
        result = calls(
            system, "uac_menu_agent_expect_talk", SHORT_NUMBER, caller, calls=CALLERS, rate=CALLERS, timeout_s=30
        )
        assert phone.stop().successful == CALLERS
    assert result.successful == CALLERS
    records = system.records(CALLERS, caller=caller)
    assert {record["sip_call_id"] for record in records} == sip_call_ids(result)
    for record in records:
        assert nodes(record) == ["answer", "menu", "alice", "hangup"]
        assert ending(record) == ("handled", "agent", "NORMAL_CLEARING")
        assert [leg["result"] for leg in record["legs"]] == ["talked"]
        assert len(record["recordings"]) == 1


def test_the_same_invite_three_times(system: System) -> None:
    caller = system.new_caller()
    result = calls(system, "uac_repeats_invite_expect_one_call", SHORT_NUMBER, caller, pause_ms=800)
    assert len(set(re.findall(r"^To: .*;tag=(\S+)", result.messages, flags=re.MULTILINE))) == 1, "one call answered"
    assert ending(system.record(caller)) == ("lost_in_ivr", "caller", "NORMAL_CLEARING")


def test_an_ack_that_comes_late(system: System) -> None:
    caller = system.new_caller()
    with agent(system) as phone:
        result = calls(system, "uac_acks_late_expect_talk", SHORT_NUMBER, caller, pause_ms=1200)
        assert phone.stop().ok
    assert len(re.findall(r"SIP/2\.0 200 OK(?:\n.+)*\nCSeq: 1 INVITE", result.messages)) > 1, "200 was said again"
    record = system.record(caller)
    assert nodes(record) == ["answer", "menu", "alice", "hangup"]
    assert ending(record) == ("handled", "agent", "NORMAL_CLEARING")
