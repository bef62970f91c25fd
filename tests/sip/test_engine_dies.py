"""The design's promise: an engine that is killed loses neither the caller nor the record. On either switch."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

import freeswitch_conf
from callwright.demo.run import demo_flow
from callwright.local.event_socket import ask
from callwright.local.provision import provision
from callwright.local.stack import Stack
from dialplan.contexts import WATCHDOG_S
from dialplan.render import render
from dialplan.settings import NumberFallback
from engine.session.janitor import FETCHING_S
from labswitch.phone import Behaviour
from tests.sip.conftest import LONG_NUMBER, MAIN_NUMBER, WITHIN_S, System, chooses, listens_to_the_welcome, nodes

pytestmark = pytest.mark.req("R124")


@pytest.fixture(autouse=True)
def _both_engines_again(stack: Stack) -> Iterator[None]:
    """The first engine has every call, for it is first in the switch's list; a test kills it, here it comes back."""
    yield
    for index, engine in enumerate(stack.engines):
        if not engine.running():
            stack.start_engine(index)


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


def test_while_it_hangs_and_a_call_comes(system: System) -> None:
    """The kernel accepts the connection, nobody reads it: the switch's watchdog gives the call to the next engine."""
    hanging = system.stack.engines[0].popen
    hanging.send_signal(signal.SIGSTOP)
    caller = system.new_caller()
    call = system.call(caller=caller)
    call.wait_answered(WITHIN_S + WATCHDOG_S)
    call.wait_heard_any(WITHIN_S)
    hanging.send_signal(signal.SIGCONT)
    call.hangup()
    record = system.record(caller)
    assert record["did"] == MAIN_NUMBER
    assert nodes(record) == ["answer", "welcome"]
    assert record["result"] == "lost_in_ivr"


def test_before_it_has_taken_a_call_that_it_accepted(system: System) -> None:
    """The switch does not notice: it lets the caller wait for an engine that is gone, until the watchdog comes."""
    dying = system.stack.engines[0]
    dying.popen.send_signal(signal.SIGSTOP)
    caller = system.new_caller()
    call = system.call(caller=caller)
    waits_for_an_engine(system)
    system.stack.kill_engine(0)
    call.wait_answered(WITHIN_S + WATCHDOG_S)
    call.wait_heard_any(WITHIN_S)
    call.hangup()
    assert system.record(caller)["did"] == MAIN_NUMBER


def waits_for_an_engine(system: System) -> None:
    """Until the switch has a connection for the call: its channels are all that can be asked."""
    switch = system.stack.plan.settings.event_socket
    deadline = time.monotonic() + WITHIN_S
    while ",socket," not in ask(switch.ip, switch.port, switch.password, "show channels"):
        assert time.monotonic() < deadline, "the call did not get to the engines"
        threading.Event().wait(0.1)


OTHER_LINE = "+420601000000"
CLINIC_NUMBER = "+420221234572"


@pytest.mark.req("R12")
def test_a_call_that_comes_back_still_has_the_other_line_of_its_number(system: System, another_line: None) -> None:
    operator = system.operator(Behaviour.answering(0.1, tone_hz=900))
    agent = system.agent(Behaviour.answering(0.1, tone_hz=700))
    caller = system.new_caller()
    call = system.call(CLINIC_NUMBER, caller=caller)
    chooses(call, "1")
    theirs = agent.wait_call(WITHIN_S)
    call.wait_heard_tone(700, WITHIN_S)
    for index in range(len(system.stack.engines)):
        system.stack.kill_engine(index)
    theirs.hangup()  # the call looks for an engine, in vain
    operator.wait_call(WITHIN_S)
    call.wait_heard_tone(900, WITHIN_S)
    call.hangup()
    system.stack.start_engine(1)  # it closes the call that it finds in the journal and not on the switch
    assert system.record(caller)["result"] == "handled"


@pytest.fixture
def another_line(system: System) -> Iterator[None]:
    """The number has another line for an outage, as `callwright dialplan render` writes it."""
    stack = system.stack
    provision(system.api, stack.agents, CLINIC_NUMBER, flow=demo_flow(), language="en")

    def render_with(*fallbacks: NumberFallback) -> None:
        render(replace(stack.plan.settings, fallbacks=fallbacks), freeswitch_conf.template_dir(), stack.plan.conf_dir)
        at = stack.plan.settings.event_socket
        assert ask(at.ip, at.port, at.password, "reloadxml").startswith("+OK")

    render_with(NumberFallback(CLINIC_NUMBER, OTHER_LINE))
    yield
    render_with()


def test_in_a_prompt_that_is_too_long_to_wait_for(system: System, a_long_prompt: None) -> None:
    caller = system.new_caller()
    call = system.call(LONG_NUMBER, caller=caller)
    call.wait_heard_tone(700, WITHIN_S)
    call.wait_heard_tone(500, WITHIN_S)
    system.stack.kill_engine(0)
    call.skip_heard()
    call.wait_heard_tone(700, WITHIN_S + FETCHING_S)  # from its beginning: the other engine's janitor has fetched it
    call.hangup()
    record = system.record(caller)
    assert (record["result"], record["resumed"]) == ("lost_in_ivr", 1)
