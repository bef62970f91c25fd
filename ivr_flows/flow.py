"""A flow that passed all checks: what the interpreter runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ivr_flows.call import Call, CallData
from ivr_flows.expressions import Type, Value
from ivr_flows.instructions import Media
from ivr_flows.node import Kind, Node

MAX_STEPS = 2000
"""Nodes that a call may enter, where the flow says nothing else."""
MAX_SECONDS = 3600
"""Seconds that a call may spend in flows, conversations not counted, where the flow says nothing else."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends a call that goes round in circles: nodes entered, and seconds outside of conversations."""

    max_steps: int = MAX_STEPS
    max_seconds: int = MAX_SECONDS


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the flow; None: it has no value before the flow sets it."""

    type: Type
    default: Value | None = None


@dataclass(frozen=True, slots=True)
class Wired:
    """A node and where its exits lead."""

    node: Node
    exits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Flow:
    """One version of a flow. Build it with `ivr_flows.load`.

    `version`: the first 16 hex digits of the SHA-256 of the document's canonical JSON without `layout`.
    """

    id: str
    version: str
    name: str
    kind: Kind
    languages: tuple[str, ...]
    entry: str
    nodes: Mapping[str, Wired]
    prompts: Mapping[str, Mapping[str, Media]] = field(default_factory=dict)
    variables: Mapping[str, Variable] = field(default_factory=dict)
    limits: Limits = Limits()
    schema: Literal["callwright/flow/1"] = "callwright/flow/1"

    def begin(
        self, data: CallData, language: str, attributes: dict[str, str], queue: Mapping[str, int] | None = None
    ) -> Call:
        """What the nodes work with when a call enters this flow: its own variables, the call's attributes, and its
        place in the queue (`call.queue_facts`), if that is newer than in the call's data."""
        defaults = {name: each.default for name, each in self.variables.items() if each.default is not None}
        types = {name: each.type for name, each in self.variables.items()}
        return Call(data, self.language(language), self.prompts, defaults, attributes, types, queue)

    def language(self, wanted: str) -> str:
        """The language to speak: the wanted one if the flow has it, else the flow's first."""
        return wanted if wanted in self.languages else self.languages[0]
