"""`callwright up` as a person runs it: up, Ctrl-C, a process that dies, a kill."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callwright.client import Client
from callwright.local.service import Home
from labswitch.phone import Phone

UP_WITHIN_S = 90.0
CALL_WITHIN_S = 15.0
CALLER = "+420602999999"


class Up:
    """A running `callwright up`."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.lines: list[str] = []
        env = {name: value for name, value in os.environ.items() if not name.startswith("CALLWRIGHT_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "callwright", "up", "--state-dir", str(state)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=env | {"COLUMNS": "80"},
            cwd=state.parent,
        )

    def read_until(self, beginning: str) -> None:
        """Read lines until one begins so. The watchdog ends a process that says nothing, and with it the reading."""
        watchdog = threading.Timer(UP_WITHIN_S, self.process.kill)
        watchdog.start()
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith(beginning):
                break
        watchdog.cancel()
        assert self.lines[-1].startswith(beginning), "\n".join(self.lines)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.rest()

    def rest(self) -> int:
        """Read what is left; the exit code."""
        output, _ = self.process.communicate(timeout=UP_WITHIN_S)
        self.lines += output.splitlines()
        return self.process.returncode

    def value(self, label: str) -> str:
        """What the table has in the row."""
        return next(line.removeprefix(label).strip() for line in self.lines if line.startswith(label))

    def record_of(self, caller: str) -> dict[str, Any]:
        """The record of the caller's call, once it is there."""
        url, _, key = self.value("API").split()
        deadline = time.monotonic() + CALL_WITHIN_S
        while not (listed := Client(url, key).get("/calls", caller=caller)["calls"]):
            assert time.monotonic() < deadline, "no record"
            time.sleep(0.1)  # the API tells nobody that a record has come
        found: dict[str, Any]
        (found,) = listed
        return found

    def children(self, module: str) -> list[int]:
        """The processes of this run that execute a module of ours."""
        found = []
        for directory in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                command = (directory / "cmdline").read_bytes().decode().split("\0")
                if module in command and any(part.startswith(str(self.state)) for part in command):
                    found.append(int(directory.name))
        return found


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    running = Up(tmp_path / "state")
    yield running
    if running.process.poll() is None:
        running.end(signal.SIGTERM)
    running.process.communicate()


def nothing_is_left(state: Path) -> bool:
    """Every lock can be taken: the processes that inherited them are gone. Raises StateInUse after a while."""
    for directory in (state, state / "postgres", state / "valkey", state / "s3"):
        Home(directory).close()
    return True


def test_it_runs_until_ctrl_c(up: Up) -> None:
    up.read_until("logs ")
    url, _, key = up.value("API").split()
    assert Client(url, key).get("/agents")["agents"][0]["id"] == "alice"
    assert up.value("call").startswith("sip:+420")
    assert up.value("phone 1001").startswith("user alice, password ")
    assert Path(up.value("logs"), "engine-1.log").exists()
    assert up.end(signal.SIGINT) == 0
    assert up.lines[-1] == "stopping"
    assert nothing_is_left(up.state)


@pytest.mark.req("R124")
def test_an_engine_that_dies_is_started_again_and_its_call_goes_on(up: Up) -> None:
    up.read_until("logs ")
    number, _, address = up.value("call").split()[0].removeprefix("sip:").partition("@")
    host, _, port = address.partition(":")
    phone = Phone(CALLER, domain="trunk.invalid")
    call = phone.call(number, to=(host, int(port)))
    call.wait_heard_any(CALL_WITHIN_S)
    (first,) = up.children("callwright.engine_process")
    os.kill(first, signal.SIGKILL)
    up.read_until("engine-1 is back")
    assert up.lines[-2] == "engine-1 died; starting it again"
    (second,) = up.children("callwright.engine_process")
    assert second != first
    call.skip_heard()
    call.wait_heard_silence(CALL_WITHIN_S, 0.5)
    call.wait_heard_any(CALL_WITHIN_S)  # the engine that is back goes on
    call.hangup()
    phone.close()
    assert up.record_of(CALLER)["resumed"] >= 1
    assert up.end(signal.SIGINT) == 0
    assert nothing_is_left(up.state)


def test_a_process_that_dies_is_named_and_the_rest_stopped(up: Up) -> None:
    up.read_until("logs ")
    for switch in up.children("labswitch"):
        os.kill(switch, signal.SIGKILL)
    assert up.rest() == 1
    output = "\n".join(up.lines)
    assert "died; stopping the rest" in output
    assert "was ended by SIGKILL; " in output
