"""What may come from the caller's side in a conversation, by SIPp: hold, offers that can't be, REFER."""

from __future__ import annotations

import re
from contextlib import ExitStack

import pytest

from tests.sip.conftest import SHORT_NUMBER, System, nodes
from tests.sip.sipp import agent, calling, calls, ending

pytestmark = pytest.mark.usefixtures("sipp")

HOLDS = {
    # how a phone says it: direction, address, and the direction that must be answered
    "sendonly": ("sendonly", "127.0.0.1", "recvonly"),
    "inactive": ("inactive", "127.0.0.1", "inactive"),
    "address 0.0.0.0": ("sendrecv", "0.0.0.0", None),
}


@pytest.mark.req("R81")
def test_hold_and_back_in_every_form(system: System) -> None:
    callers = {form: system.new_caller() for form in HOLDS}
    with agent(system) as phone, ExitStack() as stack:
        runs = {}
        for form, (direction, address, _) in HOLDS.items():
            values = {"stay_ms": "1200", "hold": direction, "hold_ip": address}
            options = {"pause_ms": 700, "values": values}
            run = calling(system, "uac_holds_expect_talk", SHORT_NUMBER, callers[form], **options)
            runs[form] = stack.enter_context(run)
        results = {form: run.wait() for form, run in runs.items()}
        assert phone.stop().successful == len(HOLDS)
    for form, (_, _, answered) in HOLDS.items():
        assert answered is None or f"a={answered}" in answer_to(2, results[form].messages), form
        record = system.record(callers[form], lambda call: call["recordings"][0]["state"] == "stored")
        assert nodes(record) == ["answer", "menu", "alice", "hangup"]
        assert ending(record) == ("handled", "agent", "NORMAL_CLEARING")
        assert 2500 < record["talk_ms"] < 4500
        (recording,) = record["recordings"]
        # FreeSWITCH leaves the hold out of the recording (measured: up to half a second more than its 0.7 s).
        assert 1300 < recording["duration_ms"] <= record["talk_ms"] - 500
        assert (recording["state"], recording["channels"]) == ("stored", 2)


def answer_to(cseq: int, messages: str) -> str:
    """The 200 to the INVITE with this CSeq, as SIPp logged it."""
    found = [each for each in re.split(r"^-{20,}.*$", messages, flags=re.M) if f"CSeq: {cseq} INVITE" in each]
    return next(each for each in found if "SIP/2.0 200 OK" in each)


@pytest.mark.parametrize("scenario", ["uac_bad_reinvite_expect_488_and_talk", "uac_refers_expect_405_and_talk"])
def test_what_is_refused_does_not_end_the_conversation(system: System, scenario: str) -> None:
    caller = system.new_caller()
    with agent(system) as phone:
        calls(system, scenario, SHORT_NUMBER, caller, values={"stay_ms": "1500"})
        assert phone.stop().successful == 1, "one leg, and no other"
    record = system.record(caller)
    assert nodes(record) == ["answer", "menu", "alice", "hangup"]
    assert ending(record) == ("handled", "agent", "NORMAL_CLEARING")
    assert len(record["legs"]) == 1
