"""The state machine's picture and table of docs/queues-agents.md, from the table that it works by."""

from __future__ import annotations

from engine.acd.states import TRANSITIONS
from engine.domain.acd import AgentState

BEGIN = "<!-- agents' states: begin -->"
END = "<!-- agents' states: end -->"


def states_page() -> str:
    """A Mermaid diagram of what changes the state, and a table of all that may happen, in Markdown."""
    return f"```mermaid\n{_diagram()}\n```\n\n{_table()}"


def _diagram() -> str:
    lines = ["stateDiagram-v2", "    [*] --> logged_out"]
    for start in AgentState:
        for end in AgentState:
            names = [
                each.name for each in TRANSITIONS.values() if start is not end and end in each.moves.get(start, ())
            ]
            if names:
                lines.append(f"    {start} --> {end} : {', '.join(names)}")
    return "\n".join(lines)


def _table() -> str:
    lines = [f"| | {' | '.join(AgentState)} |", f"|---|{'---|' * len(AgentState)}"]
    for each in TRANSITIONS.values():
        cells = [_cell(start, each.moves.get(start, ())) for start in AgentState]
        lines.append(f"| `{each.name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(start: AgentState, ends: tuple[AgentState, ...]) -> str:
    if not ends:
        return "–"
    return ", ".join("stays" if end is start else str(end) for end in ends)
