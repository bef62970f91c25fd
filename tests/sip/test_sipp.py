"""The demo's calls once more, by SIPp: a second opinion on our SIP, on either switch."""

from __future__ import annotations

import pytest

from callwright.client import path
from callwright.demo.verify import level
from tests.sip.conftest import MAIN_NUMBER, System, fetch_audio, nodes
from tests.sip.sipp import agent, calls

pytestmark = pytest.mark.usefixtures("sipp")

AGENT_HZ, CALLER_HZ = 880.0, 440.0


@pytest.mark.req("R80", "R90")
def test_menu_agent_talk(system: System) -> None:
    caller = system.new_caller()
    with agent(system) as phone:
        calls(system, "uac_menu_agent_expect_talk", MAIN_NUMBER, caller, pause_ms=3500)
        assert phone.stop().successful == 1
    record = system.record(caller, lambda call: call["recordings"] and call["recordings"][0]["state"] == "stored")
    assert nodes(record) == ["answer", "welcome", "menu", "agent", "hangup"]
    assert (record["result"], record["hung_up_by"]) == ("handled", "agent")
    samples, rate = fetch_audio(system.api.get(path("calls", record["call_id"], "recording"))["url"])
    assert level(samples[:, 0], rate, CALLER_HZ) > 0.02, "the caller is on the left"
    assert level(samples[:, 1], rate, AGENT_HZ) > 0.02, "the agent is on the right"


@pytest.mark.req("R20")
def test_wrong_key_then_no_input(system: System) -> None:
    caller = system.new_caller()
    calls(system, "uac_wrong_key_no_input_expect_goodbye", MAIN_NUMBER, caller, pause_ms=3500)
    record = system.record(caller)
    assert nodes(record) == ["answer", "welcome", "menu", "goodbye", "hangup"]
    assert (record["result"], record["hung_up_by"]) == ("other_end", "system")


@pytest.mark.req("R91")
def test_hangup_in_the_prompt(system: System) -> None:
    caller = system.new_caller()
    calls(system, "uac_hangs_up_in_prompt_expect_lost", MAIN_NUMBER, caller, pause_ms=700)
    record = system.record(caller)
    assert nodes(record) == ["answer", "welcome"]
    assert (record["result"], record["hung_up_by"]) == ("lost_in_ivr", "caller")
