"""What an upload is checked for, beyond its form: that the flow can be followed, and always comes to an end.

Each check is a function from a `Study` to findings. One that names a node has the shortest way to it; one about a way
has that way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ivr_flows.draft import Draft
from ivr_flows.findings import MOST_FINDINGS, Finding
from ivr_flows.verify import cycles, flows, limits, parts, prompts, ways
from ivr_flows.verify.rounds import silent
from ivr_flows.verify.study import Study
from ivr_flows.verify.waiting import Longest, longest
from ivr_flows.verify.world import World, WorldKind

__all__ = ["Longest", "Report", "World", "WorldKind", "check", "check_form"]


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found, what concerns the form first; and the longest way to a person, None where there is none."""

    findings: tuple[Finding, ...]
    to_person: Longest | None = None
    needs: tuple[str, ...] = ()
    """What its node types need that not every installation has, like `queues`."""

    @property
    def ok(self) -> bool:
        """Whether none of the findings is an error."""
        return not any(finding.severity == "error" for finding in self.findings)


_OF_PARTS = (
    parts.nodes, parts.expressions, parts.patterns, prompts.undefined, prompts.incomplete, parts.unused_variables,
)  # fmt: skip
_WANTED = ("missing_reference", "missing_feature", "no_speech")
"""Codes of findings that tell: something outside the flow isn't there."""


def check(draft: Draft, world: World | None = None, *, was_active: bool = False) -> Report:
    """All findings, and the figures.

    Of a version that `was_active` before, only what keeps it from running and what it refers to in vain is an error:
    a check that a later release adds must not keep a good version from coming back.
    """
    found = [*draft.findings, *parts.targets(draft)]
    study = Study(draft)
    for part in _OF_PARTS:
        found += part(study)
    if world is not None:
        found += parts.missing(study, world)
    found = prompts.placed(study, found)
    found += parts.entry(draft)
    if study.start is not None:
        if study.entry == study.start:
            found += ways.lost(study)
        rounds = silent(study)
        found += ways.unset(study)
        found += cycles.endless(study, rounds)
        found += ways.deep(study)
        if study.entry == study.start and not draft.loose:
            found += limits.exceeded(study, rounds)
        if world is not None:
            found += flows.recursion(study, world)
            found += flows.kinds(study, world)
            found += flows.waiting(study, world)
        found += ways.not_yet(study)
    if was_active:
        found = _softened(study, found)
    found = [replace(each, path=each.path or study.way(each.node)) for each in _most(found)]
    waits = draft.parts.get("kind") == "queue_wait"
    needs = {each.part.sound.NEEDS or "" for each in draft.nodes.values() if each.part is not None} - {""}
    return Report(tuple(found), None if waits else longest(study), tuple(sorted(needs)))


def _softened(study: Study, found: list[Finding]) -> list[Finding]:
    """The findings, as warnings what wouldn't keep a stored version from running."""
    form = {(each.code, each.node, each.field) for each in prompts.placed(study, check_form(study.draft))}
    return [
        each
        if each.code in _WANTED or (each.code, each.node, each.field) in form
        else replace(each, severity="warning")
        for each in found
    ]


def _most(found: list[Finding]) -> list[Finding]:
    """The findings up to `MOST_FINDINGS`, errors before warnings where there are more, and how many are left out."""
    if len(found) <= MOST_FINDINGS:
        return found
    ordered = sorted(found, key=lambda each: each.severity != "error")
    kept, left_out = ordered[:MOST_FINDINGS], ordered[MOST_FINDINGS:]
    message = f"{len(left_out)} more findings aren't shown; mend these first"
    return [*kept, Finding(left_out[0].severity, "more_findings", None, None, message)]


def check_form(draft: Draft) -> list[Finding]:
    """Only what keeps a flow from running: errors of its form, and an entry or exits that lead to no node."""
    found = [each for each in [*draft.findings, *parts.targets(draft)] if each.severity == "error"]
    return [*found, *parts.entry(draft)]
