"""The node `voicemail`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.fields import Keys, Name, Prompts
from ivr_flows.node import Fault, Node, NodeRun, Scope, ask, node
from ivr_flows.results import Refused


@node(
    "voicemail",
    exits={
        "saved": "the message is kept",
        "too_short": "it was shorter than `min_ms` and was thrown away",
        "error": "messages can't be recorded",
    },
    kinds=("inbound", "outbound", "callback", "sub"),
    needs="voicemail",
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Voicemail(Node):
    """Record a message (R42)."""

    mailbox: Annotated[Name, Field(description="where the message is kept")]
    prompts: Annotated[Prompts, Field(description="played before the tone")] = ()
    min_ms: Annotated[int, Field(ge=0, le=60_000, description="shorter messages are thrown away, ms")] = 2000
    max_ms: Annotated[int, Field(ge=5000, le=1_800_000, description="longest message, ms")] = 180_000
    silence_ms: Annotated[int, Field(ge=1000, le=60_000, description="silence that ends the message, ms")] = 5000
    stop_keys: Annotated[Keys, Field(description="keys that end the message")] = "#"

    def longest_ms(self, sounds: Callable[[Iterable[str]], int]) -> int:
        return sounds(self.prompts) + self.max_ms

    def faults(self, scope: Scope) -> Iterator[Fault]:
        if self.min_ms >= self.max_ms:
            yield Fault("min_ms", f"{self.min_ms} isn't less than max_ms, which is {self.max_ms}")

    def run(self, call: Call) -> NodeRun:
        got = yield from ask(
            do.RecordMessage(
                self.mailbox,
                call.media(self.prompts),
                min_ms=self.min_ms,
                max_ms=self.max_ms,
                silence_ms=self.silence_ms,
                stop_keys=self.stop_keys,
            )
        )
        if isinstance(got, Refused):
            return "error"
        return "saved" if got.message else "too_short"
