"""What is found wrong with a flow at upload."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where, what, and how to mend it.

    `code` is stable and may be relied on; `message` is for people. `node` is None for what concerns no single node;
    `field` is then a field of the envelope. `path` leads from the entry to the node, or to a cycle and around it.
    """

    severity: Literal["error", "warning"]
    code: str
    node: str | None
    field: str | None
    message: str
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        places = [f"{what} '{name}'" for what, name in (("node", self.node), ("field", self.field)) if name]
        place = ", ".join(places)
        way = f" (path: {' -> '.join(self.path)})" if self.path else ""
        return f"{self.severity} {self.code}: {place}{': ' if place else ''}{self.message}{way}"


class FlowInvalid(ValueError):
    """The document is no flow that could run. `findings` holds all that was found, warnings too."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


def did_you_mean(word: str, known: Collection[str]) -> str:
    """`; did you mean 'x'?`, or nothing when nothing comes near."""
    near = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def listed(words: Iterable[str]) -> str:
    """`a, b, c`, or `none`."""
    return ", ".join(words) or "none"
