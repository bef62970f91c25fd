"""From the document that was uploaded to the flow that can be run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ivr_flows import checks, document
from ivr_flows.draft import Draft, draft
from ivr_flows.envelope import Speech
from ivr_flows.findings import Finding, FlowInvalid
from ivr_flows.flow import Flow, Limits, Variable, Wired
from ivr_flows.instructions import PromptFile

Document = Mapping[str, Any] | str


def check(source: Document, world: checks.World | None = None) -> list[Finding]:
    """All that is wrong with a document, warnings too; empty for a flawless flow. Never raises."""
    try:
        content = document.read(source)
    except document.Unreadable as unreadable:
        return [unreadable.finding]
    return checks.check(draft(content), world)


def load(source: Document, world: checks.World | None = None) -> Flow:
    """The flow of a document. Raises `FlowInvalid` with all findings when one of them is an error."""
    try:
        content = document.read(source)
    except document.Unreadable as unreadable:
        raise FlowInvalid([unreadable.finding]) from None
    made = draft(content)
    findings = checks.check(made, world)
    if any(finding.severity == "error" for finding in findings):
        raise FlowInvalid(findings)
    return _flow(made, document.version(content))


def load_stored(source: Document) -> Flow:
    """A version that passed all checks when it was uploaded. Raises `FlowInvalid` only for what it can't run with.

    A check that a later release adds must not take a flow off the air that has been running for months.
    """
    try:
        content = document.read(source)
    except document.Unreadable as unreadable:
        raise FlowInvalid([unreadable.finding]) from None
    made = draft(content)
    findings = checks.check_form(made)
    if findings:
        raise FlowInvalid(findings)
    return _flow(made, document.version(content))


def _files(sources: Mapping[str, str | Speech]) -> dict[str, PromptFile]:
    return {language: PromptFile(source) for language, source in sources.items() if isinstance(source, str)}


def _flow(made: Draft, version: str) -> Flow:
    """The flow of a draft without errors."""
    parts = made.parts
    return Flow(
        id=parts["id"],
        version=version,
        name=parts["name"],
        kind=parts["kind"],
        languages=parts["languages"],
        entry=parts["entry"],
        nodes={each.id: Wired(each.node, each.exits) for each in made.nodes.values() if each.node is not None},
        prompts={name: _files(sources or {}) for name, sources in made.prompts.items()},
        variables={name: Variable(each.type, each.default) for name, each in made.variables.items() if each},
        limits=Limits(made.limits.max_steps, made.limits.max_seconds),
    )
