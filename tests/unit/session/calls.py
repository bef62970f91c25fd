"""The flow that the session tests run, and how to get a call into conversation."""

from __future__ import annotations

from collections.abc import Mapping

import gevent

from engine.switch.port import Digits, Originated, Played
from ivr_flows.node import Node
from ivr_flows.nodes.agent import Agent
from ivr_flows.nodes.answer import Answer
from ivr_flows.nodes.hangup import Hangup
from ivr_flows.nodes.menu import Menu
from ivr_flows.nodes.play import Play
from tests.unit.session.bench import Bench
from tests.unit.session.fake_switch import FakeChannel

MAIN: Mapping[str, tuple[Node, Mapping[str, str]]] = {
    "answer": (Answer(), {"next": "welcome"}),
    "welcome": (Play(prompts=("a",)), {"done": "menu", "key": "menu", "error": "bye"}),
    "menu": (
        Menu(prompts=("b",), keys={"1": "agent"}, attempts=2),
        {"agent": "alice", "no_input": "nobody", "invalid": "nobody"},
    ),
    "alice": (
        Agent(agent="alice"),
        {"finished": "bye", "busy": "sorry", "no_answer": "sorry", "not_ready": "sorry"},
    ),
    "sorry": (Play(prompts=("c",)), {"done": "bye", "key": "bye", "error": "bye"}),
    "nobody": (Play(prompts=("d",)), {"done": "bye", "key": "bye", "error": "bye"}),
    "bye": (Hangup(reason="end"), {}),
}
TO_AGENT = [Played(), Digits("1")]


def to_conversation(bench: Bench, channel: FakeChannel) -> tuple[gevent.Greenlet, str]:
    """The call in conversation with Alice; its greenlet and the id of her leg."""
    bench.control.outcomes.append(Originated("answered"))
    running = bench.start(channel)
    _, leg = bench.control.joined.get(timeout=5)
    return running, leg
