"""`callwright bench flow`: what the interpreter of flows costs, a node and a call."""

from __future__ import annotations

import dataclasses
import gc
import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ivr_flows import Flow
    from ivr_flows.program import Program

GOAL_US = 15.0
"""CPU of a node, µs."""
GOAL_MB = 300.0
"""Memory of the whole process with all programs."""
NODES = 500
"""Of one type, one after the other."""
TYPES = ("play", "menu", "branch", "set")


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU of a node of each type, in µs, the median of the rounds; memory with so many programs at once, in MB."""

    node_us: dict[str, float]
    programs: int
    process_mb: float
    program_kb: float

    @property
    def ok(self) -> bool:
        """Whether both goals are met; that of the memory is one for 10,000 programs."""
        return max(self.node_us.values()) <= GOAL_US and self.process_mb < GOAL_MB


@click.command(
    epilog="""\b
Exit codes: 0 measured and both goals met, 1 a goal missed.

\b
Examples:
  callwright bench flow
  callwright bench flow --json > flow.json
"""
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON in place of the table.")
@click.option(
    "--rounds", default=30, show_default=True, type=click.IntRange(1), help="Calls through each; medians count."
)
@click.option(
    "--programs", default=10_000, show_default=True, type=click.IntRange(1), help="Calls at once, for memory."
)
def flow(as_json: bool, rounds: int, programs: int) -> None:
    """Measure the interpreter of flows: CPU of a node, and memory of many calls at once.

    CPU of this process alone, without executing anything: what comes to a node is its share of a call through 500 of
    its type, each of which is answered at once. The memory is that of the whole process, while every program stands at
    a menu.
    """
    measured = measure(rounds, programs)
    if as_json:
        content = dataclasses.asdict(measured)
        click.echo(json.dumps({**content, "goal_us": GOAL_US, "goal_mb": GOAL_MB, "ok": measured.ok}))
    else:
        for name, cpu_us in measured.node_us.items():
            click.echo(
                f"{name:<8} {cpu_us:>7.1f} µs a node   {_judged(cpu_us <= GOAL_US, f'at most {GOAL_US:.0f} µs')}"
            )
        told = f"{measured.process_mb:.0f} MB with {programs} programs, {measured.program_kb:.1f} KB each"
        click.echo(f"memory   {told}   {_judged(measured.process_mb < GOAL_MB, f'under {GOAL_MB:.0f} MB')}")
    sys.exit(0 if measured.ok else 1)


def _judged(met: bool, goal: str) -> str:
    return f"goal {goal}: {click.style('met', fg='green') if met else click.style('missed', fg='red')}"


def measure(rounds: int, programs: int) -> Measured:
    """Measure all. Takes some seconds, and the memory of all programs."""
    node_us = {name: _node_us(chain(name), rounds) for name in TYPES}
    before_kb = _resident_kb()
    held = _standing(chain("menu"), programs)
    after_kb = _resident_kb()
    each_kb = (after_kb - before_kb) / len(held)
    return Measured(node_us, programs, after_kb / 1024, each_kb)


def chain(node_type: str) -> Flow:
    """A flow of so many nodes of a type, one after the other."""
    import ivr_flows

    nodes: dict[str, Any] = {f"n{number}": _node(node_type, f"n{number + 1}") for number in range(NODES)}
    nodes[f"n{NODES}"] = {"type": "hangup"}
    document = {
        "schema": "callwright/flow/1",
        "id": f"bench-{node_type}",
        "name": node_type,
        "kind": "inbound",
        "languages": ["en"],
        "entry": "n0",
        "variables": {"rounds": {"type": "number", "default": 0}},
        "prompts": {"choice": {"en": "bench/choice.wav"}},
        "nodes": nodes,
    }
    return ivr_flows.load_stored(document)


def _node(node_type: str, onwards: str) -> dict[str, Any]:
    match node_type:
        case "play":
            return {"type": "play", "prompts": ["choice"], "exits": {"done": onwards, "error": onwards}}
        case "menu":
            exits = {"one": onwards, "two": onwards, "no_input": onwards, "invalid": onwards}
            return {"type": "menu", "prompts": ["choice"], "keys": {"1": "one", "2": "two"}, "exits": exits}
        case "branch":
            cases = [
                {"when": "rounds > 3 and call.ani != ''", "exit": "many"},
                {"when": "call.did == '+420222333444'", "exit": "ours"},
            ]
            return {"type": "branch", "cases": cases, "exits": dict.fromkeys(("many", "ours", "default"), onwards)}
    return {"type": "set", "variables": {"rounds": "rounds + 1"}, "exits": {"next": onwards}}


def _program(flow: Flow) -> Program:
    from callwright.caller.course import Flows
    from ivr_flows import CallData
    from ivr_flows.program import run

    return run(Flows({flow.id: flow}), flow.id, flow.version, CallData("+420222333444", "+420601234567"))


def _node_us(flow: Flow, rounds: int) -> float:
    from ivr_flows import instructions as do
    from ivr_flows.results import Collected, Done, Played, Reply

    replies = {
        do.Play: Reply(Played(), 1),
        do.Collect: Reply(Collected("1"), 1),
        do.SetAttributes: Reply(Done(), 1),
        do.Hangup: Reply(Done(), 1),
    }
    took = []
    for _ in range(rounds + 1):
        program = _program(flow)
        began = time.process_time_ns()
        step = next(program)
        try:
            while True:
                step = program.send(replies[type(step.instruction)])
        except StopIteration:
            took.append((time.process_time_ns() - began) / 1000 / NODES)
    return statistics.median(took[1:])


def _standing(flow: Flow, programs: int) -> list[Program]:
    """So many programs, each of which has asked for a key and waits."""
    held = [_program(flow) for _ in range(programs)]
    for program in held:
        next(program)
    gc.collect()
    return held


def _resident_kb() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("/proc/self/status has no VmRSS")
