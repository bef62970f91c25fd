"""The node `send_dtmf`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.expressions import Expression
from ivr_flows.node import Fault, Node, NodeRun, Scope, ask, node

MAX_KEYS = 40
_NO_KEY = re.compile(r"[^0-9*#A-DwW]")
_PAUSE_MS = {"w": 500, "W": 1000}
_GAP_MS = 60


@node("send_dtmf", exits={"next": "the keys are out, or could not be sent"})
@dataclass(frozen=True, slots=True, kw_only=True)
class SendDtmf(Node):
    """Send keys towards the caller, for a machine at the other end."""

    keys: Annotated[
        str | None, Field(pattern=r"^[0-9*#A-DwW]{1,40}$", description="the keys; w waits half a second, W a second")
    ] = None
    keys_from: Annotated[
        Expression | None, Field(description="in place of keys: where to take them from; all but keys is left out")
    ] = None
    key_ms: Annotated[int, Field(ge=50, le=1000, description="how long each key sounds, ms")] = 100

    def longest_ms(self, sounds: Callable[[Iterable[str]], int]) -> int:
        keys = self.keys if self.keys is not None else "0" * MAX_KEYS
        return sum(_PAUSE_MS.get(key, self.key_ms + _GAP_MS) for key in keys)

    def faults(self, scope: Scope) -> Iterator[Fault]:
        if (self.keys is None) == (self.keys_from is None):
            yield Fault("keys", "give exactly one of keys and keys_from")

    def run(self, call: Call) -> NodeRun:
        keys = self.keys if self.keys_from is None else _NO_KEY.sub("", call.text(self.keys_from))[:MAX_KEYS]
        if keys:
            yield from ask(do.SendKeys(keys, self.key_ms))
        return "next"
