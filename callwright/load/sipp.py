"""Runs one SIPp for a load test: its arguments, the ramp over its control port, its end, its files.

SIPp runs as whoever we are: the scenarios of a load test send no sound, and one transport socket serves all calls, so
neither raw sockets nor a high limit of open files are needed.

Errors:
    LoadFailed      SIPp could not begin, or ended by itself; `str` has its words
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from callwright.bench import gauge
from callwright.load import trace
from callwright.load.plan import SCENARIO, STEP_S, Plan, PlanError, Target
from callwright.local import ports
from callwright.local.process import guard
from ivr_flows.findings import did_you_mean
from sipp_scenarios import media
from sipp_scenarios.runner import DIRECTORY, Scenario, ScenarioMissing, find_sipp

BYE_S = 1.0
"""How long the other side has to answer the BYEs of calls that are cut off."""
LATE_S = 0.5
"""How much later than it is due SIPp may notice that a call has waited too long."""
_TAIL = 8192
_OWN_TIMEOUT = re.compile(r'(?<=") timeout="\d+"')


class LoadFailed(Exception):
    """SIPp made no calls; the text says why and what would help."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is. `at_s` from SIPp's start; `calling`: new calls are still being made."""

    at_s: float
    counters: trace.Counters
    calling: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What SIPp left: its calls, why some failed, its counts, its CPU time, and what it ran for (s)."""

    calls: list[trace.Call]
    failed: dict[str, trace.Failure]
    counters: trace.Counters
    cpu_s: float
    began_s: float
    """When it was started, seconds of the epoch."""
    ran_s: float
    interrupted: bool


def scenario_text(given: str) -> tuple[Path | None, str]:
    """A scenario by the name of one of ours, or a file: its path (None for ours) and text.

    Raises PlanError when there is none, and for one that does not call.
    """
    path = Path(given)
    if path.is_file():
        text = path.read_text(encoding="utf-8", errors="replace")
        _check(given, text)
        return path.absolute(), text
    if path.suffix == ".xml" or "/" in given:
        raise PlanError(f"--scenario {given}: there is no such file")
    try:
        text = Scenario.load(given).xml
    except ScenarioMissing:
        names = sorted(each.stem for each in DIRECTORY.glob("uac_*.xml"))
        words = did_you_mean(given, names) or f"; there are {', '.join(names)}"
        raise PlanError(f"--scenario {given}: neither a file nor a scenario of callwright's{words}") from None
    _check(given, text)
    return None, text


def _check(name: str, text: str) -> None:
    try:
        root = etree.fromstring(text.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise PlanError(f"--scenario {name} is not XML: {error.msg}") from None
    steps = [step.tag for step in root.iter("send", "recv")]
    if root.tag != "scenario" or not steps:
        raise PlanError(f"--scenario {name} is no SIPp scenario: it needs <scenario> with <send> and <recv>")
    if steps[0] != "send":
        raise PlanError(f"--scenario {name} waits for calls; a load test needs one that calls (it begins with <send>)")
    if not any((step.text or "").lstrip().startswith("INVITE ") for step in root.iter("send")):
        raise PlanError(f"--scenario {name} sends no INVITE, and a load test is about calls")


@contextmanager
def _workplace(target: Target, plan: Plan, scenario: str) -> Iterator[tuple[Path, list[str], int]]:
    """The directory, SIPp's command and its control port."""
    file, text = scenario_text(scenario)
    program = find_sipp()
    here = local_address(target.host)
    with tempfile.TemporaryDirectory(prefix="callwright-load-") as temporary:
        base = Path(temporary)
        if file is None:
            file = base / "scenario.xml"
            if scenario == SCENARIO:
                text = _OWN_TIMEOUT.sub("", text)  # -recv_timeout holds where the scenario names none
            file.write_text(text, encoding="utf-8")
            for name in media.names_in(text):
                media.write(base, name)
        block = ports.Block(ports.SINGLE)
        try:
            control, sip_port = block.take(), block.take()
            while (media_port := block.take()) % 2:  # an even one (RFC 3550, 11); SIPp binds the one after the next too
                pass
            command = [str(program), f"{_bracketed(target.host)}:{target.port}", "-sf", str(file)]
            command += ["-t", "t1" if target.transport == "tcp" else "u1", "-i", here, "-p", str(sip_port)]
            command += ["-bind_local", "-mi", here, "-mp", str(media_port), "-ci", ports.LOOPBACK, "-cp", str(control)]
            yield base, [*command, *_orders(target, plan), *_FILES], control
        finally:
            block.release()


