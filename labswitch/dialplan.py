"""The XML dialplan: which actions a call gets. Pure: variables come in through a function.

Rules, as in FreeSWITCH: extensions in order; all conditions of one must hold unless `break` says otherwise;
`$1` in actions is what the condition's expression caught; the first extension that holds ends the search
unless it has `continue="true"`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lxml import etree

from labswitch.config import is_true

_FIELDS = {
    "destination_number",
    "caller_id_name",
    "caller_id_number",
    "ani",
    "network_addr",
    "context",
    "username",
    "rdnis",
    "source",
    "uuid",
    "dialplan",
    "chan_name",
}
_REFERENCE = re.compile(r"\$(\d)|\$\{(\d)\}")


@dataclass(frozen=True)
class Action:
    """One application with its argument; `inline` ones run while the dialplan is read."""

    application: str
    data: str = ""
    inline: bool = False


@dataclass(frozen=True)
class Match:
    """An extension that holds for a call."""

    name: str
    actions: tuple[Action, ...]


class Dialplan:
    """Finds the actions for a call. `expand` resolves `${...}`, `run_inline` executes inline actions at once."""

    def __init__(self, contexts: dict[str, etree._Element] | None = None) -> None:
        self._contexts = dict(contexts or {})

    def route(
        self,
        context: str,
        field: Callable[[str], str],
        expand: Callable[[str], str],
        run_inline: Callable[[Action], None],
    ) -> list[Match]:
        """Every extension that holds, in order; usually one. Empty where nothing does."""
        found: list[Match] = []
        root = self._contexts.get(context)
        for extension in root.iter("extension") if root is not None else ():
            actions = self._actions(extension, field, expand, run_inline)
            if actions is None:
                continue
            found.append(Match(extension.get("name", ""), tuple(actions)))
            if not is_true(extension.get("continue")):
                break
        return found

    def _actions(
        self,
        extension: etree._Element,
        field: Callable[[str], str],
        expand: Callable[[str], str],
        run_inline: Callable[[Action], None],
    ) -> list[Action] | None:
        """The actions of one extension, None where it doesn't hold."""
        actions: list[Action] = []
        held = False
        for condition in extension.findall("condition"):
            groups = _check(condition, field, expand)
            after = condition.get("break", "on-false")
            held = groups is not None
            chosen = condition.findall("action" if held else "anti-action")
            for action in _read(chosen, groups or ()):
                if action.inline:
                    run_inline(action)
                else:
                    actions.append(action)
            if after == "always" or (after == "on-true" and held):
                break
            if not held:
                if after == "never":
                    held = bool(actions)
                    continue
                return actions or None
        return actions if held or actions else None


def _check(
    condition: etree._Element, field: Callable[[str], str], expand: Callable[[str], str]
) -> tuple[str, ...] | None:
    """What the expression caught, the whole match first; None where the condition doesn't hold."""
    name, expression = condition.get("field"), condition.get("expression")
    if not name or expression is None:
        return ()
    value = field(name) if name in _FIELDS else expand(name) if "$" in name else field(name)
    match = re.search(expand(expression) if "${" in expression else expression, value)
    return None if match is None else (match[0], *(group or "" for group in match.groups()))


def _read(elements: Iterable[etree._Element], groups: tuple[str, ...]) -> Iterable[Action]:
    def caught(match: re.Match[str]) -> str:
        index = int(match[1] or match[2])
        return groups[index] if index < len(groups) else ""

    for element in elements:
        data = element.get("data")
        if data is None:
            data = (element.text or "").strip()
        yield Action(
            element.get("application", ""), _REFERENCE.sub(caught, data), is_true(element.get("inline", "false"))
        )
