"""The node `collect`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows import say
from ivr_flows.call import Call
from ivr_flows.digits import CHECKS, PATTERN, matches, never_fits
from ivr_flows.fields import Attempts, Keys, Prompts, SomePrompts, TimeoutMs, VariableName
from ivr_flows.instructions import Instruction
from ivr_flows.node import Fault, Node, NodeRun, Scope, gather, node, unspeakable
from ivr_flows.results import Result

Pattern = Annotated[str, Field(pattern=PATTERN, max_length=60)]
KeyCount = Annotated[int, Field(ge=1, le=40)]


@node(
    "collect",
    exits={
        "ok": "the digits are right, and confirmed if that was asked for",
        "no_input": "no key at the last attempt",
        "invalid": "the digits of the last attempt didn't fit or were not confirmed",
    },
    timed=("no_input",),
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Collect(Node):
    """Ask for digits; asked again when none come, when they don't fit, or when the caller doesn't confirm them."""

    prompts: Annotated[SomePrompts, Field(description="the question, played at each attempt")]
    variable: Annotated[VariableName, Field(description="the variable that takes the digits; of type string")]
    min_digits: Annotated[KeyCount, Field(description="least number of keys")] = 1
    max_digits: Annotated[KeyCount, Field(description="most keys; the last one ends the input")] = 20
    terminators: Annotated[Keys, Field(description="keys that end the input and aren't part of it")] = "#"
    patterns: Annotated[
        tuple[Pattern, ...],
        Field(max_length=20, description="one must fit; X 0-9, Z 1-9, N 2-9, [15-7], final dot: any more"),
    ] = ()
    check: Annotated[
        Literal["luhn", "ico", "rodne_cislo"] | None, Field(description="check digit: cards, Czech companies, persons")
    ] = None
    timeout_ms: Annotated[TimeoutMs, Field(description="how long to wait for the first key, ms")] = 5000
    interdigit_timeout_ms: Annotated[TimeoutMs, Field(description="how long to wait for each further key, ms")] = 3000
    attempts: Annotated[Attempts, Field(description="how often the question is asked in all")] = 3
    no_input_prompts: Annotated[Prompts, Field(description="played before the next attempt when no key came")] = ()
    invalid_prompts: Annotated[Prompts, Field(description="played before the next attempt when digits don't fit")] = ()
    confirm: Annotated[bool, Field(description="read the digits back and have them confirmed with the key 1")] = False
    confirm_prompts: Annotated[
        Prompts, Field(description="the question after the digits, in place of the built-in one")
    ] = ()

    def input_exits(self) -> frozenset[str]:
        return frozenset({"ok", "invalid"})

    def writes(self, exit_name: str) -> frozenset[str]:
        return frozenset({self.variable} if exit_name == "ok" else ())

    def longest_ms(self, sounds: Callable[[Iterable[str]], int]) -> int:
        again = max(sounds(self.no_input_prompts), sounds(self.invalid_prompts))
        digits_ms = self.timeout_ms + (self.max_digits - 1) * self.interdigit_timeout_ms
        confirm_ms = (sounds(self.confirm_prompts) + self.timeout_ms) if self.confirm else 0
        return self.attempts * (sounds(self.prompts) + digits_ms + confirm_ms) + (self.attempts - 1) * again

    def faults(self, scope: Scope) -> Iterator[Fault]:
        if self.min_digits > self.max_digits:
            yield Fault("min_digits", f"{self.min_digits} is more than max_digits, which is {self.max_digits}")
        for pattern in self.patterns:
            if never_fits(pattern):
                yield Fault("patterns", f"no digits fit '{pattern}'; a range goes from the lower digit to the higher")
        if scope.variable(self.variable) in ("number", "boolean"):
            yield Fault("variable", f"the variable '{self.variable}' must be of type string: digits may begin with 0")
        if self.confirm_prompts and not self.confirm:
            yield Fault("confirm_prompts", "nothing is confirmed; set confirm to true or remove the prompts")
        if self.confirm:
            yield from unspeakable(scope, "confirm")

    def run(self, call: Call) -> NodeRun:
        before: Prompts = ()
        ending = "no_input"
        for _ in range(self.attempts):
            digits = yield from self._input(call, before)
            ending = "invalid" if digits else "no_input"
            before = self.invalid_prompts if digits else self.no_input_prompts
            if not digits or not self._fits(digits):
                continue
            answer = (yield from self._confirmed(call, digits)) if self.confirm else "1"
            if answer == "1":
                call.variables[self.variable] = digits
                return "ok"
            ending = "invalid" if answer else "no_input"
            before = ()
        return ending

    def _input(self, call: Call, before: Prompts) -> Generator[Instruction, Result, str]:
        got = yield from gather(
            do.Collect(
                call.media(before + self.prompts),
                max_digits=self.max_digits,
                timeout_ms=self.timeout_ms,
                interdigit_timeout_ms=self.interdigit_timeout_ms,
                terminators=self.terminators,
            )
        )
        return got.digits

    def _fits(self, digits: str) -> bool:
        if not self.min_digits <= len(digits) <= self.max_digits:
            return False
        if digits.strip("0123456789*#"):
            return False  # A to D, which some devices send: nothing here is made for them, not even reading them back
        if self.patterns and not any(matches(pattern, digits) for pattern in self.patterns):
            return False
        return self.check is None or CHECKS[self.check](digits)

    def _confirmed(self, call: Call, digits: str) -> Generator[Instruction, Result, str]:
        """The caller's answer to the digits read back; 1 is yes.

        Asked once more when only a terminator comes: it belongs to the digits, which had reached their full length.
        """
        question = call.media(self.confirm_prompts) or (say.piece("confirm", call.language),)
        media = (say.piece("entered", call.language), say.digits(digits, call.language), *question)
        confirmation = do.Collect(media, max_digits=1, timeout_ms=self.timeout_ms, terminators=self.terminators)
        got = yield from gather(confirmation)
        if not got.digits and got.terminator:
            got = yield from gather(confirmation)
        return got.digits
