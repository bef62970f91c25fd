"""Runs SIPp scenarios: callers (`run_uac`, `start_uac`) and agents' phones (`start_uas`), for tests.

    with start_uas("uas_agent_answers_talks_hangs_up", registrar=inside, phones=[Account("alice", "secret", domain)]):
        result = run_uac("uac_menu_agent_expect_talk", outside, "+420221234567")

Every run has a directory of its own and ports of its own on 127.0.0.1, ends within a time that is set, and ends no
process that it did not start.

Errors:
    SippError
    ├── SippMissing         SIPp is not installed, or too old, or may not send RTP
    ├── ScenarioMissing     no scenario of that name
    └── ScenarioFailed      calls did not go as the scenario says; holds the result, shows SIPp's own words
"""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType

from callwright.local import ports
from callwright.local.process import guard
from sipp_scenarios import media

HOW_TO_INSTALL = "install it: apt-get install sip-tester (Debian, Ubuntu), or build SIPp 3.6 or later with --with-pcap"
DIRECTORY = Path(__file__).parent
STOP_S = 5.0
"""How long a phone may take to finish its calls when it is stopped."""
REGISTRATIONS_PER_S = 50
EXCERPT_CHARS = 4000
_LISTEN_S = 5.0

Target = tuple[str, int]


class SippError(Exception):
    """Base of what can go wrong with SIPp."""


class SippMissing(SippError):
    """SIPp can't be used on this machine; the text says what to do."""


class ScenarioMissing(SippError, LookupError):
    """There is no scenario of that name."""


class ScenarioFailed(SippError):
    """Calls did not go as the scenario says."""

    def __init__(self, scenario: str, words: str, result: SippResult) -> None:
        super().__init__(f"{scenario}: {words}{result.excerpt()}")
        self.result = result


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario file."""

    name: str
    xml: str = field(repr=False)

    @classmethod
    def load(cls, name: str) -> Scenario:
        """The scenario of that name (without `.xml`). Raises ScenarioMissing."""
        path = DIRECTORY / f"{name}.xml"
        if path.parent != DIRECTORY or not path.is_file():
            known = ", ".join(sorted(each.stem for each in DIRECTORY.glob("*.xml")))
            raise ScenarioMissing(f"no scenario {name!r}; there are {known}")
        return cls(name, path.read_text(encoding="utf-8"))

    @property
    def captures(self) -> list[str]:
        """The capture files that it plays."""
        return media.names_in(self.xml)


@dataclass(frozen=True, slots=True)
class SippResult:
    """How a run ended. `stats` is the last line of SIPp's statistics, `messages` and `errors` are its logs."""

    exit_code: int
    successful: int
    failed: int
    stats: Mapping[str, str] = field(repr=False)
    messages: str = field(repr=False)
    errors: str = field(repr=False)
    screen: str = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether there were calls and all went as the scenario says."""
        return self.successful > 0 and self.failed == 0

    def excerpt(self) -> str:
        """The end of SIPp's own logs, for an error message."""
        parts = [("errors", self.errors), ("messages", self.messages)]
        if not self.errors and not self.messages:
            parts = [("screen", self.screen)]
        return "".join(f"\n--- SIPp's {name} ---\n{text[-EXCERPT_CHARS:].strip()}" for name, text in parts if text)


@dataclass(frozen=True, slots=True)
class Account:
    """What a phone registers with."""

    user: str
    password: str = field(repr=False)
    domain: str


@cache
def find_sipp() -> Path:
    """The SIPp program: SIPP_BIN, else `sipp` on the PATH. Raises SippMissing when there is none that is of use."""
    wanted = os.environ.get("SIPP_BIN") or "sipp"
    found = shutil.which(wanted)
    if found is None:
        raise SippMissing(f"SIPp ({wanted}) is not on this machine; {HOW_TO_INSTALL}")
    told = subprocess.run([found, "-v"], capture_output=True, text=True, timeout=10, check=False, env=_environment())
    words = next((line.strip() for line in told.stdout.splitlines() if "SIPp v" in line), "no version")
    if "PCAP" not in words:
        raise SippMissing(f"{found} can't send RTP ({words}); {HOW_TO_INSTALL}")
    return Path(found)


