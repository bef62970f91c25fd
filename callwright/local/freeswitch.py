"""A real FreeSWITCH as a child process, on the same rendered directory as the lab switch."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from callwright.local import event_socket
from callwright.local.process import Process
from dialplan.render import switch_arguments
from dialplan.settings import RenderSettings


class FreeSwitchMissing(Exception):
    """No FreeSWITCH is installed."""


def find(env: Mapping[str, str] = os.environ) -> Path | None:
    """The program: FREESWITCH_BIN, else `freeswitch` on the PATH. None where there is none."""
    named = env.get("FREESWITCH_BIN")
    found = shutil.which(named or "freeswitch", path=env.get("PATH"))
    return Path(found) if found else None


def launch_freeswitch(settings: RenderSettings, conf_dir: Path, log_dir: Path) -> Process:
    """Start FreeSWITCH in the foreground. Raises FreeSwitchMissing."""
    program = find()
    if program is None:
        raise FreeSwitchMissing("no FreeSWITCH here: set FREESWITCH_BIN or put freeswitch on the PATH")
    for directory in (settings.log_dir, settings.db_dir, settings.run_dir, settings.recordings_dir):
        Path(directory).mkdir(parents=True, exist_ok=True)
    return Process("freeswitch", [program, *switch_arguments(settings, conf_dir)], log=log_dir / "freeswitch.log")


def launch_lab(settings: RenderSettings, conf_dir: Path, log_dir: Path) -> Process:
    """Start the lab switch."""
    state = Path(settings.run_dir)
    state.mkdir(parents=True, exist_ok=True)
    Path(settings.recordings_dir).mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "labswitch", "--conf", conf_dir, "--state", state]
    return Process("lab", list(map(str, command)), log=log_dir / "lab.log")


def is_up(settings: RenderSettings) -> bool:
    """Whether the switch takes commands and calls."""
    socket = settings.event_socket
    return event_socket.up(socket.port, socket.password, (settings.sip_external.port, settings.sip_internal.port))


def hang_up_all(settings: RenderSettings) -> None:
    """End every call of the switch; a switch that is gone has none."""
    at = settings.event_socket
    with contextlib.suppress(OSError, event_socket.Refused):
        event_socket.ask(at.ip, at.port, at.password, "fsctl hupall")
