"""Prompts: each must be defined, in every language of the flow, and in a form that can be played."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ivr_flows.findings import Finding, error, warning
from ivr_flows.verify.study import Study


def undefined(study: Study) -> Iterator[Finding]:
    """Prompts that a node plays and the flow doesn't have."""
    prompts = study.draft.prompts
    for name, known in study.nodes.items():
        for reference in known.references:
            if reference.kind == "prompt" and reference.name not in prompts:
                hint = study.draft.meant(reference.name, prompts) or "; add it to the prompts of the flow"
                message = f"the prompt '{reference.name}' isn't defined{hint}"
                yield error("undefined_prompt", name, reference.field, message)


def incomplete(study: Study) -> Iterator[Finding]:
    """Prompts that lack a language, can't be played or aren't used."""
    draft = study.draft
    played = _users(study)
    complete = all(each.node is not None for each in draft.nodes.values())
    for name, sources in draft.prompts.items():
        place = f"prompts.{name}"
        if name not in played and complete:
            yield warning("unused_prompt", place, f"no node plays the prompt '{name}'; remove it or use it")
        if sources is None:
            continue
        for language in draft.languages:
            if language not in sources:
                message = f"the prompt '{name}' has no recording in '{language}'; add one, or drop the language"
                yield error("missing_prompt", None, f"{place}.{language}", message)
        for language in sources:
            if draft.languages and language not in draft.languages:
                message = f"the flow doesn't speak '{language}'; add it to the languages or remove the recording"
                yield warning("unused_language", f"{place}.{language}", message)


def placed(study: Study, found: list[Finding]) -> list[Finding]:
    """The findings on prompts with the node that plays them: of several, the one that a call comes to first."""
    users = _users(study)

    def place(finding: Finding) -> Finding:
        parts = (finding.field or "").split(".")
        if finding.node is not None or parts[0] != "prompts" or len(parts) == 1:
            return finding
        return replace(finding, node=users.get(parts[1]))

    return [place(each) for each in found]


def _users(study: Study) -> dict[str, str]:
    """For each prompt that is played, the first node that plays it."""
    users: dict[str, str] = {}
    order = dict.fromkeys([*study.before, *study.nodes])
    for name in order:
        for reference in study.nodes[name].references:
            if reference.kind == "prompt":
                users.setdefault(reference.name, name)
    return users
