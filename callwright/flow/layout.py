"""Graphviz at work, in a process of its own: it can't be stopped otherwise, and says what it pleases to standard error.

Run as a script with a format and a direction (`auto`, `down`, `right`): the graph comes by standard input in Graphviz's
language, the picture goes to standard output. It imports nothing of callwright, so that it is begun quickly.
"""

from __future__ import annotations

import sys
from typing import Any

WIDEST = 1.8
"""Width by height beyond which the picture is turned, if that helps."""


def drawn(source: str, format: str, direction: str) -> bytes:
    """The picture. Raises what pygraphviz raises."""
    graph = _laid_out(source, "LR" if direction == "right" else "TB")
    if direction == "auto" and (first := _shape(graph)) > WIDEST:
        turned = _laid_out(source, "LR")
        if _shape(turned) < first:
            graph = turned
    content = graph.draw(format=format)
    if not isinstance(content, bytes):
        raise ValueError(f"nothing was drawn as {format}")
    return content


def _laid_out(source: str, rankdir: str) -> Any:
    import pygraphviz  # type: ignore[import-untyped]

    graph = pygraphviz.AGraph(string=source)
    graph.graph_attr["rankdir"] = rankdir
    graph.layout("dot")
    return graph


def _shape(graph: Any) -> float:
    """Width by height of what was laid out."""
    left, lower, right, upper = (float(number) for number in str(graph.graph_attr["bb"]).split(","))
    return (right - left) / max(1.0, upper - lower)


if __name__ == "__main__":
    sys.stdout.buffer.write(drawn(sys.stdin.buffer.read().decode(), *sys.argv[1:]))
