"""The node `queue`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import ConfigDict, Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.expressions import Expression, Value
from ivr_flows.fields import ExitName, FlowId, Key, Name, QueueId
from ivr_flows.node import Fault, NextFlow, Node, NodeRun, Scope, ask, node
from ivr_flows.results import Conversation, Onward, Refused

Skills = Annotated[Mapping[Name, Annotated[int, Field(ge=1, le=10)]], Field(max_length=20)]
MAX_PRIORITY = 100
MAX_ONWARD = 5
"""A call goes on to so many further queues at most; then it takes this node's exit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """From this moment of waiting on, other levels of skills are enough."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    after_s: Annotated[int, Field(ge=1, le=7200, description="seconds of waiting")]
    skills: Annotated[Skills, Field(description="the least levels asked for from then on")]


@node(
    "queue",
    exits={
        "finished": "the caller talked with an agent, who hung up",
        "timeout": "`max_wait_s` is over",
        "no_agents": "nobody is logged in",
        "full": "too many are waiting",
        "closed": "the queue is closed, or can't be entered",
    },
    more_exits={
        "callback": "`callback_key` was pressed; exists only if that is given",
        "voicemail": "`voicemail_key` was pressed; exists only if that is given",
        "*one for each of `keys`*": "the key was pressed",
    },
    kinds=("inbound", "callback", "outbound", "sub"),
    needs="queues",
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Queue(Node):
    """Wait for an agent of a queue, and talk (R1, R4, R30).

    A queue that does not keep a call may send it on to a flow, another queue, an agent or a number (its `overflow`).
    Where it doesn't, or nobody takes the call there, the node is left by the exit that says why.
    """

    queue: Annotated[QueueId, Field(description="the queue's id")]
    priority: Annotated[
        Expression | None, Field(description="0 to 100, higher ones come first; null: the queue's own")
    ] = None
    skills: Annotated[Skills, Field(description="skills that the agent must have, and their least levels")] = field(
        default_factory=dict
    )
    relax: Annotated[tuple[Relaxation, ...], Field(max_length=5, description="how the skills relax with time")] = ()
    sticky_s: Annotated[
        int, Field(ge=0, le=31_536_000, description="who spoke with this number within so many s is asked first; 0: no")
    ] = 0
    wait_flow: Annotated[FlowId | None, Field(description="what the caller hears; null: the queue's own")] = None
    max_wait_s: Annotated[int | None, Field(ge=5, le=7200, description="longest wait, s; null: the queue's own")] = None
    callback_key: Annotated[Key | None, Field(description="the key for a callback in place of waiting")] = None
    voicemail_key: Annotated[Key | None, Field(description="the key for a message in place of waiting")] = None
    keys: Annotated[Mapping[Key, ExitName], Field(max_length=12, description="further keys and their exits")] = field(
        default_factory=dict
    )
    record: Annotated[
        bool | None, Field(description="true or false: record the conversation or not; null: as the route says")
    ] = None

    def exits(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.EXITS, *self._by_key().values())))

    def input_exits(self) -> frozenset[str]:
        return frozenset(self._by_key().values())

    def faults(self, scope: Scope) -> Iterator[Fault]:
        own = [key for key in (self.callback_key, self.voicemail_key) if key is not None]
        for key in [*own[1:], *self.keys]:
            if key in own[:1] or (key in self.keys and key in own):
                yield Fault("keys", f"the key {key} is given twice")
        for exit_name, times in Counter(self.keys.values()).items():
            if times > 1 or exit_name in (*self.EXITS, "callback", "voicemail"):
                yield Fault("keys", f"the exit '{exit_name}' is taken already; name one exit for each key")
        moments = [step.after_s for step in self.relax]
        if moments != sorted(set(moments)):
            yield Fault("relax", "the steps must follow each other in time")
        if self.priority is not None and scope.type_of(self.priority) in ("string", "boolean"):
            yield Fault("priority", "a priority is a number; convert with number(…)")

    def _by_key(self) -> dict[str, str]:
        own = {self.callback_key: "callback", self.voicemail_key: "voicemail"}
        return {**{key: name for key, name in own.items() if key is not None}, **self.keys}

    def run(self, call: Call) -> NodeRun:
        queue, further = self.queue, 0
        while True:
            got = yield from ask(self._enqueue(queue, call))
            if isinstance(got, Conversation):
                return "finished"
            if isinstance(got, Refused):
                return "closed"
            if got.why == "key":
                return self._by_key()[got.key or ""]
            if got.onward is None or (got.onward.kind == "queue" and further == MAX_ONWARD):
                return got.why
            if got.onward.kind != "queue":
                return (yield from self._go_on(got.onward)) or got.why
            queue, further = got.onward.target, further + 1

    def _enqueue(self, queue: str, call: Call) -> do.Enqueue:
        return do.Enqueue(
            queue,
            priority=None if self.priority is None else _priority(call.value(self.priority)),
            skills=self.skills,
            relax=tuple(do.SkillStep(step.after_s, step.skills) for step in self.relax),
            sticky_s=self.sticky_s,
            wait_flow=self.wait_flow,
            max_wait_s=self.max_wait_s,
            exit_keys="".join(self._by_key()),
            record=self.record,
            language=call.language,
        )

    def _go_on(self, onward: Onward) -> NodeRun:
        """Where the queue sends the call; None where it can't be taken there."""
        if onward.kind == "flow":
            entered = yield from ask(do.EnterFlow(onward.target))
            return None if isinstance(entered, Refused) else NextFlow(onward.target, entered.version)
        target = do.AgentTarget(onward.target) if onward.kind == "agent" else do.NumberTarget(onward.target)
        got = yield from ask(do.Connect(target, record=self.record))
        return "finished" if isinstance(got, Conversation) else None


def _priority(value: Value) -> int:
    return 0 if isinstance(value, str) else max(0, min(MAX_PRIORITY, int(value)))
