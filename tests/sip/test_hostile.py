"""Who is no switch connects to the engine's event socket: other calls don't notice, and the engine keeps nothing."""

from __future__ import annotations

import contextlib
import itertools
import resource
import select
import socket
import statistics
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from callwright.local.process import Process
from engine.switch.server import MAX_UNNAMED
from labswitch.phone import Behaviour
from tests.captured.conversation import conversation
from tests.sip.conftest import WITHIN_S, System, chooses, listens_to_the_welcome, nodes

pytestmark = pytest.mark.req("R124")

CROWD = 10_000
BACK_S = 20.0
"""Until connections that say nothing are dropped: `engine.connect_deadline_s` and a little."""
WAVE, WAVE_BYTES = 300, 100_000
SLOWER = 3.0
"""How many times as long an answer may take while the crowd is there. SIP, the record and the first sound of the
welcome take most of it, which a crowd does not touch; an engine that looked at each connection, or made a caller wait
behind those that knock anew all the time, would be far beyond."""
_SOURCES = itertools.cycle(f"127.0.1.{n}" for n in range(1, 100))

_CONNECTED = b"Unique-ID: x\nReply-Text: %2BOK\nContent-Type: command/reply\n"
ATTACKS: dict[str, Callable[[], Iterator[bytes]]] = {
    "garbage": lambda: iter([bytes(range(256)) * 64]),
    "not our protocol": lambda: iter([b"GET / HTTP/1.1\r\nHost: engine\r\n\r\n"]),
    "half a frame": lambda: iter([b"Content-Type: command/reply\nReply-Te"]),
    "half a frame, byte by byte": lambda: (bytes([byte]) for byte in _CONNECTED[:40]),
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
    connection = socket.create_connection((engine.host, engine.port), WITHIN_S, (next(_SOURCES), 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


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


def segments_sent(connection: socket.socket) -> int:
    """How many packets with data the kernel has sent over it (`tcpi_data_segs_out`)."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
    return int(struct.unpack_from("=I", info, 156)[0])


def test_an_answer_that_comes_byte_by_byte_is_a_call(system: System, engine: Process) -> None:
    answer = conversation("menu_digit")[1]
    with connect(system) as switch:
        for byte in answer.wire:
            switch.sendall(bytes([byte]), socket.MSG_EOR)  # never joined to the next, even when it has to wait
        said = b""
        while b"event plain " not in said:
            more = switch.recv(65536)
            assert more, f"dropped, having said {said!r}"
            said += more
        assert segments_sent(switch) >= len(answer.wire), "each byte in a packet of its own"
    assert said.startswith(b"connect\n\n")
    assert f"filter Unique-ID {answer.value('Unique-ID')}\n\n".encode() in said
    with system.redis() as client:  # its switch is gone, and with it the call
        system.wait_until("no call is left open", lambda: client.hlen("cw:open") == 0, BACK_S)


class Crowd:
    """So many connections that say the same and then nothing; who is dropped comes again, until the end of `with`."""

    def __init__(self, system: System, says: bytes, many: int) -> None:
        self._system, self._says, self._many = system, says, many
        self._here: dict[int, socket.socket] = {}
        self._poll = select.epoll()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._come)
        self._limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.renewed = 0

    def __enter__(self) -> Crowd:
        hard = self._limit[1]
        assert hard > self._many + 1000, f"needs {self._many + 1000} descriptors: raise the hard limit (ulimit -Hn)"
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._stop.set()
            self._thread.join()
            for one in self._here.values():
                one.close()
            self._poll.close()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, self._limit)

    def _come(self) -> None:
        while not self._stop.is_set():
            for _ in range(min(100, self._many - len(self._here))):
                one = connect(self._system)
                with contextlib.suppress(OSError):  # dropped already
                    one.sendall(self._says)
                self._here[one.fileno()] = one
                self._poll.register(one, select.EPOLLRDHUP)
            for number, _ in self._poll.poll(0 if len(self._here) < self._many else 0.02):
                self._here.pop(number).close()
                self.renewed += 1


@pytest.mark.parametrize(
    ("says", "many", "kept"),
    [(b"", CROWD, CROWD), (b"Content-Type: comm", CROWD // 5, MAX_UNNAMED)],
    ids=["nothing", "half a frame"],
)
def test_a_crowd_that_says(system: System, engine: Process, says: bytes, many: int, kept: int) -> None:
    quiet_s = statistics.median(wait_for_an_answer_s(system) for _ in range(3))
    with Crowd(system, says, many) as crowd:
        whole = f"{kept} are there after {many} were dropped and came again"
        answers_s = []
        for _ in range(3):
            system.wait_until(whole, lambda: crowd.renewed >= many and descriptors(engine) >= kept, 2 * WITHIN_S)
            answers_s.append(wait_for_an_answer_s(system))
        crowded_s = statistics.median(answers_s)
    assert crowded_s < SLOWER * quiet_s, f"answered after {crowded_s:.2f} s, {quiet_s:.2f} s when it is quiet"


def unread(port: int) -> int:
    """Bytes on their way to whoever listens at the port, and connections that were not accepted yet."""
    waiting = 0
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, here, there, _, queues, *_ = line.split()
        unsent, unfetched = (int(number, 16) for number in queues.split(":"))
        waiting += unfetched if here.endswith(f":{port:04X}") else 0
        waiting += unsent if there.endswith(f":{port:04X}") else 0
    return waiting


def test_memory_comes_back(system: System, engine: Process) -> None:
    """What waves of unfinished frames needed is enough for the next ones: nothing of them is kept."""
    port = system.stack.plan.engines[0].port

    def wave() -> int:
        attackers = [connect(system) for _ in range(WAVE)]
        for attacker in attackers:
            attacker.sendall(b"X-Header: " + b"a" * WAVE_BYTES)
        system.wait_until("the engine has read all of it", lambda: unread(port) == 0)
        for attacker in attackers:
            attacker.close()
        wait_for_an_answer_s(system)
        return memory_kb(engine)

    wave()
    first_kb = wave()
    last_kb = [wave() for _ in range(3)][-1]
    assert last_kb - first_kb < WAVE * WAVE_BYTES / 1024, "less than one of the three waves between is still there"
