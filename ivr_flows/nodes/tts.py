"""The node `tts`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.fields import VoiceLanguage
from ivr_flows.node import Fault, Node, NodeRun, Scope, ask, node
from ivr_flows.results import PlayFailed
from ivr_flows.template import LONGEST, Template

_CHARACTER_MS = 90


@node(
    "tts",
    exits={"done": "spoken", "error": "nothing is left of the text, it is too long, or it can't be spoken in time"},
    timed=("done",),
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Tts(Node):
    """Speak a text with variables, by the speech engine."""

    text: Annotated[
        Mapping[VoiceLanguage, Template],
        Field(min_length=1, max_length=10, description="the text in each language; {expressions} in braces"),
    ]
    keep: Annotated[
        bool,
        Field(description="whether the sound is kept for calls that want the same text; false for what is personal"),
    ] = True

    def faults(self, scope: Scope) -> Iterator[Fault]:
        for language in scope.languages:
            if language not in self.text:
                yield Fault("text", f"there is no text in '{language}', which the flow speaks; add it")
        for language in self.text:
            if scope.languages and language not in scope.languages:
                yield Fault(f"text.{language}", f"the flow doesn't speak '{language}'; remove the text, or add it")
        if not self.keep and not any(each.expressions for each in self.text.values()):
            yield Fault("keep", "a text without {expressions} is the same for every caller; leave `keep` out")

    def longest_ms(self, sounds: Callable[[Iterable[str]], int]) -> int:
        return max(len(each.source) for each in self.text.values()) * _CHARACTER_MS

    def run(self, call: Call) -> NodeRun:
        text = self.text[call.language].fill(call.text)
        if not text.strip() or len(text) > LONGEST:
            return "error"
        got = yield from ask(do.Play((do.Spoken(text, call.language, keep=self.keep),)))
        return "error" if isinstance(got, PlayFailed) else "done"
