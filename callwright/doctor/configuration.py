"""What the configuration says: directories that it names, and values that would let strangers in."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from callwright.doctor.finding import Finding, Subject, fail, ok, warn
from dialplan.settings import password_weakness
from engine.config import Config
from ivr_flows import library

SHORTEST_KEY = 16
"""Characters of an API key: it holds every right."""


def examine(subject: Subject) -> Iterator[Finding]:
    """Faults of single values were told when the file was read; this looks at what they mean together."""
    found = [*secret_files(subject), *addresses(subject.config), *secrets(subject.config)]
    found += directories(subject)
    if all(finding.level == "ok" for finding in found):
        yield ok(str(subject.file) if subject.file else "nothing wrong in the environment and the defaults")
    yield from found


def directories(subject: Subject) -> Iterator[Finding]:
    """Prompts and recordings, as far as they are seen from here."""
    config = subject.config
    spoken = library.prompts_dir() / "general" / config.engine.default_language
    if not os.access(spoken / "apology.wav", os.R_OK):
        advice = "callwright is not installed completely: install it anew"
        yield fail(f"the prompts that come with callwright cannot be read: {spoken}", advice)
    if not subject.configured:
        return
    recordings = config.engine.recordings_dir
    if not recordings.is_dir():
        advice = f"on a machine with an engine, a switch or `callwright recordings`: {_making(recordings)}"
        yield warn(f"engine.recordings_dir is not here: {recordings}", advice)
    elif not os.access(recordings, os.R_OK | os.W_OK | os.X_OK):
        advice = f"`callwright recordings` reads and deletes there: {_making(recordings)}"
        yield fail(f"engine.recordings_dir {recordings} cannot be read and written by {_user()}", advice)
    else:
        yield ok(f"recordings {recordings}")
    prompts = config.engine.prompts_dir
    if not prompts.is_dir():
        yield warn(f"engine.prompts_dir is not here: {prompts}", f"flows find no prompts of yours: {_making(prompts)}")
    elif not os.access(prompts, os.R_OK | os.X_OK):
        yield fail(f"engine.prompts_dir {prompts} cannot be read by {_user()}", f"chmod u+rx {prompts}, or its group")
    else:
        yield ok(f"prompts {prompts}")


def _making(directory: Path) -> str:
    return f"install -d -g GROUP -m 2770 {directory}, with switch, engine and recordings in GROUP"


def _user() -> str:
    return f"user {os.geteuid()}"


def addresses(config: Config) -> Iterator[Finding]:
    """Who can reach what, and what travels in the clear."""
    if is_public(config.api.listen.host):
        advice = "let it listen on 127.0.0.1 or a private address, behind a proxy that speaks TLS"
        yield warn(f"api.listen {config.api.listen}: the API speaks plain HTTP and is open to every network", advice)
    listen = config.dialplan.event_socket_listen
    if is_public(listen.host):
        advice = "its protocol is not encrypted and commands the machine: a loopback or private address"
        yield fail(f"dialplan.event_socket_listen {listen} is open to every network", advice)
    for switch in config.switches:
        if is_public(switch.host):
            advice = "reach it over a private network or a tunnel: the protocol is not encrypted"
            yield fail(f"switch {switch.name}: its event socket is at the public address {switch.host}", advice)
    for name, url in (("s3.endpoint_url", config.s3.endpoint_url), ("redis.url", config.redis.url)):
        parts = urlsplit(url.get_secret_value()) if url else None
        if parts and parts.scheme in ("http", "redis") and parts.hostname and is_public(parts.hostname):
            yield warn(f"{name}: {parts.scheme}:// to a public address is not encrypted", f"use {parts.scheme}s://")


def secrets(config: Config) -> Iterator[Finding]:
    """Passwords and keys that are no secrets, and passwords that must be the same and are not."""
    given = config.dialplan.event_socket_password
    own = given.get_secret_value() if given else None
    make = "make another: openssl rand -hex 24"
    passwords = {} if own is None else {"dialplan.event_socket_password": own}
    passwords |= {f"switches[{i}].password": each.password.get_secret_value() for i, each in enumerate(config.switches)}
    for name, password in passwords.items():
        if weakness := password_weakness(password):
            yield fail(f"{name} {weakness}", f"{make}; the same for the switch and for its engines")
    listen = config.dialplan.event_socket_listen
    for switch in config.switches:
        same = (switch.host, switch.port) == (listen.host, listen.port)
        if own is not None and same and switch.password.get_secret_value() != own:
            advice = "give both the same, then `callwright dialplan render` and a restart of the switch"
            yield fail(f"switch {switch.name}: its password is not dialplan.event_socket_password", advice)
    short = sum(len(key.get_secret_value()) < SHORTEST_KEY for key in config.api.keys)
    if short:
        yield warn(f"api.keys: {short} shorter than {SHORTEST_KEY} characters", make)
    redis_url = urlsplit(config.redis.url.get_secret_value()) if config.redis.url else None
    protected = bool(redis_url and (redis_url.password or config.redis.password))
    if redis_url and redis_url.hostname and not protected and not is_loopback(redis_url.hostname):
        yield warn("redis.url: no password, and not on this machine", "requirepass in its configuration")


def secret_files(subject: Subject) -> Iterator[Finding]:
    """The configuration file, where others may read its secrets."""
    file = subject.file
    if file is None or not file.is_file() or not readable_by_others(file):
        return
    data = subject.config
    holds = [data.database.password, data.redis.password, data.s3.secret_key, *data.api.keys]
    holds += [data.dialplan.event_socket_password, *(switch.password for switch in data.switches)]
    if any(holds):
        yield warn(f"{file} holds secrets and everybody on this machine may read it", f"chmod 640 {file}")


def readable_by_others(path: Path) -> bool:
    """Whether a user who is neither owner nor in the group can read the file, the directories above included."""
    try:
        modes = [path.stat().st_mode, *(each.stat().st_mode for each in path.resolve().parents)]
    except OSError:
        return False
    return bool(modes[0] & stat.S_IROTH) and all(mode & stat.S_IXOTH for mode in modes[1:])


def is_public(host: str) -> bool:
    """Whether the address, or one that the name stands for, is neither loopback nor private."""
    try:
        found = {host} if _is_address(host) else {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False  # it cannot be reached at all, which is told elsewhere
    parsed = [ip_address(each.partition("%")[0]) for each in found]
    return any(each.is_unspecified or not (each.is_private or each.is_loopback) for each in parsed)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether the address is one of this machine alone."""
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)