class Sipp:
    """One SIPp process. Made by `start_uac` and `start_uas`."""

    def __init__(self, scenario: Scenario, arguments: list[str], *, port: int, limit_s: float, users: str = "") -> None:
        self.scenario = scenario
        self.port = port
        self._limit_s = limit_s
        self._result: SippResult | None = None
        program = find_sipp()
        if scenario.captures:
            _check_raw_sockets(program)
        self._directory = tempfile.TemporaryDirectory(prefix="sipp-")
        base = Path(self._directory.name)
        (base / "scenario.xml").write_text(scenario.xml, encoding="utf-8")
        for name in scenario.captures:
            media.write(base, name)
        if users:
            (base / "users.csv").write_text(users, encoding="utf-8")
        with (base / "screen").open("wb") as screen:
            self._process = subprocess.Popen(
                [*guard(signal.SIGKILL), str(program), *arguments, *_common(port)],
                cwd=base,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
            )

    def running(self) -> bool:
        """Whether it still runs."""
        return self._result is None and self._process.poll() is None

    def wait(self, *, check: bool = True) -> SippResult:
        """Wait until it has made its calls. Raises ScenarioFailed unless `check` is off."""
        if self._result is None:
            try:
                self._process.wait(self._limit_s)
            except subprocess.TimeoutExpired:
                self._end()
            self._result = self._collect()
        if check and not self._result.ok:
            calls = f"{self._result.failed} failed, {self._result.successful} passed"
            raise ScenarioFailed(self.scenario.name, f"{calls}, exit code {self._result.exit_code}", self._result)
        return self._result

    def stop(self) -> SippResult:
        """Let it finish the calls that it is in, for a while, then end it."""
        if self.running():
            self._process.send_signal(signal.SIGUSR1)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S)
            self._end()
        return self.wait(check=False)

    def await_listening(self) -> None:
        """Wait until it takes calls. Raises ScenarioFailed."""
        deadline = time.monotonic() + _LISTEN_S
        while not ports.listening(self.port, "udp"):
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                self._end()
                words = "ended before it took calls" if ended else "does not listen"
                raise ScenarioFailed(self.scenario.name, words, self.wait(check=False))
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _collect(self) -> SippResult:
        base = Path(self._directory.name)
        stats = _last_line(base / "stats.csv")
        result = SippResult(
            exit_code=self._process.returncode,
            successful=int(stats.get("SuccessfulCall(C)") or 0),
            failed=int(stats.get("FailedCall(C)") or 0),
            stats=stats,
            messages=_text(base / "messages.log"),
            errors=_text(base / "errors.log"),
            screen=_text(base / "screen"),
        )
        self._directory.cleanup()
        return result


@contextmanager
def start_uac(
    scenario: str,
    target: Target,
    number: str,
    *,
    caller: str = "+420602000001",
    calls: int = 1,
    rate: float = 10,
    pause_ms: int = 1000,
    values: Mapping[str, str] = MappingProxyType({}),
    tcp: bool = False,
    timeout_s: float = 60,
) -> Iterator[Sipp]:
    """Calls in the background: `calls` of them, `rate` new ones a second. What still runs at the end is ended.

    `pause_ms` is what the scenario does not say itself: how long a caller listens before the first key or the hangup.
    `values` are its other words in square brackets, `[stay_ms]` for one.
    """
    arguments = ["-s", number, "-m", str(calls), "-r", f"{rate:g}", "-l", str(calls), "-d", str(pause_ms)]
    for name, value in {"caller": caller, **values}.items():
        arguments += ["-key", name, value]
    if tcp:
        arguments += ["-t", "t1"]
    with _block() as block:
        run = _start(scenario, [_address(target), *arguments], block, timeout_s)
        try:
            yield run
        finally:
            run.stop()


def run_uac(scenario: str, target: Target, number: str, **options: object) -> SippResult:
    """Makes the calls and waits for their end; options as of `start_uac`. Raises ScenarioFailed."""
    with start_uac(scenario, target, number, **options) as run:  # type: ignore[arg-type]
        return run.wait()


