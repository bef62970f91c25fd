"""The command as it is typed, calling a phone of the lab: no switch between them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from callwright.cli import cli
from callwright.load.plan import SCENARIO
from callwright.load.trace import CUT_OFF, NO_ANSWER, TIMEOUT
from callwright.local import ports
from labswitch.phone import Behaviour, Phone
from sipp_scenarios.runner import Scenario

WITHIN_S = 30
COMMAND = (sys.executable, "-m", "callwright", "load")


def load(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
        env=os.environ | (env or {}),
    )


def refused(*arguments: str) -> Result:
    """The same in this process, for what ends before a call is made."""
    return CliRunner().invoke(cli, ["load", *arguments])


def phone(behaviour: Behaviour) -> Phone:
    return Phone("100", domain="test.example", behaviour=behaviour)


def at(port: int) -> tuple[str, ...]:
    return "--target", f"127.0.0.1:{port}", "--to", "100"


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.usefixtures("sipp")
def test_a_target_that_refuses(tmp_path: Path) -> None:
    chart = tmp_path / "load.svg"
    with phone(Behaviour.busy()) as called:
        done = load(*at(called.address[1]), "--rate", "20", "--calls", "6", "--json", "--chart", str(chart))
    assert done.returncode == 1
    found = told(done)
    assert found["ok"] is False
    assert found["calls"] == {"made": 6, "successful": 0, "failed": 6}
    assert found["failures"] == {"SIP 486 Busy Here": 6}
    assert sum(piece["failed"] for piece in found["over_time"]) == 6
    assert "6 failed" in chart.read_text(encoding="utf-8")


@pytest.mark.usefixtures("sipp")
def test_calls_that_go_well() -> None:
    with phone(Behaviour.answering(0.1, hangup_after_s=0.2)) as called:
        done = load(*at(called.address[1]), "--rate", "20", "--calls", "6", "--engine-pid", str(os.getpid()), "--json")
    assert done.returncode == 0
    found = told(done)
    assert found["ok"] is True
    assert found["calls"] == {"made": 6, "successful": 6, "failed": 0}
    assert found["setup"]["ringing"]["calls"] == 6
    assert 100 <= found["setup"]["answer"]["p50_ms"] < 2000
    assert 300 <= found["length"]["p50_ms"] < 4000
    assert found["cpu_ms_per_call"]["engine"] > 0
    assert found["cpu_ms_per_call"]["switch"] is None


@pytest.mark.usefixtures("sipp")
def test_a_call_that_does_not_end_is_cut_off(tmp_path: Path) -> None:
    patient = tmp_path / "patient.xml"  # as a file of the user's it keeps its own timeouts
    patient.write_text(Scenario.load(SCENARIO).xml, encoding="utf-8")
    limits = ("--concurrent", "3", "--duration", "1s", "--call-timeout", "500ms")
    with phone(Behaviour.answering()) as called:
        done = load(*at(called.address[1]), *limits, "--scenario", str(patient), "--json")
        for _ in range(3):
            called.wait_call(0).wait_ended(WITHIN_S)  # by SIPp's BYE
    found = told(done)
    assert found["failures"] == {CUT_OFF: 3}
    assert found["peak_at_once"] == 3
    assert found["setup"]["answer"]["calls"] == 3


@pytest.mark.usefixtures("sipp")
def test_the_call_timeout_holds_for_the_end_of_a_call_too() -> None:
    with phone(Behaviour.answering()) as called:
        done = load(*at(called.address[1]), "--calls", "2", "--call-timeout", "500ms", "--json")
    assert told(done)["failures"] == {TIMEOUT: 2}


@pytest.mark.usefixtures("sipp")
@pytest.mark.parametrize("amount", [("--calls", "6"), ("--duration", "300ms")], ids=["calls", "duration"])
def test_a_target_that_never_answers(amount: tuple[str, str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as swallows:
        swallows.bind((ports.LOOPBACK, 0))
        began = time.monotonic()
        where = at(swallows.getsockname()[1])
        done = load(*where, "--no-knock", "--rate", "20", *amount, "--call-timeout", "1s", "--json")
        took = time.monotonic() - began
    found = told(done)
    assert done.returncode == 1
    assert found["failures"] == {NO_ANSWER: found["calls"]["made"]}
    assert sum(piece["failed"] for piece in found["over_time"]) == found["calls"]["failed"] > 0
    assert took < 12, "SIPp alone would send the INVITE again for half a minute"


@pytest.mark.usefixtures("sipp")
def test_ctrl_c_reports_what_came_so_far() -> None:
    with phone(Behaviour.silent()) as called:
        command = [*COMMAND, *at(called.address[1]), "--rate", "20", "--duration", "1h"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            assert running.stderr is not None
            running.stderr.readline()  # the first line of progress: there are calls
            running.send_signal(signal.SIGINT)
            said, _ = running.communicate(timeout=WITHIN_S)
    assert running.returncode == 1
    assert CUT_OFF in said
    assert "interrupted: these are the calls that were made so far" in said


@pytest.mark.usefixtures("sipp")
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--transport", "tcp"), 1, "nobody listens at 127.0.0.1:"),
        ((), 1, "nobody listens at 127.0.0.1:"),
        (("--no-knock", "--transport", "tcp"), 1, "Connection refused; nobody listens there over TCP"),
        (("--scenario", "uac_load_expect_goodby"), 2, "did you mean 'uac_load_expect_goodbye'?"),
        (("--scenario", "nothing.xml"), 2, "--scenario nothing.xml: there is no such file"),
        (("--scenario", "uas_agent_busy"), 2, "waits for calls"),
        (("--scenario", "uac_register_expect_ok"), 2, "sends no INVITE"),
        (("--no-knock", "--scenario", "uac_holds_expect_talk"), 1, "give it a value with --value stay_ms="),
        (("--rate", "0"), 2, "Invalid value for '--rate': 0.0 is not in the range 0<x<=100000"),
        (("--switch", "freeswitch"), 2, "--switch is for our own system"),
        (("--state-dir", "x"), 2, "--state-dir is for our own system"),
        (("--value", "domain"), 2, "'domain' is not NAME=VALUE"),
        (("--no-knock", "--switch-pid", "999999999"), 2, "there is no process 999999999"),
    ],
)
def test_what_the_user_can_mend_is_said(arguments: tuple[str, ...], code: int, words: str) -> None:
    done = refused(*at(ports.take()), *arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert words in done.stderr


def test_a_scenario_that_is_no_xml(tmp_path: Path) -> None:
    file = tmp_path / "broken.xml"
    file.write_text("<scenario><send>", encoding="utf-8")
    done = refused("--scenario", str(file))
    assert done.exit_code == 2
    assert "broken.xml is not XML: " in done.stderr


def test_no_sipp() -> None:
    done = load("--target", "127.0.0.1", "--to", "1", env={"SIPP_BIN": "no-such-sipp"})
    assert done.returncode == 1
    assert "SIPp (no-such-sipp) is not on this machine; install it: apt-get install sip-tester" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--to", "100"), "--to is for --target"),
        (("--concurrent", "500"), "--concurrent 500: a system that load starts itself holds 499 calls at once"),
        (("--rate", "400"), "--rate 400: with calls of 1.5 s that is 600 at once"),
        (("--scenario", "uac_options_expect_200"), "sends no INVITE"),
        (("--engine-pid", "1"), "--engine-pid is for --target"),
        (("--target", "pbx.example"), "--target needs --to"),
        (("--target", "pbx.example:0", "--to", "1"), "is not host or host:port"),
    ],
)
def test_options_that_do_not_go_together(arguments: tuple[str, ...], words: str) -> None:
    done = refused(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr
