"""The design's promise: an engine that is killed loses neither the caller nor the record. On either switch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from callwright.local.stack import Stack
from labswitch.phone import Behaviour
from tests.sip.conftest import WITHIN_S, System, chooses, listens_to_the_welcome, nodes

pytestmark = pytest.mark.req("R124")


@pytest.fixture(autouse=True)
def _both_engines_again(stack: Stack) -> Iterator[None]:
    """The first engine has every call, for it is first in the switch's list; a test kills it, here it comes back."""
    yield
    if not stack.engines[0].running():
        stack.start_engine(0)


def test_in_the_middle_of_a_prompt(system: System) -> None:
    caller = system.new_caller()
    call = system.call(caller=caller)
    listens_to_the_welcome(call)
    system.stack.kill_engine(0)
    call.wait_heard_silence(WITHIN_S, 0.5)
    call.wait_heard_any(WITHIN_S)  # the next engine goes on
    agent = system.agent(Behaviour.answering(0.1, tone_hz=700, hangup_after_s=1.0))
    call.press("1")
    agent.wait_call(WITHIN_S)
    call.wait_heard_tone(700, WITHIN_S)
    call.wait_ended(WITHIN_S)
    record = system.record(caller)
    assert nodes(record) == ["answer", "welcome", "menu", "agent", "hangup"]
    assert (record["result"], record["hung_up_by"]) == ("handled", "agent")
    assert record["resumed"] >= 1


def test_in_the_middle_of_a_conversation_that_the_agent_ends(system: System) -> None:
    agent = system.agent(Behaviour.answering(0.1, tone_hz=700))
    caller = system.new_caller()
    call = system.call(caller=caller)
    chooses(call, "1")
    theirs = agent.wait_call(WITHIN_S)
    call.wait_heard_tone(700, WITHIN_S)
    system.stack.kill_engine(0)
    call.skip_heard()
    call.wait_heard_tone(700, WITHIN_S)  # they talk on
    theirs.hangup()
    call.wait_ended(WITHIN_S)
    record = system.record(caller, lambda call: call["recordings"] and call["recordings"][0]["state"] == "stored")
    assert nodes(record) == ["answer", "welcome", "menu", "agent", "hangup"]
    assert (record["result"], record["hung_up_by"], record["resumed"]) == ("handled", "agent", 1)


def test_in_the_middle_of_a_conversation_that_the_caller_ends(system: System) -> None:
    agent = system.agent(Behaviour.answering(0.1, tone_hz=700))
    caller = system.new_caller()
    call = system.call(caller=caller)
    chooses(call, "1")
    agent.wait_call(WITHIN_S)
    call.wait_heard_tone(700, WITHIN_S)
    system.stack.kill_engine(0)
    call.hangup()
    record = system.record(caller)
    assert (record["result"], record["hung_up_by"], record["hangup_cause"]) == ("handled", "caller", "NORMAL_CLEARING")


def test_while_the_agent_is_rung(system: System) -> None:
    agent = system.agent(Behaviour.silent())
    caller = system.new_caller()
    call = system.call(caller=caller)
    chooses(call, "1")
    first = agent.wait_call(WITHIN_S)
    system.stack.kill_engine(0)
    second = agent.wait_call(2 * WITHIN_S)
    first.wait_ended(WITHIN_S)
    second.answer()
    second.wait_answered(WITHIN_S)
    second.talk(700)
    call.wait_heard_tone(700, WITHIN_S)
    second.hangup()
    call.wait_ended(WITHIN_S)
    record = system.record(caller)
    assert (record["result"], record["hung_up_by"]) == ("handled", "agent")
    assert [leg["result"] for leg in record["legs"]] == ["not_answered", "talked"]


def test_an_engine_that_drains_hands_its_calls_on(system: System) -> None:
    agent = system.agent(Behaviour.answering(0.1, tone_hz=700))
    caller = system.new_caller()
    call = system.call(caller=caller)
    chooses(call, "1")
    theirs = agent.wait_call(WITHIN_S)
    call.wait_heard_tone(700, WITHIN_S)
    system.stack.stop_engine(0)
    theirs.hangup()
    call.wait_ended(WITHIN_S)
    record = system.record(caller)
    assert (record["result"], record["hung_up_by"], record["resumed"]) == ("handled", "agent", 1)
