"""Random sequences of calls, answers, hangups, breaks, deaths of engines and losses of the shared state, with messages
that come late, twice, or never: no agent is in two calls, no caller is lost, nobody waits while an agent is ready.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.acd.agent import Break, LogIn, LogOut, Ready, TakeBreak
from engine.session.queueing import reports, ringing, visit
from engine.switch.port import Originated
from tests.unit.session.queue_world import NAMES, World

ANSWERED = Originated("answered")
OUTCOMES = (
    ANSWERED,
    ANSWERED,
    ANSWERED,
    ANSWERED,
    Originated("busy", "USER_BUSY"),
    Originated("no_answer", "NO_ANSWER"),
    Originated("failed", "NORMAL_TEMPORARY_FAILURE"),
)


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    """What is tried again is so at once, and calls say every few ms again that they wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reports, "RETRY_S", 0.001)
        patch.setattr(ringing, "AGAIN_S", 0.001)
        patch.setattr(visit, "JOIN_AGAIN_S", 0.001)
        patch.setattr(visit, "SAY_AGAIN_S", 0.005)
        patch.setattr(visit, "GONE_WITHIN_S", 0.001)
        yield


@dataclass(frozen=True)
class Step:
    kind: str
    who: int
    choice: int


KINDS = (
    *("call",) * 4,
    *("phone",) * 6,
    *("key to accept",) * 3,
    *("agent hangs up",) * 2,
    *("caller hangs up",) * 2,
    "key to leave",
    *("agent",) * 3,
    *("time",) * 2,
    *("calm",) * 3,
    "engine dies",
    "engine starts",
    "state is lost",
)
steps = st.lists(
    st.builds(Step, kind=st.sampled_from(KINDS), who=st.integers(0, 5), choice=st.integers(0, 41)),
    min_size=30,
    max_size=80,
)


def do(world: World, step: Step) -> None:
    live = world.live()
    caller = live[step.who % len(live)] if live else None
    match step.kind:
        case "call":
            world.call(step.who, step.choice)
        case "phone":
            for phone in world.answerable(NAMES[step.who % len(NAMES)]):
                phone.outcome.set(OUTCOMES[step.choice % len(OUTCOMES)])
        case "key to accept":
            for leg in list(world.control._asking)[:1]:
                world.control.presses(leg, "1" if step.choice % 3 else None)
        case "agent hangs up" if caller is not None and world.talks_on(caller):
            world.agent_hangs_up(caller, step.choice)
        case "caller hangs up" if caller is not None:
            world.hangs_up(caller)
        case "key to leave" if caller is not None and not world.talks_on(caller):
            caller.channel.caller_presses("5")
        case "agent":
            happenings = (Ready(), Ready(), LogIn(), TakeBreak(Break("lunch")), LogOut())
            world.happens(NAMES[step.who % len(NAMES)], happenings[step.choice % len(happenings)])
        case "time":
            world.passes((1, 400, 2_000, 31_000)[step.choice % 4])
        case "engine dies":
            world.engine_dies(step.choice)
        case "engine starts":
            world.engine_starts()
        case "state is lost":
            world.state_is_lost()
        case "calm":
            world.calm()


@given(steps, st.integers(0, 2**32))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nobody_is_lost_and_nobody_is_in_two_calls(sequence: list[Step], seed: int) -> None:
    chance = random.Random(seed)
    world = World(chance)
    try:
        for step in sequence:
            do(world, step)
            world.at_once()
            world.turns(chance.randint(0, 4))
            world.at_once()
        world.calm()
        for caller in world.live():
            world.hangs_up(caller)
        world.calm()
    finally:
        world.close()
