"""Ports that no two runs on one machine share."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from callwright.local import ports


def test_two_processes_get_different_blocks_and_a_third_none() -> None:
    begin = 30000 + os.getpid() % 100 * 100  # another run of the tests on this machine has other blocks
    block = ports.Block(range(begin, begin + 100, 100))
    try:
        code = f"from callwright.local import ports\ntry: ports.Block(range({begin}, {begin + 100}, 100))\n"
        code += "except ports.NoPortFree: print('none')"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "none"
    finally:
        block.release()
    ports.Block(range(begin, begin + 100, 100)).release()


def test_a_port_in_use_is_skipped() -> None:
    block = ports.Block(ports.SINGLE)
    with socket.socket() as taken:
        taken.bind((ports.LOOPBACK, block.first))
        taken.listen()
        assert not ports.is_free(block.first)
        assert block.take() > block.first
    block.release()


def test_the_preferred_port_when_it_is_free() -> None:
    port = ports.take()
    assert ports.take(port) == port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((ports.LOOPBACK, port))
        assert ports.take(port) != port


def test_listening_is_seen_without_connecting() -> None:
    port = ports.take()
    assert not ports.listening(port)
    with socket.socket() as server:
        server.bind((ports.LOOPBACK, port))
        assert not ports.listening(port)
        server.listen()
        assert ports.listening(port)
        assert not ports.listening(port, "udp")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((ports.LOOPBACK, port))
        assert ports.listening(port, "udp")


CLAIMS = """
import sys
from callwright.local import ports
print(ports.take(int(sys.argv[1])), ports.claim(int(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def test_of_two_runs_that_want_a_port_at_the_same_moment_one_gets_it() -> None:
    """Nobody listens yet: that is the moment in which both see it free."""
    wanted = free_port()
    command = [sys.executable, "-c", CLAIMS, str(wanted)]
    runs = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    told = []
    for run in runs:
        assert run.stdout is not None
        port, again = run.stdout.readline().split()
        told.append((int(port), again))
    assert [again for port, again in told if port == wanted] == ["True"], told
    assert [again for port, again in told if port != wanted] == ["False"] * 3
    assert len({port for port, _ in told}) == 4
    for run in runs:
        run.communicate("")
    assert ports.claim(wanted), "a claim ends with its process"


def free_port() -> int:
    """A port outside of what tests are given."""
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        port: int = server.getsockname()[1]
    return port
