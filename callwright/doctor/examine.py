"""Runs the areas side by side, and keeps what they find together with how long each took."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from callwright.doctor import (
    clocks,
    configuration,
    database,
    disk,
    listening,
    machine,
    processes,
    redis_server,
    speech,
    storage,
    switch,
)
from callwright.doctor.finding import Area, Finding, Subject, fail, unfinished

AREAS: Mapping[str, Area] = {
    "machine": machine.examine,
    "configuration": configuration.examine,
    "disk": disk.examine,
    "speech": speech.examine,
    "ports": listening.examine,
    "database": database.examine,
    "redis": redis_server.examine,
    "storage": storage.examine,
    "clocks": clocks.examine,
    "processes": processes.examine,
}
"""What there is but once. The area "switch" is there once for each switch."""
DEADLINE_S = 20.0
"""How long an area may take. Whatever it asks has deadlines of its own far below."""


@dataclass
class Examined:
    """One area's findings."""

    area: str
    findings: list[Finding] = field(default_factory=list)
    took_s: float = 0.0


def examine(subject: Subject, only: Iterable[str] = (), deadline_s: float = DEADLINE_S) -> list[Examined]:
    """All areas, or those named; in their order, whatever was ready first."""
    wanted = {name: area for name, area in _areas(subject).items() if not only or name.split()[0] in set(only)}
    found = [Examined(name) for name in wanted]
    # daemons: a thread that hangs in a library must not keep the program from ending
    threads = [
        threading.Thread(target=_run, args=(area, subject, examined), daemon=True)
        for area, examined in zip(wanted.values(), found, strict=True)
    ]
    deadline = time.monotonic() + deadline_s
    for thread in threads:
        thread.start()
    done = []
    for thread, examined in zip(threads, found, strict=True):
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            late = fail(f"not finished after {deadline_s:g} s", "see above how far it came; what it asks hangs")
            examined = Examined(examined.area, [*examined.findings, late], deadline_s)
        done.append(examined)
    return [each for each in done if each.findings]


def _areas(subject: Subject) -> dict[str, Area]:
    areas = dict(AREAS)
    for each in subject.config.switches:
        areas[f"switch {each.name}"] = partial(switch.examine, switch=each)
    return areas


def _run(area: Area, subject: Subject, examined: Examined) -> None:
    began = time.monotonic()
    try:
        for finding in area(subject):
            examined.findings.append(finding)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other areas go on
        examined.findings.append(unfinished(error))
    examined.took_s = time.monotonic() - began
