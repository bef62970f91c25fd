"""PostgreSQL, Valkey and S3 from wheels: real ones, started and stopped."""

from __future__ import annotations

import os
import select
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import redis

from callwright.local import postgres, s3, start, valkey
from callwright.local.s3 import ObjectStorage
from callwright.local.service import Home, Service, StateInUse


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def database(state: Path) -> Iterator[Service]:
    service = start(postgres, state, durable=False)
    yield service
    service.stop()


def ask_database(url: str, statement: str) -> object:
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone() if cursor.description else None
    finally:
        connection.close()


def test_postgres_asks_for_its_password(database: Service) -> None:
    assert ask_database(database.url, "SELECT current_database()") == ("callwright",)
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        ask_database(database.url.replace("callwright:", "callwright:x"), "SELECT 1")


def test_the_password_is_for_its_owner_alone(database: Service, state: Path) -> None:
    assert stat.S_IMODE((state / "postgres").stat().st_mode) == 0o700
    assert stat.S_IMODE((state / "postgres" / "password").stat().st_mode) == 0o600
    assert (state / "postgres" / "password").read_text(encoding="ascii").strip() not in repr(database)


def test_postgres_keeps_data_and_address_over_a_restart(state: Path) -> None:
    first = start(postgres, state)
    ask_database(first.url, "CREATE TABLE kept (n int)")
    first.stop()
    second = start(postgres, state)
    try:
        assert second.url == first.url
        assert ask_database(second.url, "SELECT count(*) FROM kept") == (0,)
    finally:
        second.stop()


def test_two_at_once_in_two_directories(state: Path, tmp_path: Path, database: Service) -> None:
    other = start(postgres, tmp_path / "other", durable=False)
    try:
        assert other.url != database.url
    finally:
        other.stop()


def test_a_directory_in_use_is_refused_at_once(state: Path, database: Service) -> None:
    with pytest.raises(StateInUse, match=rf"in use by process {os.getpid()}$"):
        start(postgres, state)


def test_a_killed_run_leaves_no_process_and_can_be_followed(state: Path) -> None:
    code = (
        "import signal, sys\n"
        "from pathlib import Path\n"
        "from callwright.local import postgres, start\n"
        "service = start(postgres, Path(sys.argv[1]))\n"
        "print(service.process.pid, flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(state)], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        server = os.pidfd_open(int(run.stdout.readline()))
        run.send_signal(signal.SIGKILL)
    try:
        assert select.select([server], [], [], 10)[0], "postgres lives on"
    finally:
        os.close(server)
    start(postgres, state, durable=False).stop()


def test_a_lock_file_that_postgres_left_is_no_hindrance(state: Path) -> None:
    service = start(postgres, state, durable=False)
    service.process.kill()
    service.stop()
    # as if the number of the dead one had gone to another process meanwhile
    stale = state / "postgres" / "data" / "postmaster.pid"
    lines = stale.read_text(encoding="ascii").splitlines()
    stale.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n", encoding="ascii")
    start(postgres, state, durable=False).stop()


def test_valkey_asks_for_its_password_and_keeps_data(state: Path) -> None:
    service = start(valkey, state)
    with redis.Redis.from_url(service.url) as client:
        client.set("kept", "yes")
    with (
        redis.Redis.from_url(
            service.url.partition("@")[0].replace("redis://:", "redis://:x") + "@" + _host(service.url)
        ) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()
    service.stop()
    again = start(valkey, state)
    try:
        with redis.Redis.from_url(again.url) as client:
            assert client.get("kept") == b"yes"
    finally:
        again.stop()


def _host(url: str) -> str:
    return url.rpartition("@")[2]


def test_s3_has_its_bucket_and_keeps_objects_over_a_kill(state: Path) -> None:
    service: ObjectStorage = start(s3, state, bucket="recordings", durable=False)
    service.client.put_object(Bucket="recordings", Key="a/b.flac", Body=b"sound" * 1000)
    service.stop()
    again: ObjectStorage = start(s3, state, bucket="recordings", durable=False)
    try:
        got = again.client.get_object(Bucket="recordings", Key="a/b.flac")
        assert got["Body"].read() == b"sound" * 1000
    finally:
        again.stop()


def test_s3_serves_nobody_without_keys_and_listens_on_loopback_only(state: Path) -> None:
    service: ObjectStorage = start(s3, state, durable=False)
    try:
        port = service.ports["s3.port"]
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /callwright HTTP/1.0\r\nHost: x\r\n\r\n")
            assert connection.recv(64).startswith(b"HTTP/1.0 403")
        wanted = {f":{each:04X}" for each in service.ports.values()}
        tables = [Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:] for table in ("tcp", "tcp6")]
        addresses = {line.split()[1] for lines in tables for line in lines if line.split()[3] == "0A"}
        ours = {address for address in addresses if address[-5:] in wanted}
        assert ours
        assert all(address.startswith("0100007F:") for address in ours)
    finally:
        service.stop()


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = home.secret("word")
    assert first == home.secret("word")
    assert len(first) == 32
    home.close()
