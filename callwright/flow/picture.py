"""A flow as a picture: what is drawn, in Graphviz's language, and the drawing itself.

Exits that lead from one node to the same other one share an edge. The ends to which many ways lead are drawn anew for
each of them, with the same name, so that the picture isn't pulled together there.
"""

from __future__ import annotations

import html
import re
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from callwright.flow import layout
from ivr_flows import Finding, verify
from ivr_flows.draft import Draft, DraftNode, draft
from ivr_flows.migration import NewerFormat, migrate
from ivr_flows.node import REGISTRY

Direction = Literal["auto", "down", "right"]
Attributes = dict[str, str]

FONT = "DejaVu Sans,Verdana,Helvetica,sans-serif"
INK, RED, GREY = "#1f2933", "#c81e1e", "#5f6b7a"
LINE = 22
"""Characters of a line in a node."""
MANY = 3
"""Ways to one end from which on it is drawn more than once."""
PATIENCE_S = 30.0
"""For Graphviz: an ordinary flow takes less than a second, a knot of a thousand nodes minutes or hours."""

_SPEAKS = {"shape": "box", "style": "rounded,filled", "fillcolor": "#dbeafe", "color": "#3b6fb6"}
_ASKS = {"shape": "octagon", "style": "filled", "fillcolor": "#fef3c7", "color": "#b7791f"}
_DECIDES = {"shape": "hexagon", "margin": "0.02,0.05", "style": "filled", "fillcolor": "#ede9fe", "color": "#6d5bb5"}
_PEOPLE = {"shape": "ellipse", "style": "filled", "fillcolor": "#d9f2e3", "color": "#2f855a"}
_LEADS_AWAY = {"shape": "house", "orientation": "270", "margin": "0.02,0.05", "style": "filled"}
_LEADS_AWAY |= {"fillcolor": "#e5e9f0", "color": INK}
_ENDS = {"shape": "box", "style": "rounded,filled", "peripheries": "2", "fillcolor": "#e5e9f0", "color": INK}
_DOES = {"shape": "box", "style": "filled", "fillcolor": "#f3f4f6", "color": GREY}
_UNKNOWN = {"shape": "box", "style": "dashed,filled", "fillcolor": "#fdecec", "color": RED}

_ENTRY = {"shape": "circle", "style": "filled", "fillcolor": INK, "label": "", "tooltip": "entry"}
_ENTRY |= {"width": "0.18", "height": "0.18", "fixedsize": "true"}

_LOOKS: dict[str, Attributes] = {
    **dict.fromkeys(("play", "say", "tts"), _SPEAKS),
    **dict.fromkeys(("menu", "collect", "survey"), _ASKS),
    **dict.fromkeys(("branch", "schedule", "notice", "lookup", "split", "counter", "queue_stats", "amd"), _DECIDES),
    **dict.fromkeys(("agent", "dial", "queue", "callback", "voicemail", "conference"), _PEOPLE),
    **dict.fromkeys(("goto_flow", "call_flow"), _LEADS_AWAY),
}

_DETAILS = ("agent", "number", "queue", "calendar", "flow", "trunk", "variable", "url", "reason")
"""Fields of which the first that a node has stands below its type."""


class DrawingFailed(Exception):
    """The picture can't be drawn; the message says why and how to mend it."""


