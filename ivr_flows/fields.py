"""Types of the fields of nodes: each carries its limits and, where it names something, what it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

RefKind = Literal["prompt", "variable", "agent", "trunk", "calendar", "flow"]


@dataclass(frozen=True, slots=True)
class Ref:
    """Marks a field as the name of something that must exist."""

    kind: RefKind


NAME = r"^[a-z][a-z0-9_-]{0,63}$"
"""Ids of flows, nodes, prompts, agents, calendars, trunks."""
VARIABLE = r"^[a-z][a-z0-9_]{0,39}$"
EXIT = r"^[a-z0-9][a-z0-9_-]{0,39}$"
PATH = r"^([A-Za-z0-9_][A-Za-z0-9._-]{0,63}/){0,4}[A-Za-z0-9_][A-Za-z0-9._-]{0,63}\.wav$"
"""Relative, at most five parts, none of them begins with a dot: nothing leads out of the prompts directory."""

ExitName = Annotated[str, Field(pattern=EXIT)]
VariableName = Annotated[str, Field(pattern=VARIABLE), Ref("variable")]
AttributeName = Annotated[str, Field(pattern=VARIABLE)]
PromptName = Annotated[str, Field(pattern=NAME), Ref("prompt")]
Prompts = Annotated[tuple[PromptName, ...], Field(max_length=20)]
"""Prompts to play one after the other."""
SomePrompts = Annotated[tuple[PromptName, ...], Field(min_length=1, max_length=20)]
AgentId = Annotated[str, Field(pattern=NAME), Ref("agent")]
TrunkId = Annotated[str, Field(pattern=NAME), Ref("trunk")]
CalendarId = Annotated[str, Field(pattern=NAME), Ref("calendar")]
FlowId = Annotated[str, Field(pattern=NAME), Ref("flow")]
PhoneNumber = Annotated[str, Field(pattern=r"^\+?[0-9]{2,20}$")]
Version = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]

Key = Annotated[str, Field(pattern=r"^[0-9*#]$")]
Keys = Annotated[str, Field(pattern=r"^[0-9*#]{0,12}$")]
KeyExits = Annotated[Mapping[Key, ExitName], Field(min_length=1, max_length=12)]
TimeoutMs = Annotated[int, Field(ge=500, le=60_000)]
RingTimeoutS = Annotated[int, Field(ge=5, le=120)]
Attempts = Annotated[int, Field(ge=1, le=10)]
