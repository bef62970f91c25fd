"""The node `language`."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ivr_flows.call import Call
from ivr_flows.findings import listed
from ivr_flows.instructions import Instruction
from ivr_flows.node import Fault, Node, Scope, node
from ivr_flows.results import Result


@node("language", exits={"next": "always"})
@dataclass(frozen=True, slots=True, kw_only=True)
class Language(Node):
    """Change the language of the call, in this flow and in those that follow as far as they speak it."""

    language: Annotated[str, Field(pattern=r"^[a-z]{2}$", description="one of the flow's languages")]

    def faults(self, scope: Scope) -> Iterator[Fault]:
        if scope.languages and self.language not in scope.languages:
            spoken = listed(scope.languages)
            yield Fault(
                "language", f"the flow doesn't speak '{self.language}', only: {spoken}; add it to its languages"
            )

    def run(self, call: Call) -> Generator[Instruction, Result, str]:
        yield from ()
        call.speak(self.language)
        return "next"
