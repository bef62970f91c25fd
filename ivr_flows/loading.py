"""From the document that was uploaded to the flow that can be run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ivr_flows import document, verify
from ivr_flows.draft import Draft, draft
from ivr_flows.envelope import Speech
from ivr_flows.findings import Finding, FlowInvalid, error
from ivr_flows.flow import Flow, Limits, Variable, Wired
from ivr_flows.instructions import Media, PromptFile, Spoken
from ivr_flows.migration import NewerFormat, migrate
from ivr_flows.node import Kind

Document = Mapping[str, Any] | str


def report(source: Document, world: verify.World | None = None, *, was_active: bool = False) -> verify.Report:
    """All that is to be said of a document before it is taken; less of it is an error where it `was_active` before.

    Never raises.
    """
    try:
        made, _ = _read(source)
    except FlowInvalid as invalid:
        return verify.Report(invalid.findings)
    return verify.check(made, world, was_active=was_active)


@dataclass(frozen=True, slots=True)
class Outline:
    """What a version is kept under: the flow's id, the version's name, and the flow's name and kind."""

    id: str
    version: str
    name: str
    kind: Kind


def outline(source: Document) -> Outline:
    """The outline of a document, whatever else is wrong with it. Raises `FlowInvalid` when it has none."""
    made, version = _read(source)
    parts = made.parts
    if {"id", "name", "kind"} <= parts.keys():
        return Outline(parts["id"], version, parts["name"], parts["kind"])
    raise FlowInvalid(each for each in made.findings if each.field in ("id", "name", "kind"))


def check(source: Document, world: verify.World | None = None) -> list[Finding]:
    """All that is wrong with a document, warnings too; empty for a flawless flow. Never raises."""
    return list(report(source, world).findings)


def load(source: Document, world: verify.World | None = None) -> Flow:
    """The flow of a document. Raises `FlowInvalid` with all findings when one of them is an error."""
    made, version = _read(source)
    checked = verify.check(made, world)
    if not checked.ok:
        raise FlowInvalid(checked.findings)
    return _flow(made, version)


def load_stored(source: Document) -> Flow:
    """A version that passed all checks when it was uploaded. Raises `FlowInvalid` only for what it can't run with.

    A check that a later release adds must not take a flow off the air that has been running for months.
    """
    made, version = _read(source)
    findings = verify.check_form(made)
    if findings:
        raise FlowInvalid(findings)
    return _flow(made, version)


def _read(source: Document) -> tuple[Draft, str]:
    """What can be read of a document, in today's format, and the version's name. Raises `FlowInvalid`."""
    try:
        content = document.read(source)
        return draft(migrate(content)), document.version(content)
    except document.Unreadable as unreadable:
        raise FlowInvalid([unreadable.finding]) from None
    except NewerFormat as newer:
        raise FlowInvalid([error("newer_format", None, "schema", str(newer))]) from None


def _media(sources: Mapping[str, str | Speech]) -> dict[str, Media]:
    return {
        language: PromptFile(source) if isinstance(source, str) else Spoken(source.tts, language)
        for language, source in sources.items()
    }


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
        prompts={name: _media(sources or {}) for name, sources in made.prompts.items()},
        variables={name: Variable(each.type, each.default) for name, each in made.variables.items() if each},
        limits=Limits(made.limits.max_steps, made.limits.max_seconds),
    )
