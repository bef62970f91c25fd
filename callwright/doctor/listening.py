"""The ports that our processes and the switch listen on: free, held by whom they should be, or by somebody else."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from callwright.doctor.finding import Finding, Subject, fail, ok, warn
from engine.config import Address, Config

_PROGRAMS = {"callwright", "callwright.engine_process", "labswitch", "freeswitch"}
"""Programs, scripts and Python modules that may have our ports."""
_API = "admin_api.wsgi:application"
"""What gunicorn serves for us."""
_LISTENS = "0A"
_NET = Path("/proc/sys/net/ipv4")


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a port; `pid` 0 where it belongs to another user."""

    pid: int
    program: str = ""
    command: tuple[str, ...] = ()

    @property
    def ours(self) -> bool:
        """Whether it is a process of callwright's, or a FreeSWITCH."""
        begins = [part.rpartition("/")[2] for part in self.command[:2]]
        modules = [module for option, module in itertools.pairwise(self.command) if option == "-m"]
        return bool(_PROGRAMS & {*begins, *modules}) or _API in self.command

    def __str__(self) -> str:
        return f"process {self.pid} ({self.program})" if self.pid else "a process of another user"


def examine(subject: Subject) -> Iterator[Finding]:
    """Each port that is named and lies on this machine."""
    free, ours, strangers = [], [], []
    for name, address in wanted(subject.config).items():
        if not is_here(address.host):
            continue
        found = holder(address.port)
        label = f"{address.port} ({name})"
        if found is None:
            free.append(label)
        elif found.ours:
            ours.append(label)
        else:
            strangers.append(f"{label} by {found}")
    if free:
        yield ok(f"free: {', '.join(free)}")
    if ours:
        yield ok(f"held by this system: {', '.join(ours)}")
    if strangers and subject.configured:
        unknown = any("another user" in each for each in strangers)
        advice = "as root doctor sees who it is: sudo callwright doctor" if unknown else "stop it, or name another port"
        yield (warn if unknown else fail)(f"ports in use: {'; '.join(strangers)}", advice)
    elif strangers:
        advice = "`callwright up` takes others and says which; a single process needs its own"
        yield warn(f"ports in use: {'; '.join(strangers)}", advice)
    if is_here(subject.config.dialplan.rtp_ip):
        yield from media(subject.config)


def wanted(config: Config) -> dict[str, Address]:
    """Who listens where."""
    plan = config.dialplan
    engines = plan.engines or (config.engine.listen,)
    named = {f"engine {index}" if len(engines) > 1 else "engine": each for index, each in enumerate(engines, 1)}
    return named | {
        "API": config.api.listen,
        "event socket": plan.event_socket_listen,
        "SIP, phones": plan.sip_internal,
        "SIP, trunks": plan.sip_external,
    }


def media(config: Config, net: Path = _NET) -> Iterator[Finding]:
    """Whether the kernel hands the media ports out for outgoing connections."""
    first, last = config.dialplan.rtp_first_port, config.dialplan.rtp_last_port
    try:
        low, high = map(int, (net / "ip_local_port_range").read_text(encoding="ascii").split())
        reserved = (net / "ip_local_reserved_ports").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return  # no Linux, or a container that hides it
    shared = list(range(max(first, low), min(last, high) + 1))
    for part in filter(None, reserved.split(",")):
        begin, _, end = part.partition("-")
        shared = [port for port in shared if not int(begin) <= port <= int(end or begin)]
    if shared:
        what = f"media ports {first} to {last}: the kernel gives {len(shared)} of them to outgoing connections"
        yield warn(what, f"a call may find its port taken: sysctl -w net.ipv4.ip_local_reserved_ports={first}-{last}")
    else:
        yield ok(f"media ports {first} to {last} are no others'")


def is_here(host: str) -> bool:
    """Whether this machine has the address."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


def holder(port: int) -> Holder | None:
    """Who listens on the port, TCP or UDP; None when nobody does."""
    inodes = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        try:
            rows = Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            part = row.split()
            if part[1].endswith(f":{port:04X}") and (table.startswith("udp") or part[3] == _LISTENS):
                inodes.add(f"socket:[{part[9]}]")
    if not inodes:
        return None
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit() and _holds(directory, inodes):
            return _named(directory)
    return Holder(0)


def _holds(directory: Path, inodes: set[str]) -> bool:
    try:
        return any(os.readlink(link) in inodes for link in (directory / "fd").iterdir())
    except OSError:
        return False  # another user's, or gone


def _named(directory: Path) -> Holder:
    try:
        command = (directory / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        return Holder(int(directory.name), (directory / "comm").read_text(encoding="utf-8").strip(), tuple(command))
    except OSError:
        return Holder(int(directory.name), "gone meanwhile")
