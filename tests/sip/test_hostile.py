"""Who is no switch connects to the engine's event socket: other calls don't notice, and the engine keeps nothing."""

from __future__ import annotations

import itertools
import resource
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from callwright.local.process import Process
from labswitch.phone import Behaviour
from tests.sip.conftest import WITHIN_S, System, chooses, listens_to_the_welcome, nodes

pytestmark = pytest.mark.req("R124")

CROWD = 10_000
BACK_S = 20.0
"""Until connections that say nothing are dropped: `engine.connect_deadline_s` and a little."""
WAVE, WAVE_BYTES = 300, 100_000
SLOWER = 5.0
"""How many times as long an answer may take while the engine is under attack, the noise of a busy machine included."""
_SOURCES = itertools.cycle(f"127.0.1.{n}" for n in range(1, 100))

_CONNECTED = b"Unique-ID: x\nReply-Text: %2BOK\nContent-Type: command/reply\n"
ATTACKS: dict[str, Callable[[], Iterator[bytes]]] = {
    "garbage": lambda: iter([bytes(range(256)) * 64]),
    "not our protocol": lambda: iter([b"GET / HTTP/1.1\r\nHost: engine\r\n\r\n"]),
    "half a frame": lambda: iter([b"Content-Type: command/reply\nReply-Te"]),
    "one byte at a time": lambda: (bytes([byte]) for byte in _CONNECTED[:40]),
    "a megabyte of header": lambda: iter([b"X-Header: " + b"a" * 1_000_000]),
    "a megabyte of header lines": lambda: iter([b"X: y\n" * 200_000 + b"\n"]),
    "a body that is longer than it says": lambda: iter([b"Content-Length: 2\n" + _CONNECTED + b"\nlonger than two"]),
    "a body that never comes": lambda: iter([b"Content-Length: 1000\n" + _CONNECTED + b"\nshort"]),
    "a body beyond all bounds": lambda: iter([b"Content-Length: 99999999999\n" + _CONNECTED + b"\n"]),
    "a body of negative length": lambda: iter([b"Content-Length: -1\n" + _CONNECTED + b"\n"]),
    "a body of no length": lambda: iter([b"Content-Length: many\n" + _CONNECTED + b"\n"]),
    "no channel": lambda: iter([b"Reply-Text: %2BOK\nContent-Type: command/reply\n\n"]),
    "a channel that is none": lambda: iter([b"Unique-ID: a%0A%0Aapi shutdown\nContent-Type: command/reply\n\n"]),
    "zeros": lambda: iter([b"\0" * 100_000]),
    "line breaks": lambda: iter([b"\n" * 100_000]),
}


def connect(system: System) -> socket.socket:
    """A connection to the engine, from an address of its own: one alone has not enough ports for all of them."""
    engine = system.stack.plan.engines[0]
    return socket.create_connection((engine.host, engine.port), WITHIN_S, (next(_SOURCES), 0))


def descriptors(engine: Process) -> int:
    return sum(1 for _ in Path(f"/proc/{engine.pid}/fd").iterdir())


def memory_kb(engine: Process) -> int:
    status = Path(f"/proc/{engine.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0])


def wait_for_an_answer_s(system: System) -> float:
    """How long a caller waits until the call is answered and the welcome can be heard."""
    caller = system.new_caller()
    began = time.monotonic()
    call = system.call(caller=caller)
    listens_to_the_welcome(call)
    took_s = time.monotonic() - began
    call.hangup()
    assert nodes(system.record(caller)) == ["answer", "welcome"]
    return took_s


@pytest.fixture
def engine(system: System) -> Iterator[Process]:
    """The engine that has every call, at rest: it answers for its descriptors after the test."""
    found = system.stack.engines[0]
    wait_for_an_answer_s(system)
    before = descriptors(found)
    yield found
    system.wait_until("the engine has closed what it was sent", lambda: descriptors(found) <= before + 4, BACK_S)
    assert system.stack.engines[0].pid == found.pid
    system.stack.check()


def test_what_is_no_switch_is_dropped(system: System, engine: Process) -> None:
    caller = system.new_caller()
    agent = system.agent(Behaviour.answering(0.1, tone_hz=700, hangup_after_s=0.5))
    call = system.call(caller=caller)
    listens_to_the_welcome(call)
    attackers = []
    for attack in ATTACKS.values():
        attacker = connect(system)
        attackers.append(attacker)
        for piece in attack():
            try:
                attacker.sendall(piece)
            except OSError:
                break  # dropped already
    chooses(call, "1")
    agent.wait_call(WITHIN_S)
    call.wait_ended(WITHIN_S)
    record = system.record(caller)
    assert (record["result"], nodes(record)) == ("handled", ["answer", "welcome", "menu", "agent", "hangup"])
    for name, attacker in zip(ATTACKS, attackers, strict=True):
        assert closed(attacker), f"{name}: not dropped within {WITHIN_S} s"
    with system.redis() as client:  # one of them passes for a call, which nobody ever hears of again
        system.wait_until("no call is left open", lambda: client.hlen("cw:open") == 0, BACK_S)


def closed(connection: socket.socket) -> bool:
    """Whether the other side closes it in time, whatever it says before."""
    connection.settimeout(WITHIN_S)
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    finally:
        connection.close()
    return True


@pytest.mark.parametrize(
    ("says", "many"), [(b"", CROWD), (b"Content-Type: comm", CROWD // 5)], ids=["nothing", "half a frame"]
)
def test_a_crowd_that_says(system: System, engine: Process, says: bytes, many: int) -> None:
    quiet_s = statistics.median(wait_for_an_answer_s(system) for _ in range(3))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    crowd: list[socket.socket] = []
    arrived, here = threading.Event(), threading.Event()
    assert hard > many + 1000, f"this test needs {many + 1000} descriptors: raise the hard limit (ulimit -Hn)"

    def come() -> None:
        for number in range(many):
            crowd.append(connect(system))
            if says:
                crowd[-1].sendall(says)
            if number == many // 10:
                arrived.set()
        here.set()

    coming = threading.Thread(target=come)
    coming.start()
    try:
        assert arrived.wait(WITHIN_S)
        crowded_s = statistics.median(wait_for_an_answer_s(system) for _ in range(3))
        assert here.wait(2 * WITHIN_S), f"only {len(crowd)} of {many} could connect"
    finally:
        coming.join()
        for one in crowd:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert crowded_s < SLOWER * quiet_s, f"answered after {crowded_s:.2f} s, {quiet_s:.2f} s when it is quiet"


def test_memory_comes_back(system: System, engine: Process) -> None:
    """What waves of unfinished frames needed is enough for the next ones: nothing of them is kept."""

    def wave() -> int:
        attackers = [connect(system) for _ in range(WAVE)]
        for attacker in attackers:
            attacker.sendall(b"X-Header: " + b"a" * WAVE_BYTES)
        for attacker in attackers:
            attacker.close()
        wait_for_an_answer_s(system)
        return memory_kb(engine)

    wave()
    first_kb = wave()
    last_kb = [wave() for _ in range(3)][-1]
    assert last_kb - first_kb < WAVE * WAVE_BYTES / 1024, "less than one of the three waves between is still there"
