"""Calls that go on to an external number: record, leg and recording are kept (R7), on either switch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from callwright.client import path
from callwright.local.plan import TRUNK
from callwright.local.provision import provision
from labswitch.phone import Behaviour
from tests.sip.conftest import UNRECORDED_PREFIX, WITHIN_S, System, fetch_audio

OPERATOR_HZ, CALLER_HZ = 1000, 440
TALK_S = 1.0
EXITS = ("finished", "busy", "no_answer", "rejected", "failed")
RECORDED, UNRECORDED = "+420601888777", f"{UNRECORDED_PREFIX}8777"
NUMBERS = {RECORDED: "+420221234795", UNRECORDED: "+420221234796"}


def dialling(number: str) -> dict[str, Any]:
    """Answers and records before it dials on, so that a recording runs when the two are joined."""
    return {
        "schema": "callwright/flow/1",
        "id": f"dial-{number[1:]}",
        "name": "To an external number",
        "kind": "inbound",
        "languages": ["en"],
        "entry": "answer",
        "nodes": {
            "answer": {"type": "answer", "exits": {"next": "record"}},
            "record": {"type": "record", "action": "start", "exits": {"next": "dial", "error": "dial"}},
            "dial": {"type": "dial", "number": number, "record": True, "exits": dict.fromkeys(EXITS, "over")},
            "over": {"type": "hangup", "reason": "over"},
        },
    }


def talked_with(system: System, number: str) -> str:
    """Somebody was connected with the number, and the called party has hung up; who it was."""
    system.api.put(path("trunks", TRUNK), {"proxy": str(system.stack.operator)})
    provision(system.api, (), NUMBERS[number], flow=dialling(number), language="en")
    operator = system.operator(Behaviour.answering(0.1, tone_hz=OPERATOR_HZ))
    caller = system.new_caller()
    call = system.call(NUMBERS[number], caller=caller)
    theirs = operator.wait_call(WITHIN_S)
    assert theirs.number == number
    call.talk(CALLER_HZ)
    call.wait_heard_tone(OPERATOR_HZ, WITHIN_S)
    theirs.wait_heard_tone(CALLER_HZ, WITHIN_S)
    call.wait_heard_s(call.heard_s() + TALK_S, WITHIN_S)
    theirs.hangup()
    call.wait_ended(WITHIN_S)
    return caller


def operator_level(system: System, record: dict[str, Any]) -> float:
    """The highest level of the operator's tone in any tenth of a second of the call's recording."""
    audio, rate_hz = fetch_audio(system.api.get(path("calls", record["call_id"], "recording"))["url"])
    length = rate_hz // 10
    heard = np.pad(audio[:, 1], (0, length - len(audio) % length))
    pieces = heard.reshape(-1, length)
    wave = np.exp(-2j * np.pi * OPERATOR_HZ * np.arange(length) / rate_hz)
    return float(np.abs(pieces @ wave).max() * 2 / length)


@pytest.mark.req("R7")
def test_an_external_number_has_record_leg_and_recording(system: System) -> None:
    caller = talked_with(system, RECORDED)
    record = system.record(caller, lambda call: call["recordings"] and call["recordings"][0]["state"] == "stored")
    assert (record["result"], record["hung_up_by"], record["reason"]) == ("handled", "agent", "over")
    (leg,) = record["legs"]
    assert (leg["kind"], leg["party"], leg["result"]) == ("number", RECORDED, "talked")
    assert 0 < leg["talk_ms"] == record["talk_ms"]
    assert len(record["recordings"]) == 1
    assert operator_level(system, record) > 0.1


@pytest.mark.req("R7")
def test_with_a_listed_number_the_recording_ends_before_they_hear_each_other(system: System) -> None:
    caller = talked_with(system, UNRECORDED)
    record = system.record(caller, lambda call: call["recordings"] and call["recordings"][0]["state"] == "stored")
    (leg,) = record["legs"]
    assert (leg["party"], leg["result"], record["talk_ms"] > 0) == (UNRECORDED, "talked", True)
    assert len(record["recordings"]) == 1
    assert operator_level(system, record) < 0.01  # the ringing tone is another one
