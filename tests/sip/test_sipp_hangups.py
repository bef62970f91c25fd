"""Callers who hang up, by SIPp: in every phase of a call, at once, twice."""

from __future__ import annotations

import pytest

from tests.sip.conftest import SHORT_NUMBER, System, nodes
from tests.sip.sipp import agent, calls, ending

pytestmark = [pytest.mark.usefixtures("sipp"), pytest.mark.req("R91")]

PRESSES_1 = "uac_presses_1_hangs_up_expect_confirmed"
HANGS_UP = "uac_hangs_up_in_prompt_expect_lost"


def test_in_the_moment_of_the_answer(system: System) -> None:
    caller = system.new_caller()
    calls(system, HANGS_UP, SHORT_NUMBER, caller, pause_ms=0)
    record = system.record(caller)
    assert record["did"] == SHORT_NUMBER
    assert ending(record) == ("lost_in_ivr", "caller", "NORMAL_CLEARING")
    assert record["legs"] == []


def test_in_the_menu_waiting_for_a_key(system: System) -> None:
    caller = system.new_caller()
    calls(system, HANGS_UP, SHORT_NUMBER, caller, pause_ms=1500)
    record = system.record(caller)
    assert nodes(record) == ["answer", "menu"]
    assert ending(record) == ("lost_in_ivr", "caller", "NORMAL_CLEARING")


def test_while_the_agent_is_rung(system: System) -> None:
    caller = system.new_caller()
    with agent(system, "uas_agent_silent") as phone:
        calls(system, PRESSES_1, SHORT_NUMBER, caller, values={"stay_ms": "1200"})
        assert phone.stop().ok, "the agent's phone was told to stop ringing"
    record = system.record(caller)
    assert nodes(record) == ["answer", "menu", "alice"]
    assert ending(record) == ("lost_ringing", "caller", "NORMAL_CLEARING")
    assert [(leg["party"], leg["result"]) for leg in record["legs"]] == [("alice", "not_answered")]
    assert record["recordings"] == []


def test_in_the_conversation(system: System) -> None:
    caller = system.new_caller()
    with agent(system) as phone:
        calls(system, PRESSES_1, SHORT_NUMBER, caller, values={"stay_ms": "2000"})
        assert phone.stop().ok
    record = system.record(caller, lambda call: call["recordings"] and call["recordings"][0]["state"] == "stored")
    assert nodes(record) == ["answer", "menu", "alice"]
    assert ending(record) == ("handled", "caller", "NORMAL_CLEARING")
    assert [(leg["party"], leg["result"]) for leg in record["legs"]] == [("alice", "talked")]
    assert 500 < record["talk_ms"] < 2500


def test_in_the_last_prompt(system: System) -> None:
    caller = system.new_caller()
    with agent(system, "uas_agent_busy"):
        calls(system, PRESSES_1, SHORT_NUMBER, caller, values={"stay_ms": "700"})
    record = system.record(caller)
    assert nodes(record) == ["answer", "menu", "alice", "busy"]
    assert ending(record) == ("lost_in_ivr", "caller", "NORMAL_CLEARING")


def test_twice(system: System) -> None:
    caller = system.new_caller()
    calls(system, "uac_says_bye_twice_expect_481", SHORT_NUMBER, caller)
    assert ending(system.record(caller)) == ("lost_in_ivr", "caller", "NORMAL_CLEARING")


def test_a_call_that_there_never_was(system: System) -> None:
    caller = system.new_caller()
    calls(system, "uac_stray_bye_expect_481", SHORT_NUMBER, caller)
    assert system.api.get("/calls", caller=caller)["calls"] == []
