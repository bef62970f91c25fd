"""The node `survey`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import ConfigDict, Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.fields import Attempts, AttributeName, Prompts, SomePrompts, TimeoutMs
from ivr_flows.node import Fault, Node, NodeRun, Scope, ask, gather, node


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question, answered by one key."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    name: Annotated[AttributeName, Field(description="the answer becomes the call's attribute of this name")]
    prompts: Annotated[SomePrompts, Field(description="the question")]
    lowest: Annotated[int, Field(ge=0, le=9, description="lowest key that is an answer")] = 1
    highest: Annotated[int, Field(ge=0, le=9, description="highest key that is an answer")] = 5

    def answered_by(self, key: str) -> bool:
        return len(key) == 1 and key in "0123456789"[self.lowest : self.highest + 1]


@node(
    "survey",
    exits={
        "done": "every question was answered",
        "partial": "some were answered",
        "no_input": "none was answered",
    },
    timed=("no_input",),
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Survey(Node):
    """Ask questions that are answered by a number on a scale. Answers are kept when the caller hangs up midway."""

    questions: Annotated[tuple[Question, ...], Field(min_length=1, max_length=20, description="asked in this order")]
    attempts: Annotated[Attempts, Field(description="how often each question is asked; then the survey ends")] = 2
    timeout_ms: Annotated[TimeoutMs, Field(description="how long to wait for an answer, ms")] = 5000
    invalid_prompts: Annotated[Prompts, Field(description="played before a question is asked again")] = ()

    def input_exits(self) -> frozenset[str]:
        return frozenset({"done", "partial"})

    def longest_ms(self, sounds: Callable[[Iterable[str]], int]) -> int:
        asked = sum(sounds(question.prompts) + self.timeout_ms for question in self.questions)
        again = len(self.questions) * (self.attempts - 1) * sounds(self.invalid_prompts)
        return self.attempts * asked + again

    def faults(self, scope: Scope) -> Iterator[Fault]:
        names = [question.name for question in self.questions]
        for position, question in enumerate(self.questions):
            if question.lowest >= question.highest:
                yield Fault(f"questions[{position}].lowest", "the lowest answer must be below the highest")
            if question.name in names[:position]:
                yield Fault(f"questions[{position}].name", f"two questions are called '{question.name}'; rename one")

    def run(self, call: Call) -> NodeRun:
        answers: dict[str, str] = {}
        try:
            for question in self.questions:
                before: Prompts = ()
                for _ in range(self.attempts):
                    media = call.media(before + question.prompts)
                    got = yield from gather(do.Collect(media, timeout_ms=self.timeout_ms))
                    if question.answered_by(got.digits):
                        answers[question.name] = got.digits
                        break
                    before = self.invalid_prompts
                else:
                    break
        finally:
            if answers:
                call.attributes.update(answers)
                yield from ask(do.SetAttributes(answers))
        if len(answers) == len(self.questions):
            return "done"
        return "partial" if answers else "no_input"
