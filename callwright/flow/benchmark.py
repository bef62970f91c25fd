"""`callwright bench checks`: how long the checks of an upload take, on the machine that it runs on."""

from __future__ import annotations

import time
from typing import Any

import click

SIZES = (500, 1000, 2000)


@click.command()
def checks() -> None:
    """Measure how long the checks of an upload take, for flows of 500, 1000 and 2000 nodes."""
    before: tuple[int, float] | None = None
    for size, seconds in measure():
        ratio = f"  {seconds / before[1]:.1f} times that of {before[0]}" if before else ""
        click.echo(f"{size:>5} nodes  {seconds * 1000:>6.0f} ms{ratio}")
        before = (size, seconds)


def large(size: int) -> dict[str, Any]:
    """A flawless flow of so many nodes: menus that lead on and back, prompts, variables set and read."""
    nodes: dict[str, Any] = {}
    for number in range(size - 2):
        onwards = f"n{number + 1}" if number < size - 3 else "agent"
        nodes[f"n{number}"] = _KINDS[number % 4](number, onwards)
    busy = dict.fromkeys(("finished", "busy", "no_answer", "not_ready"), "bye")
    nodes["agent"] = {"type": "agent", "agent": "alice", "exits": busy}
    nodes["bye"] = {"type": "hangup"}
    return {
        "schema": "callwright/flow/1",
        "id": "large",
        "name": "Large",
        "kind": "inbound",
        "languages": ["en"],
        "entry": "n0",
        "variables": {f"v{number}": {"type": "number"} for number in range(2, 100, 4)},
        "prompts": {"choice": {"en": "large/choice.wav"}},
        "nodes": nodes,
    }


def measure() -> list[tuple[int, float]]:
    """Sizes, and the seconds of this process that each check took; the best of three."""
    import ivr_flows

    found = []
    for size in SIZES:
        document = large(size)
        seconds = []
        for _ in range(3):
            began = time.process_time()
            ivr_flows.check(document)
            seconds.append(time.process_time() - began)
        found.append((size, min(seconds)))
    return found


def _play(number: int, onwards: str) -> dict[str, Any]:
    return {"type": "play", "prompts": ["choice"], "exits": {"done": onwards, "error": onwards}}


def _menu(number: int, onwards: str) -> dict[str, Any]:
    exits = {"on": onwards, "back": f"n{max(0, number - 41)}", "no_input": onwards, "invalid": "bye"}
    return {"type": "menu", "prompts": ["choice"], "keys": {"1": "on", "9": "back"}, "exits": exits}


def _set(number: int, onwards: str) -> dict[str, Any]:
    return {"type": "set", "variables": {f"v{number % 100}": str(number)}, "exits": {"next": onwards}}


def _branch(number: int, onwards: str) -> dict[str, Any]:
    case = {"when": f"v{(number - 1) % 100} > 3", "exit": "more"}
    return {"type": "branch", "cases": [case], "exits": {"more": onwards, "default": onwards}}


_KINDS = (_play, _menu, _set, _branch)
