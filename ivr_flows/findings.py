"""What is found wrong with a flow at upload."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal

FEW = 200
"""Names among which one is sought that may have been meant."""
LONGEST_WORD = 100
"""Characters of a word for which one is sought."""
MOST_FINDINGS = 300
"""Findings that are told at once."""
NEAR = 0.65
"""How much alike two words must be, 0 to 1: 'sya' and 'say' are, 'nowhere' and 'answer' aren't."""


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
        """For a terminal. A message of several lines shows a place in an expression below its first line."""
        places = [f"{what} '{plain(name)}'" for what, name in (("node", self.node), ("field", self.field)) if name]
        place = ", ".join(places)
        way = f" (path: {' -> '.join(plain(name) for name in self.path)})" if self.path else ""
        first, *shown = self.message.split("\n")
        head = f"{self.severity} {self.code}: {place}{': ' if place else ''}{plain(first)}{way}"
        return "\n".join([head, *(plain(line) for line in shown)])


def error(code: str, node: str | None, field: str | None, message: str, path: tuple[str, ...] = ()) -> Finding:
    """A finding that keeps the flow from being taken."""
    return Finding("error", code, node, field, message, path)


def warning(code: str, field: str, message: str) -> Finding:
    """A finding on the envelope that hinders nothing."""
    return Finding("warning", code, None, field, message)


class FlowInvalid(ValueError):
    """The document is no flow that could run. `findings` holds all that was found, warnings too."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


def shown(value: Any) -> str:
    """A value of the document in a message: texts quoted, long ones cut, objects only by their kind."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{plain(value if len(value) <= 40 else value[:39] + '…')}'"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    return "null" if value is None else str(value)[:40]


def plain(text: str) -> str:
    """Without what a terminal would obey or not show: names come from whoever wrote the document."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def did_you_mean(word: str, known: Collection[str]) -> str:
    """`; did you mean 'x'?`, or nothing when nothing comes near. Of many, only names that begin alike are looked at."""
    if len(known) > FEW:
        known = list(itertools.islice((name for name in known if name[:1] == word[:1]), FEW))
    near = difflib.get_close_matches(word[:LONGEST_WORD], sorted(known), n=1, cutoff=NEAR)
    near = near or [name for name in sorted(known) if word in re.split("[-_]", name)]
    return f"; did you mean '{near[0]}'?" if near else ""


def listed(words: Iterable[str]) -> str:
    """`a, b, c`, or `none`."""
    return ", ".join(words) or "none"
