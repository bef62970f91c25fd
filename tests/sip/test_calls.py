"""Calls through the whole system: real SIP, real audio, either switch."""

from __future__ import annotations

import hashlib
import urllib.request
from pathlib import Path

import pytest

from callwright.client import path
from callwright.demo.calls import INTO_THE_MENU_S
from callwright.demo.verify import recording_faults
from labswitch.phone import Behaviour
from tests.sip.conftest import (
    BROKEN_NUMBER,
    UNKNOWN_NUMBER,
    WITHIN_S,
    System,
    chooses,
    listens_to_the_welcome,
    nodes,
)


@pytest.mark.req("R20", "R80", "R81", "R83", "R90")
def test_caller_talks_with_an_agent_who_hangs_up(system: System) -> None:
    agent = system.agent(Behaviour.answering(0.1, tone_hz=700, hangup_after_s=2.0))
    caller = system.new_caller()
    call = system.call(caller=caller)
    chooses(call, "1")
    theirs = agent.wait_call(WITHIN_S)
    assert theirs.caller_number == caller
    call.talk(440)
    call.wait_heard_tone(700, WITHIN_S)
    theirs.wait_heard_tone(440, WITHIN_S)
    call.wait_ended(WITHIN_S)

    record = system.record(caller, lambda call: call["recordings"] and call["recordings"][0]["state"] == "stored")
    assert nodes(record) == ["answer", "welcome", "menu", "agent", "hangup"]
    assert (record["result"], record["hung_up_by"], record["hangup_cause"]) == ("handled", "agent", "NORMAL_CLEARING")
    assert 1500 < record["talk_ms"] < 4000
    (recording,) = record["recordings"]
    assert (recording["channels"], recording["sample_rate"]) == (2, 8000)
    assert recording["agent"] == "alice"
    link = system.api.get(path("calls", record["call_id"], "recording"))["url"]
    assert recording_faults(link, recording) == []
    with urllib.request.urlopen(link) as answer:
        assert hashlib.sha256(answer.read()).hexdigest() == recording["sha256"]


@pytest.mark.req("R90")
def test_caller_hangs_up_in_the_conversation(system: System) -> None:
    agent = system.agent(Behaviour.answering(0.1, tone_hz=700))
    caller = system.new_caller()
    call = system.call(caller=caller)
    chooses(call, "1")
    call.wait_heard_tone(700, WITHIN_S)
    call.hangup()
    agent.wait_call(WITHIN_S).wait_ended(WITHIN_S)
    record = system.record(caller)
    assert (record["result"], record["hung_up_by"]) == ("handled", "caller")
    assert [leg["party"] for leg in record["legs"]] == ["alice"]


@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [(Behaviour.busy(), "USER_BUSY"), (Behaviour.reject(), "CALL_REJECTED")],
    ids=["busy", "rejects"],
)
def test_agent_does_not_take_the_call(system: System, behaviour: Behaviour, cause: str) -> None:
    system.agent(behaviour)
    caller = system.new_caller()
    call = system.call(caller=caller)
    chooses(call, "1")
    call.wait_ended(WITHIN_S)
    record = system.record(caller)
    assert nodes(record)[-3:] == ["agent", "agents-busy", "unserved"]
    assert record["legs"][0]["hangup_cause"] == cause
    assert record["recordings"] == []


def test_agent_without_a_registered_phone(system: System) -> None:
    caller = system.new_caller()
    call = system.call(caller=caller)
    chooses(call, "1")
    call.wait_ended(WITHIN_S)
    record = system.record(caller)
    assert nodes(record)[-3:] == ["agent", "agents-busy", "unserved"]
    assert record["result"] == "other_end"


@pytest.mark.req("R91")
def test_caller_hangs_up_while_the_agent_is_rung(system: System) -> None:
    agent = system.agent(Behaviour.silent())
    caller = system.new_caller()
    call = system.call(caller=caller)
    chooses(call, "1")
    theirs = agent.wait_call(WITHIN_S)
    call.wait_heard_tone(425, WITHIN_S)
    call.hangup()
    theirs.wait_ended(WITHIN_S)
    record = system.record(caller)
    assert (record["result"], record["hung_up_by"]) == ("lost_ringing", "caller")


