"""Says at the end of a run what was not run and why: a skip is never silent."""

from __future__ import annotations

import collections

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each reason."""
    reasons: collections.Counter[str] = collections.Counter()
    for report in terminalreporter.stats.get("skipped", []):
        place = report.longrepr
        reason = place[2] if isinstance(place, tuple) else str(place)
        reasons[reason.removeprefix("Skipped: ")] += 1
    deselected = len(terminalreporter.stats.get("deselected", []))
    if not reasons and not deselected:
        return
    terminalreporter.section("left out")
    lines = [f"{count} {'test' if count == 1 else 'tests'}: {reason}" for reason, count in reasons.items()]
    for line in sorted(lines):
        terminalreporter.line(line)
    if deselected:
        terminalreporter.line(f"{deselected} {'test' if deselected == 1 else 'tests'}: deselected on the command line")
