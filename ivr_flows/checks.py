"""What an upload is checked for, beyond its form: that the flow can be followed, and always comes to an end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Literal, Protocol

from ivr_flows.draft import Draft, DraftNode
from ivr_flows.envelope import Speech
from ivr_flows.expressions import CALL_NAMES, ExpressionError, UnknownName, type_of
from ivr_flows.findings import Finding, did_you_mean, listed
from ivr_flows.graph import Edge, Graph, Way, way
from ivr_flows.references import formulas, references

MENU_DEPTH = 5
"""Menus in a row from which on there is a warning (R25)."""

WorldKind = Literal["flow", "agent", "calendar", "trunk", "prompt"]


class World(Protocol):
    """What exists besides the flow."""

    def names(self, kind: WorldKind) -> Collection[str] | None:
        """The ids of all that exists of a kind; for prompts, the paths of the files. None: not known, not checked."""


def check(draft: Draft, world: World | None = None) -> list[Finding]:
    """All findings, those of the form first. Each that names a node has the path to it."""
    graph = draft.graph()
    entry = draft.parts.get("entry") if draft.nodes else None
    found = list(draft.findings)
    for part in (_targets, _nodes, _expressions, _undefined_prompts, _prompts, _variables):
        found += part(draft)
    if world is not None:
        found += _world(draft, world)
    found = _placed(draft, found)
    if entry is not None and entry not in draft.nodes:
        found.append(_unknown_entry(draft, entry))
    elif entry is not None:
        found += _reached(draft, graph, entry)
        found += _unset(draft, graph, entry)
        found += _endless(draft, graph, entry)
        found += _deep(draft, graph, entry)
        before = graph.reach(entry)
        found = [replace(each, path=each.path or way(before, each.node or "")) for each in found]
    return found


def check_form(draft: Draft) -> list[Finding]:
    """Only what keeps a flow from running: errors of its form, and an entry or exits that lead to no node."""
    found = [each for each in [*draft.findings, *_targets(draft)] if each.severity == "error"]
    entry = draft.parts.get("entry") if draft.nodes else None
    return found if entry is None or entry in draft.nodes else [*found, _unknown_entry(draft, entry)]


def _unknown_entry(draft: Draft, entry: str) -> Finding:
    hint = did_you_mean(entry, draft.nodes) or "; name one of the nodes"
    return _error("unknown_entry", None, "entry", f"there is no node '{entry}'{hint}")


def _error(code: str, node: str | None, place: str | None, message: str, path: Way = ()) -> Finding:
    return Finding("error", code, node, place, message, path)


def _warning(code: str, place: str, message: str) -> Finding:
    return Finding("warning", code, None, place, message)


def _placed(draft: Draft, found: list[Finding]) -> list[Finding]:
    """The findings on prompts with the node that plays them."""
    users = _users(draft)

    def placed(finding: Finding) -> Finding:
        parts = (finding.field or "").split(".")
        return replace(finding, node=users.get(parts[1])) if parts[0] == "prompts" and len(parts) > 1 else finding

    return [each if each.node is not None else placed(each) for each in found]


def _targets(draft: Draft) -> Iterator[Finding]:
    for each in draft.nodes.values():
        for exit_name, target in each.exits.items():
            if target not in draft.nodes:
                draft.loose = True
                hint = did_you_mean(target, draft.nodes) or "; lead it to one of the nodes"
                message = f"the exit '{exit_name}' leads to '{target}', which doesn't exist{hint}"
                yield _error("unknown_target", each.id, f"exits.{exit_name}", message)


def _nodes(draft: Draft) -> Iterator[Finding]:
    kind = draft.parts.get("kind")
    for each in draft.nodes.values():
        if each.node is None:
            continue
        if kind is not None and kind not in each.node.KINDS:
            allowed = listed(sorted(each.node.KINDS))
            message = f"the node type {each.type} isn't allowed in a flow of kind {kind}; it is in: {allowed}"
            yield _error("wrong_kind", each.id, "type", message)
        for fault in each.node.faults(draft):
            yield _error("bad_node", each.id, fault.field, fault.message)


def _expressions(draft: Draft) -> Iterator[Finding]:
    for each in draft.nodes.values():
        for formula in formulas(each.node) if each.node else ():
            try:
                type_of(formula.expression.tree, draft.variable)
            except UnknownName as unknown:
                if unknown.name not in draft.variables:
                    yield _error("undeclared_variable", each.id, formula.field, f"{unknown}{_known(draft, unknown)}")
            except ExpressionError as error:
                yield _error("bad_expression", each.id, formula.field, str(error))
        for reference in references(each.node) if each.node else ():
            if reference.kind == "variable" and reference.name not in draft.variables:
                hint = did_you_mean(reference.name, draft.variables) or "; declare it in the variables of the flow"
                message = f"the variable '{reference.name}' isn't declared{hint}"
                yield _error("undeclared_variable", each.id, reference.field, message)


def _known(draft: Draft, unknown: UnknownName) -> str:
    """What could be meant by an unknown name, or how it comes to be known."""
    if hint := did_you_mean(unknown.name, {*draft.variables, *CALL_NAMES}):
        return hint
    if unknown.name.startswith("call."):
        return f"; there are: {listed(CALL_NAMES)}, call.attributes.<name>"
    return "; declare it in the variables of the flow"


def _users(draft: Draft) -> dict[str, str]:
    """For each prompt that is played, the first node that plays it."""
    users: dict[str, str] = {}
    for each in draft.nodes.values():
        for reference in references(each.node) if each.node else ():
            if reference.kind == "prompt":
                users.setdefault(reference.name, each.id)
    return users


def _undefined_prompts(draft: Draft) -> Iterator[Finding]:
    for each in draft.nodes.values():
        for reference in references(each.node) if each.node else ():
            if reference.kind == "prompt" and reference.name not in draft.prompts:
                hint = did_you_mean(reference.name, draft.prompts) or "; add it to the prompts of the flow"
                message = f"the prompt '{reference.name}' isn't defined{hint}"
                yield _error("undefined_prompt", each.id, reference.field, message)


def _prompts(draft: Draft) -> Iterator[Finding]:
    played = _users(draft)
    complete = all(each.node is not None for each in draft.nodes.values())
    for name, sources in draft.prompts.items():
        place = f"prompts.{name}"
        if name not in played and complete:
            yield _warning("unused_prompt", place, f"no node plays the prompt '{name}'; remove it or use it")
        if sources is None:
            continue
        for language in draft.languages:
            if language not in sources:
                message = f"the prompt '{name}' has no recording in '{language}'; add one, or drop the language"
                yield _error("missing_prompt", None, f"{place}.{language}", message)
        for language, source in sources.items():
            if isinstance(source, Speech):
                message = (
                    f"'{name}' can't be spoken, no speech engine is configured; give a WAV file in place of the text"
                )
                yield _error("no_speech", None, f"{place}.{language}", message)
            if draft.languages and language not in draft.languages:
                message = f"the flow doesn't speak '{language}'; add it to the languages or remove the recording"
                yield _warning("unused_language", f"{place}.{language}", message)


def _variables(draft: Draft) -> Iterator[Finding]:
    nodes = [each.node for each in draft.nodes.values() if each.node is not None]
    if len(nodes) < len(draft.nodes):
        return  # a variable may be used where the node couldn't be read
    used = {name for node in nodes for formula in formulas(node) for name in formula.expression.names}
    used |= {reference.name for node in nodes for reference in references(node) if reference.kind == "variable"}
    for name, declared in draft.variables.items():
        if declared is not None and name not in used:
            message = f"no node uses the variable '{name}'; remove it or use it"
            yield _warning("unused_variable", f"variables.{name}", message)


def _world(draft: Draft, world: World) -> Iterator[Finding]:
    for each in draft.nodes.values():
        for reference in references(each.node) if each.node else ():
            if reference.kind in ("prompt", "variable"):
                continue
            known = world.names(reference.kind)  # type: ignore[arg-type]
            if known is None or reference.name in known:
                continue
            if reference.kind == "flow" and reference.name == draft.parts.get("id"):
                continue
            hint = did_you_mean(reference.name, known) or "; create it first"
            message = f"there is no {reference.kind} '{reference.name}'{hint}"
            yield _error("missing_reference", each.id, reference.field, message)
    files = world.names("prompt")
    for name, sources in draft.prompts.items():
        for language, source in (sources or {}).items():
            if files is not None and isinstance(source, str) and source not in files:
                hint = did_you_mean(source, files) or "; upload it first"
                message = f"there is no sound file '{source}'{hint}"
                yield _error("missing_reference", None, f"prompts.{name}.{language}", message)


def _reached(draft: Draft, graph: Graph, entry: str) -> Iterator[Finding]:
    if draft.loose:
        return  # whatever isn't reached now may be once the loose exits are wired
    reached = graph.reach(entry)
    for name in draft.nodes:
        if name not in reached:
            message = "no way leads from the entry to this node; lead an exit to it or remove it"
            yield _error("unreachable", name, None, message)
    if draft.parts.get("kind") == "queue_wait":
        return  # such a flow is ended from outside, when an agent is free
    ends = [each.id for each in draft.nodes.values() if each.node is None or each.node.ENDS]
    ending = graph.leading_to(ends)
    for name in draft.nodes:
        if name in reached and name not in ending:
            message = "no way leads from this node to an end of the flow; lead an exit to a hangup or goto_flow node"
            yield _error("no_end", name, None, message)


def _unset(draft: Draft, graph: Graph, entry: str) -> Iterator[Finding]:
    for variable, declared in draft.variables.items():
        if declared is None or declared.default is not None:
            continue
        before = graph.reach(entry, _not_writing(draft, variable))
        for name in before:
            node = draft.nodes[name].node
            for formula in formulas(node) if node else ():
                if variable in formula.expression.names:
                    message = (
                        f"the variable '{variable}' has no value yet when the call comes this way; "
                        "give it a default, or set it before"
                    )
                    yield _error("unset_variable", name, formula.field, message, way(before, name))


def _not_writing(draft: Draft, variable: str) -> Callable[[Edge], bool]:
    def follow(edge: Edge) -> bool:
        node = draft.nodes[edge.source].node
        return node is not None and variable not in node.writes(edge.exit)

    return follow


def _endless(draft: Draft, graph: Graph, entry: str) -> Iterator[Finding]:
    before = graph.reach(entry)
    by_itself = Graph(graph.nodes, (edge for edge in graph.edges if not _needs_caller(draft.nodes[edge.source], edge)))
    for knot in by_itself.knots():
        part = by_itself.within(knot)
        cycle = _waiting_cycle(draft, part) if draft.parts.get("kind") == "queue_wait" else _cycle(draft, graph, part)
        if cycle and cycle[0] in before:
            round_trip = " -> ".join(cycle)
            message = (
                f"a call may go round here for ever without a key being pressed: {round_trip}; "
                "lead one of the exits out, or count the rounds in a variable and leave by a branch"
            )
            yield _error("endless_cycle", cycle[0], None, message, (*way(before, cycle[0])[:-1], *cycle))


def _needs_caller(source: DraftNode, edge: Edge) -> bool:
    return source.node is None or edge.exit in source.node.input_exits()


def _waiting_cycle(draft: Draft, part: Graph) -> Way:
    """A cycle in which no time passes; a waiting flow may go round as long as it takes time."""
    quick = [name for name in part.nodes if (node := draft.nodes[name].node) is not None and not node.TAKES_TIME]
    return part.within(quick).cycle()


def _cycle(draft: Draft, graph: Graph, part: Graph) -> Way:
    """A cycle that isn't bounded by a counter: a variable raised in it, and a branch on it that leads out."""
    counters, raising = _counters(draft, part)
    leaving = set()
    for name in part.nodes:
        node = draft.nodes[name].node
        read = {each for formula in formulas(node) for each in formula.expression.names} if node else set()
        if read & counters and name not in raising and any(e.target not in part.nodes for e in graph.out(name)):
            leaving.add(name)
    not_raised = part.within([name for name in part.nodes if name not in raising]).cycle()
    return not_raised or part.within([name for name in part.nodes if name not in leaving]).cycle()


