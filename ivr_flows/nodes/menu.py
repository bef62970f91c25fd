"""The node `menu`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.fields import Attempts, KeyExits, Prompts, SomePrompts, TimeoutMs
from ivr_flows.node import Fault, Node, NodeRun, Scope, gather, node


@node(
    "menu",
    exits={"no_input": "no key at the last attempt", "invalid": "a wrong key at the last attempt"},
    more_exits={"*one for each key*": "the key was pressed"},
    timed=("no_input",),
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Menu(Node):
    """Offer a choice by one key; offered again when no key or a wrong one is pressed."""

    prompts: Annotated[SomePrompts, Field(description="the choice, played at each attempt")]
    keys: Annotated[KeyExits, Field(description="which key leads to which exit; one exit for each key")]
    timeout_ms: Annotated[TimeoutMs, Field(description="how long to wait for a key after the prompts, ms")] = 5000
    attempts: Annotated[Attempts, Field(description="how often the choice is offered in all")] = 3
    no_input_prompts: Annotated[Prompts, Field(description="played before the next attempt when no key came")] = ()
    invalid_prompts: Annotated[Prompts, Field(description="played before the next attempt after a wrong key")] = ()

    def exits(self) -> tuple[str, ...]:
        return (*dict.fromkeys(self.keys.values()), *self.EXITS)

    def input_exits(self) -> frozenset[str]:
        return frozenset({*self.keys.values(), "invalid"})

    def longest_ms(self, sounds: Callable[[Iterable[str]], int]) -> int:
        again = max(sounds(self.no_input_prompts), sounds(self.invalid_prompts))
        return self.attempts * (sounds(self.prompts) + self.timeout_ms) + (self.attempts - 1) * again

    def faults(self, scope: Scope) -> Iterator[Fault]:
        for exit_name, times in Counter(self.keys.values()).items():
            keys = ", ".join(key for key, each in self.keys.items() if each == exit_name)
            if exit_name in self.EXITS:
                yield Fault("keys", f"the exit '{exit_name}' of key {keys} is kept for another case; rename it")
            elif times > 1:
                yield Fault(
                    "keys",
                    f"the keys {keys} share the exit '{exit_name}'; "
                    "name one exit for each key, both may lead to the same node",
                )

    def run(self, call: Call) -> NodeRun:
        before: Prompts = ()
        ending = "no_input"
        for _ in range(self.attempts):
            got = yield from gather(do.Collect(call.media(before + self.prompts), timeout_ms=self.timeout_ms))
            if got.digits in self.keys:
                return self.keys[got.digits]
            ending = "invalid" if got.digits else "no_input"
            before = self.invalid_prompts if got.digits else self.no_input_prompts
        return ending
