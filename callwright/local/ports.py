"""Free loopback ports, such that several runs on one machine never take each other's.

A port that was found free may be taken by the time a service binds it. So a process claims a port before it looks
whether it is free, and holds the claim until it ends: a lock on one byte of a file that all runs share, the byte's
place being the port. Ports that nobody named come from a block that one process has to itself, below the range from
which the kernel picks ports for outgoing connections.
"""

from __future__ import annotations

import errno
import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

LOOPBACK = "127.0.0.1"
SINGLE = range(15000, 20000, 100)
"""Where blocks for services begin."""
MEDIA = range(20000, 32000, 1000)
"""Where blocks for RTP begin: 1000 ports each, some 250 calls of two legs."""


_blocks: list[Block] = []
"""This process's blocks for services, held until it ends."""
_claimed: set[int] = set()
_claims: list[int] = []
"""The one descriptor of the file of claims. It stays open: closing any descriptor of the file ends all its locks."""


class NoPortFree(Exception):
    """All blocks are taken: too many runs at once on this machine."""


class Block:
    """Ports from `first` on that no other run takes while this process lives or until `release`."""

    def __init__(self, starts: range) -> None:
        self.size = starts.step
        self.first, self._lock = _take(starts)
        self._next = self.first

    def take(self) -> int:
        """The next port of the block that is ours to bind, for TCP and UDP. Raises NoPortFree."""
        while self._next < self.first + self.size:
            port = self._next
            self._next += 1
            if claim(port):
                return port
        raise NoPortFree(f"no port left in the block from {self.first}")

    def release(self) -> None:
        """Give the block back."""
        os.close(self._lock)


def is_free(port: int) -> bool:
    """Whether the loopback port can be bound now, for TCP and UDP."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:  # servers set it too: closed connections that linger are no hindrance
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                return False
    return True


def claim(port: int) -> bool:
    """Whether the loopback port is free and no other run has claimed it; from then on it is ours until we end.

    What this process has claimed already it may claim again: a service that is started anew.
    """
    if not _claims:
        _claims.append(os.open(_directory() / "claims", os.O_RDWR | os.O_CREAT, 0o600))
    try:
        fcntl.lockf(_claims[0], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EAGAIN):
            raise
        return False
    if is_free(port):
        _claimed.add(port)
        return True
    if port not in _claimed:
        fcntl.lockf(_claims[0], fcntl.LOCK_UN, 1, port)
    return False


def take(preferred: int | None = None) -> int:
    """The preferred port if it can be claimed, else one that no other run takes. Raises NoPortFree."""
    if preferred and claim(preferred):
        return preferred
    try:
        return _blocks[-1].take()
    except (IndexError, NoPortFree):
        _blocks.append(Block(SINGLE))
        return _blocks[-1].take()


def listening(port: int, kind: str = "tcp") -> bool:
    """Whether somebody on this machine listens on the port, seen without connecting: a connection is a call to some.

    `kind` is "tcp" or "udp".
    """
    wanted = f":{port:04X}"
    for table in (kind, kind + "6"):
        try:
            lines = Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, _, state = line.split(maxsplit=4)[:4]
            if local.endswith(wanted) and (kind == "udp" or state == "0A"):
                return True
    return False


def _take(starts: range) -> tuple[int, int]:
    order = list(starts)
    random.shuffle(order)
    for first in order:
        try:
            lock = os.open(_directory() / f"ports-{first}", os.O_RDWR | os.O_CREAT, 0o600)
        except PermissionError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        return first, lock
    raise NoPortFree(f"all {len(starts)} blocks of ports from {starts.start} are in use by other runs")


def _directory() -> Path:
    directory = Path(tempfile.gettempdir()) / f"callwright-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory
