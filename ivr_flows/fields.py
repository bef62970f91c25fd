"""Types of the fields of nodes: each carries its limits and, where it names something, what it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

RefKind = Literal[
    "prompt", "variable", "agent", "trunk", "calendar", "flow", "queue", "notice", "voice", "origin", "secret"
]


@dataclass(frozen=True, slots=True)
class Ref:
    """Marks a field as the name of something that must exist; `of` takes the name out of a field that holds more."""

    kind: RefKind
    of: Callable[[str], str] = str


def origin(url: str) -> str:
    """The origin of a URL that fits `URL`, without the port that goes without saying."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].removesuffix(':443' if scheme == 'https' else ':80')}"


NAME = r"^[a-z][a-z0-9_-]{0,63}$"
"""Ids of flows, nodes, prompts, agents, calendars, trunks, notices."""
VARIABLE = r"^[a-z][a-z0-9_]{0,39}$"
EXIT = r"^[a-z0-9][a-z0-9_-]{0,39}$"
PATH = r"^([A-Za-z0-9_][A-Za-z0-9._-]{0,63}/){0,4}[A-Za-z0-9_][A-Za-z0-9._-]{0,63}\.wav$"
"""Relative, at most five parts, none of them begins with a dot: nothing leads out of the prompts directory."""
URL = r"^https?://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~-]*)*$"
POINTER = r"^(/([^~/]|~[01])*)*$"
HEADER = r"^[A-Za-z][A-Za-z0-9-]{0,63}$"

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
QueueId = Annotated[str, Field(pattern=NAME), Ref("queue")]
FlowId = Annotated[str, Field(pattern=NAME), Ref("flow")]
NoticeId = Annotated[str, Field(pattern=NAME), Ref("notice")]
Name = Annotated[str, Field(pattern=NAME)]
"""A name that nothing is looked up by when a flow is checked: a room, a mailbox, a skill."""
VoiceLanguage = Annotated[str, Field(pattern=r"^[a-z]{2}$"), Ref("voice")]
"""A language that the speech engine must have a voice for."""
SecretName = Annotated[str, Field(pattern=NAME), Ref("secret")]
Url = Annotated[str, Field(pattern=URL, max_length=500), Ref("origin", origin)]
PhoneNumber = Annotated[str, Field(pattern=r"^\+?[0-9]{2,20}$")]
Version = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]

Key = Annotated[str, Field(pattern=r"^[0-9*#]$")]
Keys = Annotated[str, Field(pattern=r"^[0-9*#]{0,12}$")]
KeyExits = Annotated[Mapping[Key, ExitName], Field(min_length=1, max_length=12)]
TimeoutMs = Annotated[int, Field(ge=500, le=60_000)]
RingTimeoutS = Annotated[int, Field(ge=5, le=120)]
Attempts = Annotated[int, Field(ge=1, le=10)]
