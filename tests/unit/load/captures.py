"""What SIPp 3.6.1 wrote in real runs, called with callwright's arguments: `captured/<run>/`.

good: 12 calls that went well · busy: 4 refused with 486 · timeout: 3 that rang for ever · nobody: 2 without any answer
· cut_off: 11 that were still talking when SIPp was told twice to stop, its counts older than its messages
"""

from __future__ import annotations

from pathlib import Path

from callwright.load import trace
from callwright.load.plan import Plan, Target
from callwright.load.results import Cpu, Records, Results
from callwright.load.sipp import Outcome

DIRECTORY = Path(__file__).parent / "captured"
RUNS = ("good", "busy", "timeout", "nobody", "cut_off")


def calls(run: str) -> list[trace.Call]:
    with (DIRECTORY / run / "messages.csv").open(encoding="utf-8") as lines:
        return trace.calls(lines)


def failures(run: str) -> dict[str, trace.Failure]:
    errors = DIRECTORY / run / "errors.txt"
    return trace.failures(errors.read_text(encoding="utf-8") if errors.exists() else "")


def counters(run: str) -> trace.Counters:
    lines = (DIRECTORY / run / "stats.csv").read_text(encoding="utf-8").splitlines()
    return trace.Counters.read(lines[0], lines[-1])


def results(run: str, plan: Plan | None = None, records: Records | None = None, cpu_s: float = 0.1) -> Results:
    found = calls(run)
    outcome = Outcome(found, failures(run), counters(run), cpu_s, found[0].began_s, 10.0, interrupted=False)
    return Results(Target("127.0.0.1", 5060, "100"), None, plan or Plan(), outcome, Cpu(None, 0.5), records)