@pytest.mark.req("R20")
def test_wrong_key_then_nothing_takes_the_no_input_exit(system: System) -> None:
    caller = system.new_caller()
    call = system.call(caller=caller)
    chooses(call, "9")
    call.wait_ended(2 * WITHIN_S)
    record = system.record(caller)
    assert nodes(record) == ["answer", "welcome", "menu", "goodbye", "hangup"]
    assert (record["result"], record["hung_up_by"]) == ("other_end", "system")


@pytest.mark.req("R22")
def test_the_callers_number_is_read_back(system: System) -> None:
    caller = system.new_caller()
    call = system.call(caller=caller)
    chooses(call, "2")
    call.wait_heard_s(INTO_THE_MENU_S + 12, 2 * WITHIN_S)
    call.hangup()
    assert nodes(system.record(caller))[:6] == ["answer", "welcome", "menu", "has-number", "your-number", "number"]


@pytest.mark.req("R91")
def test_caller_hangs_up_in_a_prompt(system: System) -> None:
    caller = system.new_caller()
    call = system.call(caller=caller)
    listens_to_the_welcome(call)
    call.hangup()
    record = system.record(caller)
    assert nodes(record) == ["answer", "welcome"]
    assert (record["result"], record["hung_up_by"]) == ("lost_in_ivr", "caller")


def test_a_missing_prompt_takes_the_error_exit(system: System) -> None:
    caller = system.new_caller()
    call = system.call(BROKEN_NUMBER, caller)
    call.wait_answered(WITHIN_S)
    call.wait_heard_any(WITHIN_S)
    call.wait_ended(WITHIN_S)
    assert nodes(system.record(caller)) == ["answer", "gone", "sorry", "hangup"]


@pytest.mark.req("R90")
def test_a_number_that_leads_nowhere(system: System) -> None:
    caller = system.new_caller()
    end = system.call(UNKNOWN_NUMBER, caller).wait_ended(WITHIN_S)
    assert end.sip_code == 404
    record = system.record(caller)
    assert (record["did"], record["flow"], record["reason"]) == (UNKNOWN_NUMBER, "", "no_route")


@pytest.mark.req("R11")
@pytest.mark.parametrize("dialled", ["221234567", "00420221234567", "+420221234567"])
def test_every_form_of_the_number_reaches_the_flow(system: System, dialled: str) -> None:
    caller = system.new_caller()
    call = system.call(dialled, caller)
    listens_to_the_welcome(call)
    call.hangup()
    assert system.record(caller)["did"] == "+420221234567"


HOSTILE = (
    "x%0AUnique-ID%3A%20victim%0AEvent-Name%3A%20CHANNEL_HANGUP",
    "x%0d%0a%0d%0asendmsg%0acall-command%3a hangup",
    "${system(touch OWNED)}",
    "%00%ff%fe'|][}{,^\\x",
)


@pytest.mark.req("R11")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_changes_nothing_but_itself(system: System, name: str, tmp_path: Path) -> None:
    owned = tmp_path / "owned"
    name = name.replace("OWNED", str(owned))
    agent = system.agent(Behaviour.answering(0.1, tone_hz=700, hangup_after_s=0.5))
    caller = system.new_caller()
    call = system.call(caller=caller, caller_name=name, headers=(("User-Agent", name), ("X-Evil", name)))
    chooses(call, "1")
    agent.wait_call(WITHIN_S)
    call.wait_ended(WITHIN_S)
    record = system.record(caller)
    assert nodes(record) == ["answer", "welcome", "menu", "agent", "hangup"]
    assert record["caller"] == caller
    assert "\n" not in record["caller_name"]
    assert record["call_id"] != "victim"
    assert not owned.exists(), "the switch ran a command that the caller sent"
