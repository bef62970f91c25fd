"""A real FreeSWITCH on a rendered directory, and an engine that is a few lines of Python."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from dialplan.render import render, switch_arguments
from dialplan.settings import Agent, EventSocket, NumberFallback, RenderSettings, Rtp, SipListen, Trunk
from freeswitch_conf import template_dir

PASSWORD = "a-password-of-tests"
AGENT_PASSWORD = "desk-phone-secret"
DOMAIN = "test.example"


def program() -> str | None:
    """Path of FreeSWITCH: FREESWITCH_BIN, else `freeswitch` on the PATH; None where there is none."""
    return shutil.which(os.environ.get("FREESWITCH_BIN") or "freeswitch")


def free_port() -> int:
    """A port of 127.0.0.1 that is free for UDP and TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            port: int = udp.getsockname()[1]
            try:
                tcp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def settings_in(base: Path, **changes: Any) -> RenderSettings:
    """Settings of a node whose state lies in `base`, on free ports of 127.0.0.1."""
    values: dict[str, Any] = {
        "engines": (f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"),
        "event_socket": EventSocket(PASSWORD, port=free_port()),
        "sip_external": SipListen("127.0.0.1", free_port()),
        "sip_internal": SipListen("127.0.0.1", free_port()),
        "rtp": Rtp("127.0.0.1", 24000, 24400),
        "domain": DOMAIN,
        "agents": (Agent("jana", AGENT_PASSWORD, "Jana Nováková"), Agent("petr", AGENT_PASSWORD)),
        "trunks": (Trunk("operator", f"127.0.0.1:{free_port()}"),),
        "fallbacks": (NumberFallback("+420221234199", "+420601000000"),),
        "recordings_dir": str(base / "recordings"),
        "prompts_dir": str(base / "prompts"),
        "log_dir": str(base / "log"),
        "db_dir": str(base / "db"),
        "run_dir": str(base / "run"),
        "fallback_prompt": "missing.wav",
        "max_sessions": 100,
        "pauses_ms": (100, 200),
        "ping_phones": False,
        "switch_name": "switch-1",
    }
    return RenderSettings(**(values | changes))


@dataclass
class RealSwitch:
    """A running switch."""

    settings: RenderSettings
    process: subprocess.Popen[bytes]

    def api(self, command: str) -> str:
        """The answer to one command of the control connection."""
        with Wire.open(self.settings.event_socket.port) as wire:
            wire.read()
            wire.command(f"auth {self.settings.event_socket.password}")
            return wire.command(f"api {command}")[1].strip()

    def log(self) -> str:
        """The log file so far."""
        return (Path(self.settings.log_dir) / "freeswitch.log").read_text(errors="replace")


@contextmanager
def running(settings: RenderSettings, base: Path) -> Iterator[RealSwitch]:
    """Renders, starts, waits until calls are taken (20 s at most), and ends the process that it started."""
    binary = program()
    assert binary is not None
    render(settings, template_dir(), base / "conf")
    for directory in (
        settings.recordings_dir,
        settings.prompts_dir,
        settings.log_dir,
        settings.db_dir,
        settings.run_dir,
    ):
        Path(directory).mkdir(parents=True, exist_ok=True)
    with (base / "output.txt").open("wb") as output:
        command = [binary, *switch_arguments(settings, base / "conf")]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        switch = RealSwitch(settings, process)
        _wait_until_up(switch, base)
        yield switch
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _wait_until_up(switch: RealSwitch, base: Path) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if switch.process.poll() is not None:
            break
        try:
            if switch.api("sofia status").count("RUNNING") >= 2:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"FreeSWITCH did not come up: {(base / 'output.txt').read_text(errors='replace')[-2000:]}")


class Wire:
    """One event-socket connection, either side."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.connection.settimeout(10)
        self.file = connection.makefile("rb")

    @classmethod
    @contextmanager
    def open(cls, port: int) -> Iterator[Wire]:
        """A connection to the switch."""
        wire = cls(socket.create_connection(("127.0.0.1", port), 5))
        try:
            yield wire
        finally:
            wire.close()

    def read(self) -> tuple[dict[str, str], str]:
        """The next frame: headers decoded one by one, and the body. Empty at the end of the connection."""
        headers: dict[str, str] = {}
        while line := self.file.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            headers[name] = unquote(value)
        return headers, self.file.read(int(headers.get("Content-Length", 0))).decode()

    def command(self, text: str) -> tuple[dict[str, str], str]:
        """Sends a command and reads the answer."""
        self.connection.sendall(f"{text}\n\n".encode())
        return self.read()

    def execute(self, application: str, argument: str = "") -> None:
        """Starts an application on the call of this connection."""
        lines = ["sendmsg", "call-command: execute", f"execute-app-name: {application}", "event-lock: true"]
        self.command("\n".join([*lines, *([f"execute-app-arg: {argument}"] if argument else [])]))

    def close(self) -> None:
        """Ends the connection at once, as a process that dies does."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.file.close()
        self.connection.close()


Handler = Callable[[Wire, Mapping[str, str]], None]


@dataclass
class Engine:
    """Takes calls on a port: each connection is given to the next handler, the last one again and again."""

    address: str
    handlers: tuple[Handler, ...]
    seen: list[Mapping[str, str]] = field(default_factory=list)
    """What `connect` told, connection by connection."""
    at: list[float] = field(default_factory=list)
    """When each connection came, monotonic clock."""

    def __enter__(self) -> Engine:
        host, _, port = self.address.rpartition(":")
        self._server = socket.create_server((host, int(port)))
        self._calls: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)
        for thread in self._calls:
            thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            wire = Wire(connection)
            self.at.append(time.monotonic())
            headers = wire.command("connect")[0]
            self.seen.append(headers)
            handler = self.handlers[min(len(self.seen), len(self.handlers)) - 1]
            self._calls.append(threading.Thread(target=_run, args=(handler, wire, headers), daemon=True))
            self._calls[-1].start()


def _run(handler: Handler, wire: Wire, headers: Mapping[str, str]) -> None:
    try:
        handler(wire, headers)
    finally:
        wire.close()
