"""A child process with its log: started, awaited until it is ready, watched, stopped, and never left behind.

Every child is started through `setpriv --pdeathsig`: the kernel signals it when the thread that started it dies, even
by SIGKILL. So start processes from a thread that lives as long as they shall. Each child has a process group of its
own: Ctrl-C in a terminal reaches us alone, and we stop the children in order.

Errors:
    ProcessFailed
    ├── ProcessDied     it ended; `tail` holds the last lines of its log
    └── NotReady        it lives, but did not become ready in time
"""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

POLL_S = 0.02
"""How often a service that does not announce it is asked whether it is ready. Its death is noticed at once."""


class ProcessFailed(Exception):
    """A process did not do what it was started for."""

    def __init__(self, name: str, words: str, tail: str) -> None:
        super().__init__(f"{name} {words}" + (f"; the end of its log:\n{tail}" if tail else "; its log is empty"))
        self.name = name
        self.tail = tail


class ProcessDied(ProcessFailed):
    """The process ended though it should not have."""


class NotReady(ProcessFailed):
    """The process lives but did not become ready in time."""


class Process:
    """One child process. `log` is appended to; `stop_signal` asks it to end, `death_signal` is sent if we die.

    `env` is its whole environment (ours where it is None), `inherit` what it keeps open of our descriptors.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        death_signal: signal.Signals = signal.SIGKILL,
        stop_timeout_s: float = 15,
        inherit: Sequence[int] = (),
        as_user: pwd.struct_passwd | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self.stop_signal = stop_signal
        self.stop_timeout_s = stop_timeout_s
        self.stopping = False
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._log_begins = output.tell()
            self.popen = subprocess.Popen(
                [*guard(death_signal, as_user), *map(str, argv)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                pass_fds=tuple(inherit),
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.popen.pid

    def running(self) -> bool:
        """Whether it lives."""
        return self.popen.poll() is None

    def wait_ready(self, ready: Callable[[], bool], timeout_s: float = 30) -> None:
        """Wait until `ready()`. Raises ProcessDied at once when the process ends, NotReady when the time is over."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(POLL_S)
            self.check()
            if time.monotonic() > deadline:
                raise NotReady(self.name, f"was not ready after {timeout_s:g} s", self.tail())

    def check(self) -> None:
        """Raise ProcessDied when the process has ended without having been told to."""
        if not self.running() and not self.stopping:
            raise ProcessDied(self.name, ended(self.popen.returncode), self.tail())

    def stop(self) -> None:
        """Ask the process to end and wait for it; kill it, and what is left of its group, when it does not."""
        self.ask_to_stop()
        if self.running():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(self.stop_timeout_s)
        self.kill()

    def ask_to_stop(self) -> None:
        """Ask the process to end, once: to some a second request means to end at once."""
        if not self.stopping and self.running():
            self.popen.send_signal(self.stop_signal)
        self.stopping = True

    def kill(self) -> None:
        """SIGKILL for the process and its group."""
        self.stopping = True
        # The group's number is the leader's: it cannot go to another process while a member is left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def tail(self, lines: int = 20) -> str:
        """The last lines that this run wrote into its log."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(self._log_begins, file.seek(0, os.SEEK_END) - 16384))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])


def ended(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def guard(death_signal: signal.Signals, as_user: pwd.struct_passwd | None = None) -> list[str]:
    """What stands before a command so that the child dies with us, and is not root where `as_user` is given.

    A user who is not root may not reach our files (a home directory that is closed to others); the capability lets it,
    without a change of anybody's permissions.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        if as_user is not None:
            raise FileNotFoundError("setpriv (package util-linux) is needed to run PostgreSQL as root")
        return []
    command = [setpriv, "--pdeathsig", death_signal.name.removeprefix("SIG")]
    if as_user is not None:
        command += ["--reuid", str(as_user.pw_uid), "--regid", str(as_user.pw_gid), "--clear-groups"]
        command += ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]
    return [*command, "--"]


def wait_for_exit(processes: Sequence[Process], timeout_s: float | None = None) -> Process | None:
    """Wait until one of the processes ends, which is returned; None when the time is over."""
    poll = select.poll()
    watched: dict[int, Process] = {}
    try:
        for process in processes:
            if not process.running():
                return process
            descriptor = os.pidfd_open(process.pid)
            watched[descriptor] = process
            poll.register(descriptor, select.POLLIN)
        for descriptor, _ in poll.poll(None if timeout_s is None else timeout_s * 1000):
            watched[descriptor].popen.wait()
            return watched[descriptor]
        return None
    finally:
        for descriptor in watched:
            os.close(descriptor)
