"""What the local services have in common: a directory that only one run uses at a time, kept secrets, kept ports."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from callwright.local.ports import claim, take
from callwright.local.process import Process

STRAGGLERS_S = 15
"""How long processes of a killed run may take to end before their directory counts as in use."""


class StateInUse(Exception):
    """Another run uses the directory."""


@dataclass
class Service:
    """A running service. `url` is what a client connects to, password included: not for logs."""

    name: str
    url: str = field(repr=False)
    process: Process
    home: Home = field(repr=False)
    ready: Callable[[], bool] = field(repr=False)

    def await_ready(self) -> None:
        """Wait until it can be used; stop it when that fails. Raises ProcessFailed."""
        try:
            self.process.wait_ready(self.ready)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it. Once stopped it stays stopped."""
        self.process.stop()
        self.home.close()


class Home:
    """A service's directory, locked. The lock is inherited by the service's processes.

    So it tells whether any process of an earlier run still lives, which no pid file can after a SIGKILL.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory.absolute()
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.lock = _lock(self.path)

    def close(self) -> None:
        """Let others use the directory. The service must have ended."""
        with contextlib.suppress(OSError):
            os.truncate(self.lock, 0)  # whoever comes next is to wait for our last processes, not to refuse
            os.close(self.lock)

    def secret(self, name: str) -> str:
        """A password that is made once and kept, readable by its owner only."""
        file = self.path / name
        if not file.exists():
            fresh = self.path / f".{name}.new"
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_hex(16) + "\n", encoding="ascii")
            fresh.rename(file)
        return file.read_text(encoding="ascii").strip()

    def ports(self, names: Sequence[str]) -> dict[str, int]:
        """A port for each name: the same as last time where they are free, so that addresses last over a restart."""
        file = self.path / "ports.json"
        kept: dict[str, int] = {}
        with contextlib.suppress(OSError, ValueError):
            kept = json.loads(file.read_text(encoding="ascii"))
        if set(kept) != set(names) or not all(claim(port) for port in kept.values()):
            kept = {name: take() for name in names}
            file.write_text(json.dumps(kept), encoding="ascii")
        return kept


def running_in(directory: Path) -> bool:
    """Whether the process that locked the directory lives."""
    try:
        owner = (directory / "lock").read_text(encoding="ascii").strip()
    except OSError:
        return False
    return _lives(owner)


def _lives(owner: str) -> bool:
    return owner.isdigit() and Path(f"/proc/{owner}").exists()


def _lock(directory: Path) -> int:
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + STRAGGLERS_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            owner = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
            alive = _lives(owner)
            if alive or time.monotonic() > deadline:
                os.close(lock)
                who = f"process {owner}" if alive else "processes of an earlier run that do not end"
                raise StateInUse(f"{directory} is in use by {who}") from None
            time.sleep(0.05)  # a lock's release cannot be waited for with a deadline
    os.truncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode("ascii"), 0)
    return lock