@dataclass(slots=True)
class Picture:
    """Nodes and edges with Graphviz's attributes; `findings` go above the picture."""

    title: str
    nodes: dict[str, Attributes] = field(default_factory=dict)
    edges: list[tuple[str, str, Attributes]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def draw(document: Mapping[str, Any]) -> Picture:
    """What is to be seen of a flow, mistakes and all. Raises `DrawingFailed` where there is nothing to be drawn."""
    try:
        made = draft(migrate(document))
    except NewerFormat as newer:
        raise DrawingFailed(str(newer)) from None
    if not made.nodes:
        raise DrawingFailed("the document has no nodes that could be drawn")
    report = verify.check(made)
    return _Artist(made, report.findings).picture()


class _Artist:
    def __init__(self, made: Draft, findings: tuple[Finding, ...]) -> None:
        self._made = made
        self._findings = findings
        self._picture = Picture(str(made.parts.get("name", "")))
        ways = Counter(target for each in made.nodes.values() for target in set(each.exits.values()))
        self._copied = {each.id for each in made.nodes.values() if _is_end(each) and ways[each.id] > MANY}
        self._red_ways = {
            pair
            for finding in findings
            if finding.path and finding.path[-1] in finding.path[:-1]
            for pair in zip(finding.path, finding.path[1:], strict=False)
            if finding.path.index(pair[0]) >= finding.path.index(finding.path[-1])
        }

    def picture(self) -> Picture:
        for number, finding in enumerate(self._findings, 1):
            self._picture.findings.append(
                f"{number}. {finding.severity}: {_where(finding)}{finding.message.splitlines()[0]}"
            )
        for each in self._made.nodes.values():
            if each.id not in self._copied:
                self._picture.nodes[_name(each.id)] = self._look(each)
        for each in self._made.nodes.values():
            self._ways(each)
        entry = self._made.parts.get("entry")
        if entry in self._made.nodes:
            self._picture.nodes["(entry)"] = dict(_ENTRY)
            self._picture.edges.append(("(entry)", self._end(str(entry), "(entry)"), {"penwidth": "2", "weight": "10"}))
        return self._picture

    def _look(self, each: DraftNode) -> Attributes:
        numbers = [str(n) for n, found in enumerate(self._findings, 1) if found.node == each.id]
        errors = [found for found in self._findings if found.node == each.id and found.severity == "error"]
        look = dict(_ENDS if _is_end(each) and each.type != "goto_flow" else _LOOKS.get(each.type, _DOES))
        if each.type not in REGISTRY:
            look = dict(_UNKNOWN)
        look["label"] = _label(each, numbers)
        look["tooltip"] = "\n".join(str(found) for found in self._findings if found.node == each.id) or _name(each.id)
        if errors:
            look |= {"color": RED, "penwidth": "2.5"}
        return look

    def _ways(self, each: DraftNode) -> None:
        by_target: dict[str, list[str]] = {}
        for exit_name, target in each.exits.items():
            by_target.setdefault(target, []).append(exit_name)
        keys = _keys(each)
        for target, names in by_target.items():
            label = [f"{keys[name]} {_name(name)}" if name in keys else _name(name) for name in names]
            look = {"label": "".join(f" {line} \\n" for line in _joined(label, 18))}
            if target not in self._made.nodes:
                self._picture.nodes[f"?{_name(target)}"] = {
                    **_UNKNOWN,
                    "label": f"{_wrapped(_name(target), LINE)}\n(doesn't exist)",
                }
                look |= {"color": RED, "fontcolor": RED}
            elif (each.id, target) in self._red_ways:
                look |= {"color": RED, "fontcolor": RED, "penwidth": "2.5"}
            self._picture.edges.append((_name(each.id), self._end(target, each.id), look))
        missing = [
            (found.field or "").removeprefix("exits.")
            for found in self._findings
            if found.node == each.id and found.code == "missing_exit"
        ]
        for name in missing:
            nowhere = f"?{_name(each.id)}.{_name(name)}"
            self._picture.nodes[nowhere] = {**_UNKNOWN, "label": "not wired"}
            self._picture.edges.append(
                (_name(each.id), nowhere, {"label": f" {name} ", "color": RED, "fontcolor": RED})
            )

    def _end(self, target: str, source: str) -> str:
        """The node to draw an edge to: of an end with many ways to it, the copy for this source."""
        if target not in self._made.nodes:
            return f"?{_name(target)}"
        if target not in self._copied:
            return _name(target)
        copy = f"{_name(source)} > {_name(target)}"
        self._picture.nodes.setdefault(copy, self._look(self._made.nodes[target]))
        return copy


def _name(word: str) -> str:
    """A name as Graphviz and the picture's readers can take it."""
    return word if word.isprintable() else repr(word)


def _is_end(each: DraftNode) -> bool:
    return each.type in REGISTRY and REGISTRY[each.type].ENDS


def _where(finding: Finding) -> str:
    return f"{finding.node}: " if finding.node else f"{finding.field}: " if finding.field else ""


def _keys(each: DraftNode) -> dict[str, str]:
    """For each exit that is taken by a key, the key."""
    keys = getattr(each.node, "keys", None)
    return {exit_name: key for key, exit_name in keys.items()} if isinstance(keys, Mapping) else {}


def _label(each: DraftNode, numbers: list[str]) -> str:
    """The node's id, its type with a detail, and the numbers of its findings, as Graphviz's HTML."""
    lines = [f"<b>{_markup(line)}</b>" for line in _lines(each.id, LINE)]
    detail = next((getattr(each.node, name, None) for name in _DETAILS if getattr(each.node, name, None)), None)
    small = f"{each.type}: {detail}" if isinstance(detail, str) else each.type
    lines += [f'<font point-size="9" color="{GREY}">{_markup(line)}</font>' for line in _lines(small, LINE + 6)[:3]]
    if numbers:
        shown = ", ".join(numbers[:6]) + (", …" if len(numbers) > 6 else "")
        lines.append(f'<font point-size="9" color="{RED}"><b>finding {shown}</b></font>')
    return f"<{'<br/>'.join(lines)}>"


def _markup(text: str) -> str:
    return html.escape("".join(each if each.isprintable() else "\ufffd" for each in text)) or " "


def _joined(names: list[str], width: int) -> list[str]:
    """Names after each other, in lines that are broken between them."""
    lines: list[str] = []
    for number, name in enumerate(names):
        shown = name if number == len(names) - 1 else f"{name},"
        if lines and len(lines[-1]) + len(shown) < width:
            lines[-1] += f" {shown}"
        else:
            lines.append(shown)
    return lines


def _wrapped(text: str, width: int) -> str:
    return "\n".join(_lines(text, width))


def _lines(text: str, width: int) -> list[str]:
    """The text in lines, broken at blanks and behind '-' and '_', within words only where nothing else helps."""
    parts = [part for part in re.split(r"(?<=[-_ ])", text) if part]
    lines = [""]
    for part in parts:
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return [piece for line in lines for piece in textwrap.wrap(line, width, break_on_hyphens=False) or [""]]


def render(picture: Picture, format: str, direction: Direction = "auto", patience_s: float = PATIENCE_S) -> bytes:
    """The picture as `svg` or `png`, or as `dot`: then it isn't laid out. Raises `DrawingFailed`."""
    try:
        import pygraphviz  # type: ignore[import-untyped]
    except ImportError as error:
        raise DrawingFailed(
            f"drawing needs Graphviz, which isn't installed here: pip install 'callwright[draw]' ({error})"
        ) from None
    source = str(_graph(pygraphviz, picture, "LR" if direction == "right" else "TB").to_string()).encode()
    if format == "dot":
        return source
    command = [sys.executable, "-P", layout.__file__, format, direction]
    try:
        done = subprocess.run(command, input=source, capture_output=True, timeout=patience_s)
    except subprocess.TimeoutExpired:
        raise DrawingFailed(
            f"Graphviz has not laid out {len(picture.nodes)} nodes and {len(picture.edges)} edges in {patience_s:g} s; "
            "write it as .dot, which needs no layout, and draw that with one for large graphs: "
            "sfdp -Goverlap=prism -Tsvg"
        ) from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise DrawingFailed(f"Graphviz can't draw this: {said[-2000:] or f'it ended with {done.returncode}'}")
    return done.stdout


def _graph(pygraphviz: Any, picture: Picture, rankdir: str) -> Any:
    title = f"<b>{_markup(picture.title)}</b>"
    findings = "".join(
        f'<br align="left"/><font color="{RED}">{line}</font>'
        for told in picture.findings
        for line in map(_markup, textwrap.wrap(told, 110))
    )
    graph = pygraphviz.AGraph(strict=False, directed=True, rankdir=rankdir, fontname=FONT, fontsize="12")
    graph.graph_attr.update(
        label=f"<{title}{findings}<br align=\"left\"/>>",
        labelloc="t", labeljust="l", fontcolor=INK, bgcolor="white", pad="0.3", nodesep="0.35", ranksep="0.45",
    )  # fmt: skip
    graph.node_attr.update(
        fontname=FONT, fontsize="11", fontcolor=INK, margin="0.14,0.07", penwidth="1.3", height="0.4"
    )
    graph.edge_attr.update(fontname=FONT, fontsize="9", fontcolor=INK, color=GREY, arrowsize="0.7")
    for name, attributes in picture.nodes.items():
        graph.add_node(name, **attributes)
    for source, target, attributes in picture.edges:
        graph.add_edge(source, target, **attributes)
    return graph
