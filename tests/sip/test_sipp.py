"""The demo's calls once more, by SIPp: a second opinion on our SIP, on either switch."""

from __future__ import annotations

import pytest

from callwright.client import path
from callwright.demo.verify import level
from sipp_scenarios.runner import Account, run_uac, start_uas
from tests.sip.conftest import MAIN_NUMBER, System, fetch_audio, nodes

pytestmark = pytest.mark.usefixtures("sipp")

AGENT_HZ, CALLER_HZ = 880.0, 440.0


def line(system: System) -> tuple[str, int]:
    return system.stack.sip_external.host, system.stack.sip_external.port


def inside(system: System) -> tuple[str, int]:
    return system.stack.sip_internal.host, system.stack.sip_internal.port


def alice(system: System) -> Account:
    account = system.stack.agents[0]
    return Account(account.id, account.password, system.stack.config.dialplan.domain)


@pytest.mark.req("R80", "R90")
def test_menu_agent_talk(system: System) -> None:
    caller = system.new_caller()
    with start_uas("uas_agent_answers_talks_hangs_up", registrar=inside(system), phone=alice(system)) as agent:
        run_uac("uac_menu_agent_expect_talk", line(system), MAIN_NUMBER, caller=caller, pause_ms=3500)
        assert agent.stop().successful == 1
    record = system.record(caller, lambda call: call["recordings"] and call["recordings"][0]["state"] == "stored")
    assert nodes(record) == ["answer", "welcome", "menu", "agent", "hangup"]
    assert (record["result"], record["hung_up_by"]) == ("handled", "agent")
    samples, rate = fetch_audio(system.api.get(path("calls", record["call_id"], "recording"))["url"])
    assert level(samples[:, 0], rate, CALLER_HZ) > 0.02, "the caller is on the left"
    assert level(samples[:, 1], rate, AGENT_HZ) > 0.02, "the agent is on the right"


@pytest.mark.req("R20")
def test_wrong_key_then_no_input(system: System) -> None:
    caller = system.new_caller()
    run_uac("uac_wrong_key_no_input_expect_goodbye", line(system), MAIN_NUMBER, caller=caller, pause_ms=3500)
    record = system.record(caller)
    assert nodes(record) == ["answer", "welcome", "menu", "goodbye", "hangup"]
    assert (record["result"], record["hung_up_by"]) == ("other_end", "system")


@pytest.mark.req("R91")
def test_hangup_in_the_prompt(system: System) -> None:
    caller = system.new_caller()
    run_uac("uac_hangs_up_in_prompt_expect_lost", line(system), MAIN_NUMBER, caller=caller, pause_ms=700)
    record = system.record(caller)
    assert nodes(record) == ["answer", "welcome"]
    assert (record["result"], record["hung_up_by"]) == ("lost_in_ivr", "caller")


@pytest.mark.parametrize(
    ("behaviour", "cause"), [("uas_agent_busy", "USER_BUSY"), ("uas_agent_rejects", "CALL_REJECTED")]
)
def test_agent_does_not_take_the_call(system: System, behaviour: str, cause: str) -> None:
    caller = system.new_caller()
    with start_uas(behaviour, registrar=inside(system), phone=alice(system)):
        run_uac("uac_menu_agent_expect_talk", line(system), MAIN_NUMBER, caller=caller, pause_ms=3500)
    record = system.record(caller)
    assert nodes(record)[-3:] == ["agent", "agents-busy", "unserved"]
    assert record["legs"][0]["hangup_cause"] == cause