def _counters(draft: Draft, part: Graph) -> tuple[set[str], set[str]]:
    """The variables that are only ever raised within this part, and the nodes that do so."""
    raised: dict[str, set[str]] = {}
    replaced: set[str] = set()
    for name in part.nodes:
        node = draft.nodes[name].node
        if node is None:
            continue
        for variable in node.counts():
            raised.setdefault(variable, set()).add(name)
        for exit_name in node.exits():
            replaced |= node.writes(exit_name) - node.counts()
    counters = raised.keys() - replaced
    return set(counters), {name for variable in counters for name in raised[variable]}


def _deep(draft: Draft, graph: Graph, entry: str) -> Iterator[Finding]:
    """Menus that take more than `MENU_DEPTH` menus to come to, by the way with the fewest."""
    depth = {entry: _is_menu(draft, entry)}
    before: dict[str, str | None] = {entry: None}
    waiting = deque([entry])
    while waiting:
        at = waiting.popleft()
        for edge in graph.out(at):
            found = depth[at] + _is_menu(draft, edge.target)
            if found < depth.get(edge.target, found + 1):
                depth[edge.target], before[edge.target] = found, at
                waiting.append(edge.target)
    for name, found in depth.items():
        if found == MENU_DEPTH + 1 and _is_menu(draft, name):
            message = f"this is menu number {found} in a row; callers get lost beyond {MENU_DEPTH}"
            yield Finding("warning", "menu_depth", name, None, message, way(before, name))


def _is_menu(draft: Draft, name: str) -> int:
    return int(draft.nodes[name].type == "menu")
