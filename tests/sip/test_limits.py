"""No more calls at once than a number or a trunk may have (R12, R13), and what an agent's phone is told (R9), on either
switch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from callwright.client import path
from callwright.local.plan import TRUNK
from callwright.local.provision import provision
from callwright.local.stack import Stack
from labswitch.phone import Behaviour, Phone
from labswitch.phone_call import PhoneCall
from tests.sip.centre import AGENT_HZ, QUEUE, Centre, queue_flow
from tests.sip.conftest import WITHIN_S, System

ELSEWHERE = "+420601222335"
OPERATOR_HZ = 1000
EXITS = ("finished", "busy", "no_answer", "not_ready")
NARROW = "narrow"
"""A trunk with one channel. Everybody here calls from one address, so its numbers alone say who comes over it."""


def to_alice() -> dict[str, Any]:
    return {
        "schema": "callwright/flow/1",
        "id": "to-alice",
        "name": "To alice",
        "kind": "inbound",
        "languages": ["en"],
        "entry": "alice",
        "nodes": {
            "alice": {"type": "agent", "agent": "alice", "exits": dict.fromkeys(EXITS, "over")},
            "over": {"type": "hangup", "reason": "over"},
        },
    }


@pytest.fixture
def number(system: System, request: pytest.FixtureRequest) -> Iterator[str]:
    """A number of its own for the test, whose settings are its parameter."""
    settings: Mapping[str, Any] = request.param
    for name, most in ((TRUNK, None), (NARROW, 1)):
        system.api.put(path("trunks", name), {"proxy": str(system.stack.operator), "max_channels": most})
    mine = f"+42022123{settings['ends']}"
    provision(system.api, (), "+420221234790", flow=to_alice(), language="en")
    body = {"flow": "to-alice", "language": "en", **settings}
    system.api.put(path("numbers", mine), {name: value for name, value in body.items() if name != "ends"})
    yield mine
    system.api.delete(path("numbers", mine))
    system.api.delete(path("trunks", NARROW))


@pytest.fixture
def _both_engines_again(stack: Stack) -> Iterator[None]:
    yield
    for index, engine in enumerate(stack.engines):
        if not engine.running():
            stack.start_engine(index)


def answering(system: System) -> Phone:
    return system.agent(Behaviour.answering(0.1, tone_hz=AGENT_HZ["alice"]))


def talks(system: System, number: str, caller: str | None = None) -> PhoneCall:
    call = system.call(number, caller=caller)
    call.wait_heard_tone(AGENT_HZ["alice"], WITHIN_S)
    return call


def refused(system: System, number: str) -> tuple[int | None, str]:
    """The answer to one call more, and the reason in its record."""
    caller = system.new_caller()
    end = system.call(number, caller=caller).wait_ended(WITHIN_S)
    return end.sip_code, system.record(caller)["reason"]


@pytest.mark.req("R12")
@pytest.mark.parametrize("number", [{"ends": "4791", "max_channels": 1}], indirect=True)
@pytest.mark.usefixtures("_both_engines_again")
def test_a_number_that_is_full_is_busy_also_when_the_engine_is_killed_that_has_its_call(
    system: System, number: str
) -> None:
    answering(system)
    caller = system.new_caller()
    call = talks(system, number, caller)
    assert refused(system, number) == (486, "number_full")
    system.stack.kill_engine(0)
    assert refused(system, number) == (486, "number_full")
    call.hangup()
    system.record(caller)
    talks(system, number).hangup()


@pytest.mark.req("R12")
@pytest.mark.parametrize("number", [{"ends": "4792", "max_channels": 1, "fallback": ELSEWHERE}], indirect=True)
def test_or_another_line_takes_the_call(system: System, number: str) -> None:
    answering(system)
    call = talks(system, number)
    operator = system.operator(Behaviour.answering(0.1, tone_hz=OPERATOR_HZ))
    caller = system.new_caller()
    second = system.call(number, caller=caller)
    assert operator.wait_call(WITHIN_S).number == ELSEWHERE
    second.wait_heard_tone(OPERATOR_HZ, WITHIN_S)
    second.hangup()
    record = system.record(caller)
    assert (record["result"], record["reason"]) == ("handled", "number_full")
    assert [(leg["party"], leg["result"]) for leg in record["legs"]] == [(ELSEWHERE, "talked")]
    call.hangup()


@pytest.mark.req("R12")
@pytest.mark.parametrize("number", [{"ends": "4793", "trunk": NARROW}], indirect=True)
def test_a_trunk_that_is_full_says_so(system: System, number: str) -> None:
    answering(system)
    caller = system.new_caller()
    call = talks(system, number, caller)
    assert refused(system, number) == (503, "trunk_full")
    call.hangup()
    system.record(caller)
    talks(system, number).hangup()


@pytest.mark.req("R13")
def test_an_agents_emergency_call_gets_out_past_the_engines(system: System) -> None:
    operator = system.operator(Behaviour.answering(0.1, tone_hz=OPERATOR_HZ))
    call = system.agent(Behaviour.silent()).call("112")
    assert operator.wait_call(WITHIN_S).number == "112"
    call.wait_heard_tone(OPERATOR_HZ, WITHIN_S)
    call.hangup()


@pytest.mark.req("R9")
def test_the_agents_phone_is_told_what_was_attached_in_the_flow(system: System) -> None:
    flow = queue_flow()
    attach = {"type": "set", "attributes": {"campaign": "'Léto, 5 (x)'"}, "exits": {"next": "queue"}}
    flow["nodes"] |= {"answer": {"type": "answer", "exits": {"next": "attach"}}, "attach": attach}
    centre = Centre(system)
    centre.set_up(flow=flow)
    alice = centre.ready("alice")
    caller = system.new_caller()
    call = centre.comes(caller)
    theirs = alice.wait_call(WITHIN_S)
    call.wait_heard_tone(AGENT_HZ["alice"], WITHIN_S)
    call.hangup()
    assert theirs.invite is not None
    record = system.record(caller)
    told = {name.lower(): value for name, value in theirs.invite.extensions()}
    assert (told["x-callwright-call"], told["x-callwright-queue"]) == (record["call_id"], QUEUE)
    assert told["x-callwright-attribute-campaign"] == "L%C3%A9to%2C%205%20%28x%29"
    assert record["attributes"] == {"campaign": "Léto, 5 (x)"}
    centre.log_out("alice")
