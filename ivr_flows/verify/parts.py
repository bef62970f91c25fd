"""What is wrong with single parts: targets of exits, nodes, expressions, names of what exists besides the flow."""

from __future__ import annotations

from collections.abc import Iterator

from ivr_flows.draft import Draft, DraftNode
from ivr_flows.envelope import Speech
from ivr_flows.expressions import CALL_NAMES, MAX_NODE_SIZE, QUEUE_NAMES, ExpressionError, UnknownName, type_of
from ivr_flows.findings import Finding, error, listed, warning
from ivr_flows.verify.study import Study
from ivr_flows.verify.world import World


def targets(draft: Draft) -> Iterator[Finding]:
    """Exits that lead to no node."""
    for each in draft.nodes.values():
        for exit_name, target in each.exits.items():
            if target not in draft.nodes:
                draft.loose = True
                hint = draft.meant(target, draft.nodes) or "; lead it to one of the nodes"
                message = f"the exit '{exit_name}' leads to '{target}', which doesn't exist{hint}"
                yield error("unknown_target", each.id, f"exits.{exit_name}", message)


def entry(draft: Draft) -> Iterator[Finding]:
    """An entry that is no node."""
    name = draft.parts.get("entry") if draft.nodes else None
    if name is not None and name not in draft.nodes:
        hint = draft.meant(name, draft.nodes) or "; name one of the nodes"
        yield error("unknown_entry", None, "entry", f"there is no node '{name}'{hint}")


def nodes(study: Study) -> Iterator[Finding]:
    """Nodes that aren't allowed in this kind of flow, or whose fields contradict each other or the flow."""
    kind = study.draft.parts.get("kind")
    for each in study.draft.nodes.values():
        if each.part is None:
            continue
        kinds = each.part.sound.KINDS
        if kind is not None and kind not in kinds:
            message = f"the node type {each.type} isn't allowed in a flow of kind {kind}; it is in: "
            yield error("wrong_kind", each.id, "type", message + listed(sorted(kinds)))
        yield from _faults(study.draft, each)


def _faults(draft: Draft, each: DraftNode) -> Iterator[Finding]:
    if each.part is None:
        return
    faults = each.part.sound.faults(draft)
    while True:
        try:
            fault = next(faults, None)
        except AttributeError:
            if each.node is not None:
                raise
            return  # the next fault would be between a field that is wrong and another one
        if fault is None:
            return
        yield error("bad_node", each.id, fault.field, fault.message)


def expressions(study: Study) -> Iterator[Finding]:
    """Expressions whose types don't fit, variables that aren't declared, facts that this kind of flow doesn't have."""
    draft = study.draft
    waits = draft.parts.get("kind") in ("queue_wait", None)
    for name, known in study.nodes.items():
        for formula in known.formulas:
            try:
                type_of(formula.expression.tree, draft.variable)
            except UnknownName as unknown:
                if unknown.name not in draft.variables:
                    yield error("undeclared_variable", name, formula.field, f"{unknown}{_hint(draft, unknown)}")
            except ExpressionError as wrong:
                yield error("bad_expression", name, formula.field, wrong.pointed(formula.expression.source))
            for fact in sorted(formula.expression.names & QUEUE_NAMES.keys()) if not waits else ():
                message = f"'{fact}' is known only in flows of kind queue_wait, while the caller waits in a queue"
                yield error("wrong_kind", name, formula.field, f"{message}; use it there, or take it out here")
        for reference in known.references:
            if reference.kind == "variable" and reference.name not in draft.variables:
                hint = draft.meant(reference.name, draft.variables) or "; declare it in the variables of the flow"
                message = f"the variable '{reference.name}' isn't declared{hint}"
                yield error("undeclared_variable", name, reference.field, message)


