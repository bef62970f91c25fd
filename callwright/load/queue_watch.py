"""Watches an agent of a running system from outside: what Redis does (MONITOR), and his phone, which we are.

Redis stamps what it does to the microsecond, by the clock of the one machine that all must be on. His leg counts when
its INVITE is at the phone: the switch's own events come in steps of 20 ms. So what is measured is a little worse than
life, and never better.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import redis

from engine.acd import store_scripts as scripts
from engine.acd.agent import AgentEvent
from labswitch.phone import CallOver, Phone, PhoneTimeout

What = Literal["asked", "hung_up", "state", "reserving", "offered", "read", "invited"]
"""`asked`: the API is about to be asked to make him ready. `hung_up`: he ends his call. `state`: he became what `state`
says. `reserving`: the owner's script is there. `offered`: it is in the inbox. `read`: the inbox's engine has read it
and asks for more. `invited`: his phone has the INVITE.
"""
TALK_S = 0.2

_RESERVE = scripts.SHA[scripts.RESERVE]


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """Something that happened. `at_s`: seconds of the epoch."""

    at_s: float
    what: What
    state: str = ""


class Watch:
    """Moments as they come, nearly in order: the two sources overtake each other by some milliseconds."""

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self.moments: queue.Queue[Moment] = queue.Queue()

    def now(self, what: What) -> None:
        """It happens at this moment."""
        self.moments.put(Moment(time.time(), what))

    def command(self, command: str, at_s: float, *, of_script: bool) -> None:
        """Redis carried this out, words without quotes."""
        name, key, *_ = [*command.split(" ", 2), ""]
        if name.upper() == "EVALSHA" and key == _RESERVE:
            self.moments.put(Moment(at_s, "reserving"))
        elif name == "XREAD" and ":inbox:" in command:
            self.moments.put(Moment(at_s, "read"))
        elif name == "XADD" and of_script and ":inbox:" in key and " k offer " in command:
            self.moments.put(Moment(at_s, "offered"))
        elif name == "XADD" and of_script and key == "cw:acd:events":
            event = AgentEvent.from_json(command[command.index("{") :])
            if event.agent == self._agent:
                self.moments.put(Moment(at_s, "state", event.to_state.value))


@contextmanager
def watching(phone: Phone, redis_url: str) -> Iterator[Watch]:
    """Until the end of the block, watch the phone's agent, who takes each call, talks, and hangs up.

    The phone is not to answer by itself. Raises redis.RedisError.
    """
    watch, over = Watch(phone.user), threading.Event()
    client = redis.Redis.from_url(redis_url)
    with contextlib.closing(client), client.monitor() as monitor:  # type: ignore[no-untyped-call]

        def hear() -> None:
            with contextlib.suppress(redis.RedisError, OSError, ValueError, AttributeError):  # it is closed meanwhile
                for each in monitor.listen():
                    watch.command(each["command"], each["time"], of_script=each["client_type"] == "lua")

        def take_calls() -> None:
            while not over.is_set():
                with contextlib.suppress(PhoneTimeout, CallOver):  # nobody, or gone meanwhile
                    call = phone.wait_call(0.2)
                    watch.now("invited")
                    call.answer()
                    over.wait(TALK_S)
                    watch.now("hung_up")
                    call.hangup()

        for work in (hear, take_calls):
            threading.Thread(target=work, daemon=True).start()
        try:
            yield watch
        finally:
            over.set()
