"""Files that a switch and our processes must both see, under the same paths."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from callwright.doctor.finding import Finding, fail, ok
from callwright.doctor.listening import holder, is_here
from dialplan.xml import TRUNK_CONTEXT
from ivr_flows import library

if TYPE_CHECKING:
    from callwright.doctor.switch import Asked


def sounds(asked: Asked) -> Iterator[Finding]:
    """The prompts that come with callwright, the customer's, and those of the dialplan, as the switch sees them."""
    engine = asked.subject.config.engine
    wanted = {str(library.prompts_dir() / "general" / engine.default_language / "apology.wav"): "prompts of callwright"}
    root = asked.element(f"dialplan context name {TRUNK_CONTEXT}")
    for action in root.iter("action") if root is not None else ():
        path = action.get("data", "")
        if action.get("application") == "playback" and path.startswith("/"):
            wanted[path] = "the dialplan's apology"
    if engine.prompts_dir.is_dir():
        wanted[str(engine.prompts_dir)] = "engine.prompts_dir"
    missing = [path for path in wanted if asked.ask(f"file_exists {path}") != "true"]
    for path in missing:
        advice = "install callwright or share the directory, under the same path on the switch's machine"
        yield fail(f"the switch does not see {path} ({wanted[path]})", advice)
    if not missing:
        yield ok("it sees the prompts")


def recordings(asked: Asked) -> Iterator[Finding]:
    """Whether what lies in our recordings directory lies in the switch's too, and whether it can write there."""
    directory = asked.subject.config.engine.recordings_dir
    if not os.access(directory, os.W_OK | os.X_OK):
        return  # not here, or not ours: the area `configuration` has told
    probe = directory / f".callwright-doctor-{secrets.token_hex(6)}"
    probe.touch()
    try:
        seen = asked.ask(f"file_exists {probe}") == "true"
    finally:
        probe.unlink()
    if not seen:
        advice = "share it under the same path, and let the switch's user read it; else no recording is ever stored"
        yield fail(f"what lies in {directory} here, the switch does not see", advice)
        return
    user = _user_of(asked)
    if user is not None and not may_write(directory, *user):
        advice = f"put both into one group: chgrp GROUP {directory} && chmod 2770 {directory}"
        yield fail(f"the switch runs as user {user[0]} and may not write in {directory}", advice)
    else:
        yield ok(f"it sees {directory}")


def _user_of(asked: Asked) -> tuple[int, set[int]] | None:
    """User and groups of the switch's process; None where it does not run here or is hidden from us."""
    found = holder(asked.switch.port) if is_here(asked.switch.host) else None
    if found is None or not found.pid:
        return None
    try:
        lines = Path(f"/proc/{found.pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    told = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    return int(told["Uid"][1]), {int(told["Gid"][1]), *map(int, told["Groups"])}


def may_write(directory: Path, user: int, groups: set[int]) -> bool:
    """Whether a user of these groups may make files in the directory."""
    if user == 0:
        return True
    found = directory.stat()
    if found.st_uid == user:
        wanted = stat.S_IWUSR | stat.S_IXUSR
    elif found.st_gid in groups:
        wanted = stat.S_IWGRP | stat.S_IXGRP
    else:
        wanted = stat.S_IWOTH | stat.S_IXOTH
    return found.st_mode & wanted == wanted