def patterns(study: Study) -> Iterator[Finding]:
    """Regular expressions that together would keep the engine busy."""
    for name, known in study.nodes.items():
        size = 0
        for formula in known.formulas:
            size += formula.expression.pattern_size
            if size > MAX_NODE_SIZE:
                message = (
                    f"the patterns of this node are too large together: {size} instructions up to here, at most "
                    f"{MAX_NODE_SIZE}; repeat less in them, or spread them over several nodes"
                )
                yield error("bad_expression", name, formula.field, message)
                break


def _hint(draft: Draft, unknown: UnknownName) -> str:
    """What could be meant by an unknown name, or how it comes to be known."""
    if hint := draft.meant(unknown.name, {*draft.variables, *CALL_NAMES, *QUEUE_NAMES}):
        return hint
    if unknown.name.startswith("queue."):
        return f"; there are: {listed(QUEUE_NAMES)}"
    if unknown.name.startswith("call."):
        return f"; there are: {listed(CALL_NAMES)}, call.attributes.<name>"
    return "; declare it in the variables of the flow"


def unused_variables(study: Study) -> Iterator[Finding]:
    """Variables that no node reads or sets."""
    draft = study.draft
    if any(each.node is None for each in draft.nodes.values()):
        return  # a variable may be used where the node couldn't be read
    used = {name for known in study.nodes.values() for each in known.formulas for name in each.expression.names}
    used |= {each.name for known in study.nodes.values() for each in known.references if each.kind == "variable"}
    for name, declared in draft.variables.items():
        if declared is not None and name not in used:
            message = f"no node uses the variable '{name}'; remove it or use it"
            yield warning("unused_variable", f"variables.{name}", message)


_WHERE = {
    "origin": "; allow it in the configuration, as one of http.origins",
    "secret": "; it must stand in the configuration, as one of http_secrets",
}
"""Where to mend what is no matter of the API."""


def missing(study: Study, world: World) -> Iterator[Finding]:
    """Agents, calendars, trunks, queues, notices, flows and sound files that don't exist."""
    for name, known in study.nodes.items():
        for reference in known.references:
            if reference.kind == "prompt" or reference.kind == "variable":
                continue
            there = world.names(reference.kind)
            if there is None or reference.name in there:
                continue
            if reference.kind == "flow" and reference.name == study.draft.parts.get("id"):
                continue
            hint = study.draft.meant(reference.name, there) or _WHERE.get(reference.kind, "; create it first")
            message = f"there is no {reference.kind} '{reference.name}'{hint}"
            yield error("missing_reference", name, reference.field, message)
    yield from _missing_features(study, world)
    yield from _missing_voices(study, world)
    files = world.names("prompt")
    for name, sources in study.draft.prompts.items():
        for language, source in (sources or {}).items():
            if files is not None and isinstance(source, str) and source not in files:
                hint = study.draft.meant(source, files) or "; upload it before the flow is activated"
                message = f"there is no sound file '{source}', callers would hear nothing{hint}"
                yield warning("missing_sound", f"prompts.{name}.{language}", message)


def _missing_voices(study: Study, world: World) -> Iterator[Finding]:
    """Prompts to be spoken in a language for which the speech engine has no voice."""
    voices = world.names("voice")
    for name, sources in study.draft.prompts.items():
        for language, source in (sources or {}).items():
            if voices is not None and isinstance(source, Speech) and language not in voices:
                there = listed(sorted(voices)) if voices else "none"
                message = f"'{name}' can't be spoken in '{language}', for which there is no voice; there are: {there}"
                yield error("no_speech", None, f"prompts.{name}.{language}", message)


def _missing_features(study: Study, world: World) -> Iterator[Finding]:
    features = world.names("feature")
    for each in study.draft.nodes.values():
        needed = each.part.sound.NEEDS if each.part is not None else None
        if needed is not None and features is not None and needed not in features:
            message = f"the node type {each.type} needs {needed}, which this installation doesn't have"
            yield error("missing_feature", each.id, "type", message)