_FILES = (
    *("-nostdin", "-skip_rlimit", "-trace_err", "-error_file", "errors.log"),
    *("-trace_stat", "-stf", "stats.csv", "-fd", "1", "-trace_shortmsg", "-shortmessage_file", "messages.csv"),
)


def _orders(target: Target, plan: Plan) -> list[str]:
    first = plan.full_rate if plan.concurrent else plan.full_rate * plan.share(0)
    limit = max(1, round(plan.limit * plan.share(0))) if plan.concurrent else plan.limit
    orders = ["-s", target.number, "-key", "caller", plan.caller, "-d", str(plan.pause_ms)]
    orders += ["-r", f"{first:.3f}", "-l", str(limit), "-recv_timeout", str(round(plan.call_timeout_s * 1000))]
    for name, value in plan.values.items():
        orders += ["-key", name, value]
    return orders if plan.calls is None else [*orders, "-m", str(plan.calls)]


def run(
    target: Target, plan: Plan, scenario: str = SCENARIO, progress: Callable[[Progress], None] = lambda _: None
) -> Outcome:
    """Make the calls and wait for their end; Ctrl-C ends them and gives what came so far.

    It always ends: after the plan's time no new call is made, `call_timeout_s` later what is left is cut off.
    Raises LoadFailed, PlanError, SippMissing, NoPortFree.
    """
    with _workplace(target, plan, scenario) as (base, command, control), (base / "screen").open("wb") as screen:
        began_s = time.time()
        process = subprocess.Popen(
            # a process group of its own: Ctrl-C reaches us, and we end the calls properly
            [*guard(signal.SIGKILL), *command],
            cwd=base,
            env={**os.environ, "TERM": "xterm"},  # without a known terminal it does not start
            stdin=subprocess.DEVNULL,
            stdout=screen,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        running = _Running(process, base, plan, control, progress)
        try:
            running.see_through()
        finally:
            running.kill()
        return running.outcome(began_s)


class _Running:
    """A SIPp at work."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        base: Path,
        plan: Plan,
        control: int,
        progress: Callable[[Progress], None],
    ) -> None:
        self._process = process
        self._base = base
        self._plan = plan
        self._control = (ports.LOOPBACK, control)
        self._progress = progress
        self._began = time.monotonic()
        self._cpu_s = 0.0
        self._calling = True
        self._interrupted = False
        self._header = ""
        self._counters = trace.Counters()

    def see_through(self) -> None:
        """Wait for the end of all calls; a Ctrl-C first stops new calls and cuts off those that run."""
        try:
            if self._wait(self._plan.calling_s):
                return
            self._stop_calling()
            if self._wait(self._plan.call_timeout_s + LATE_S):
                return
        except KeyboardInterrupt:
            self._interrupted = True
            self._stop_calling()
        self._cut_off()

    def _wait(self, for_s: float) -> bool:
        """Whether it ended within the time, which is over too when the last call has begun; raises the load with the
        ramp and tells the progress meanwhile.
        """
        until = time.monotonic() + for_s
        risen = 0.0
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._note_cpu()
                self._process.wait(min(STEP_S, max(until - time.monotonic(), 0.001)))
                return True
            at_s = time.monotonic() - self._began
            if self._calling and risen < 1 and self._plan.ramp_s:
                risen = self._plan.share(at_s)
                self._rise(risen)
            self._read_counters()
            self._progress(Progress(at_s, self._counters, self._calling))
            all_begun = self._calling and self._plan.calls is not None and self._counters.created >= self._plan.calls
            if all_begun or time.monotonic() >= until:
                return False

    def _rise(self, share: float) -> None:
        plan = self._plan
        if plan.concurrent:
            order = f"cset limit {max(1, round(plan.concurrent * share))}"
        else:
            order = f"cset rate {plan.full_rate * share:.3f}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.sendto(order.encode(), self._control)

    def _stop_calling(self) -> None:
        self._calling = False
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGUSR1)

    def _cut_off(self) -> None:
        """A second SIGUSR1 makes SIPp send BYE or CANCEL for each call; it does not end by itself after that."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGUSR1)
            with contextlib.suppress(KeyboardInterrupt):
                self._wait(BYE_S)
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
                self._process.wait(BYE_S)

    def kill(self) -> None:
        """SIGKILL, where it still runs."""
        self._note_cpu()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _note_cpu(self) -> None:
        with contextlib.suppress(OSError):
            self._cpu_s = gauge.cpu_s(self._process.pid)

    def _read_counters(self) -> None:
        """The newest whole line of the statistics; SIPp writes one a second."""
        try:
            with (self._base / "stats.csv").open("rb") as file:
                if not self._header:
                    self._header = file.readline().decode("ascii", "replace")
                file.seek(max(len(self._header), file.seek(0, 2) - _TAIL))
                lines = file.read().decode("ascii", "replace").splitlines()
            self._counters = trace.Counters.read(self._header, lines[-1])
        except (OSError, ValueError, IndexError, KeyError):
            return  # not there yet, or half written: the one before is as good

    def outcome(self, began_s: float) -> Outcome:
        """What is in its files. Raises LoadFailed when it made no call."""
        self._read_counters()
        errors = _text(self._base / "errors.log")
        calls: list[trace.Call] = []
        with contextlib.suppress(FileNotFoundError), (self._base / "messages.csv").open(errors="replace") as messages:
            calls = trace.calls(messages)
        if not calls and not self._interrupted:
            if self._counters.created:
                raise LoadFailed("the scenario sends no INVITE, and a load test is about calls")
            raise LoadFailed(_why(errors, _text(self._base / "screen"), self._process.returncode))
        ran_s = time.monotonic() - self._began
        failed = trace.with_cut_off(calls, trace.failures(errors), began_s + ran_s)
        failed = trace.with_no_answer(calls, failed, self._plan.call_timeout_s)
        return Outcome(calls, failed, self._counters, self._cpu_s, began_s, ran_s, self._interrupted)


def _why(errors: str, screen: str, code: int) -> str:
    """SIPp's own words, in one line, with what would help where that is known."""
    said = (errors or screen).rpartition("The following events occurred:")[2]
    said = re.sub(r"\d{4}-\d\d-\d\d\t\S+\t\d+\.\d+: ", "\n", said)
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith("---")]
    words = "; ".join(lines[-3:])[:400] or f"it ended with exit code {code} and said nothing"
    keyword = re.search(r"Unsupported keyword '([^']+)'", words)
    if keyword:
        names = ", ".join(sorted(each.stem for each in DIRECTORY.glob("uac_load_*.xml")))
        words += f"; give it a value with --value {keyword[1]}=…, or take a scenario for load tests ({names})"
    if "Connection refused" in words:
        words += "; nobody listens there over TCP: look at --target and --transport"
    return f"SIPp made no call: {words}"


def local_address(host: str) -> str:
    """Our address on the way to the host. Raises LoadFailed when there is no such host."""
    try:
        family, _, _, _, place = socket.getaddrinfo(host, 5060, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as line:
            line.connect(place)
            return str(line.getsockname()[0])
    except OSError as error:
        raise LoadFailed(f"--target {host}: {error.strerror or error}") from None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