@contextmanager
def start_uas(
    scenario: str,
    *,
    registrar: Target | None = None,
    phones: Sequence[Account] = (),
    timeout_s: float = 120,
) -> Iterator[Sipp]:
    """A phone that takes calls until the end of the block, registered with its accounts. Raises ScenarioFailed."""
    with _block() as block, contextlib.ExitStack() as stack:
        port = block.take()
        if registrar is not None and phones:
            register(registrar, *phones, port=port)
            stack.callback(_sign_off, registrar, phones, port)
        run = _start(scenario, [], block, timeout_s, port=port)
        stack.callback(run.stop)
        run.await_listening()
        yield run


def register(
    registrar: Target, *phones: Account, port: int | None = None, expires_s: int = 600, timeout_s: float = 15
) -> SippResult:
    """Registers the phones of one domain, with the contact at `port`; `expires_s=0` signs them off.

    Raises ScenarioFailed.
    """
    users = "SEQUENTIAL\n" + "".join(
        f"{each.user};[authentication username={each.user} password={each.password}];\n" for each in phones
    )
    values = ["-m", str(len(phones)), "-r", str(REGISTRATIONS_PER_S), "-inf", "users.csv"]
    values += ["-key", "domain", phones[0].domain, "-key", "expires", str(expires_s)]
    with _block() as block:
        name = "uac_register_expect_ok"
        return _start(name, [_address(registrar), *values], block, timeout_s, port=port, users=users).wait()


def _sign_off(registrar: Target, phones: Sequence[Account], port: int) -> None:
    # the switch may be gone by then, which is no fault of the phones'
    with contextlib.suppress(ScenarioFailed):
        register(registrar, *phones, port=port, expires_s=0, timeout_s=5)


def _start(
    name: str, arguments: list[str], block: ports.Block, limit_s: float, *, port: int | None = None, users: str = ""
) -> Sipp:
    arguments = [*arguments, "-cp", str(block.take()), "-mp", str(_media_port(block))]
    # SIPp's own limit comes first, so that it still writes its logs
    arguments += ["-timeout", f"{limit_s:g}s", "-timeout_error"]
    return Sipp(Scenario.load(name), arguments, port=port or block.take(), limit_s=limit_s + STOP_S, users=users)


def _common(port: int) -> list[str]:
    here = ports.LOOPBACK
    return [
        *("-sf", "scenario.xml", "-i", here, "-p", str(port), "-bind_local", "-mi", here, "-ci", here, "-nostdin"),
        *("-aa", "-skip_rlimit", "-trace_err", "-error_file", "errors.log", "-trace_msg"),
        *("-message_file", "messages.log", "-trace_stat", "-stf", "stats.csv", "-fd", "1"),
    ]


def _environment() -> dict[str, str]:
    # without a known terminal it does not start, even where it has none
    return {**os.environ, "TERM": "xterm"}


def _address(target: Target) -> str:
    return f"{target[0]}:{target[1]}"


@contextmanager
def _block() -> Iterator[ports.Block]:
    block = ports.Block(ports.SINGLE)
    try:
        yield block
    finally:
        block.release()


def _media_port(block: ports.Block) -> int:
    """An even port (RFC 3550, 11): RTP of call n goes to the port + 4 * (n - 1)."""
    while (port := block.take()) % 2:
        pass
    return port


def _check_raw_sockets(program: Path) -> None:
    """SIPp plays RTP over a raw socket. Raises SippMissing when it may not."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP).close()
    except PermissionError:
        with contextlib.suppress(OSError):
            os.getxattr(program.resolve(), "security.capability")
            return
        raise SippMissing(
            f"{program} needs the right to open raw sockets for RTP: setcap cap_net_raw+ep {program.resolve()}"
        ) from None


def _last_line(path: Path) -> dict[str, str]:
    with contextlib.suppress(OSError), path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
        return {name: value for name, value in rows[-1].items() if name} if rows else {}
    return {}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
