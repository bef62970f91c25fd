"""The demo's callers and its agent: what the people on the phones do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labswitch.phone import Behaviour, Phone
from labswitch.phone_call import PhoneCall

MAIN_NUMBER = "+420221234567"
CALLER_TONE_HZ = 440.0
AGENT_TONE_HZ = 700.0
TALK_S = 3.0
STEP_S = 15.0
"""How long a person waits for the next thing to happen before the demo has failed."""

INTO_THE_MENU_S = 3.5
"""By then the welcome is over, and callers who know what they want don't wait for the end of the menu."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Line:
    """How to call in: the address of the trunk's side of the switch."""

    host: str
    port: int


def talks_with_the_agent(line: Line, caller: Phone, agent: Phone, say: Say) -> None:
    """Hears the welcome, presses 1, talks with the agent until the agent hangs up."""
    call = _call(line, caller)
    call.wait_heard_any(STEP_S)
    say("caller 1 hears the welcome")
    call.wait_heard_s(INTO_THE_MENU_S, STEP_S)
    call.press("1")
    say("caller 1 presses 1")
    theirs = agent.wait_call(STEP_S)
    theirs.wait_answered(STEP_S)
    call.talk(CALLER_TONE_HZ)
    call.wait_heard_tone(AGENT_TONE_HZ, STEP_S)
    say("caller 1 hears the agent")
    theirs.wait_heard_tone(CALLER_TONE_HZ, STEP_S)
    say("the agent hears caller 1")
    call.wait_ended(STEP_S)
    say("the agent has hung up")


def presses_a_wrong_key_then_nothing(line: Line, caller: Phone, say: Say) -> None:
    """Presses 9, which is no choice, then nothing until the flow gives up."""
    call = _call(line, caller)
    call.wait_heard_s(INTO_THE_MENU_S, STEP_S)
    call.press("9")
    say("caller 2 presses a wrong key, then nothing")
    call.wait_ended(2 * STEP_S)
    say("caller 2 has been sent off by the no-input exit")


def hangs_up_in_the_welcome(line: Line, caller: Phone, say: Say) -> None:
    """Hangs up in the middle of the first prompt."""
    call = _call(line, caller)
    call.wait_heard_any(STEP_S)
    call.hangup()
    call.wait_ended(STEP_S)
    say("caller 3 has hung up in the middle of the welcome")


def agent_behaviour() -> Behaviour:
    """Answers, talks in a tone, hangs up."""
    return Behaviour.answering(0.3, tone_hz=AGENT_TONE_HZ, hangup_after_s=TALK_S)


def _call(line: Line, caller: Phone) -> PhoneCall:
    call = caller.call(MAIN_NUMBER, to=(line.host, line.port))
    call.wait_answered(STEP_S)
    return call
