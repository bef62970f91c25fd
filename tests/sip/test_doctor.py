"""Doctor on the whole running system, on the switch of the run: all well, and with faults brought about."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from callwright.doctor import clocks, processes, switch
from callwright.doctor.examine import examine
from callwright.doctor.finding import Finding, Subject
from callwright.local import event_socket
from callwright.local.stack import Stack, SwitchKind
from engine.config import Address, Config
from engine.config import Switch as Named
from tests.sip.conftest import System

PROMPTLY_S = 15.0


def of_switch(config: Config) -> list[Finding]:
    return list(switch.examine(Subject(config), config.switches[0]))


def with_switch(config: Config, **changed: object) -> Config:
    return config.model_copy(update={"switches": (config.switches[0].model_copy(update=changed),)})


def with_section(config: Config, name: str, **changed: object) -> Config:
    return config.model_copy(update={name: getattr(config, name).model_copy(update=changed)})


def told(findings: list[Finding], beginning: str) -> Finding:
    (found,) = [finding for finding in findings if finding.what.startswith(beginning)]
    return found


def test_a_system_that_runs_is_well(system: System, switch: SwitchKind) -> None:
    file = system.stack.config_file
    command = [sys.executable, "-m", "callwright", "--config", str(file), "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PROMPTLY_S * 2)
    report = json.loads(done.stdout)
    # the services of tests do not keep their data; a machine without ffmpeg is told so
    spared = ("what it holds is not kept on disk", "ffmpeg is not here", "a sync takes")
    bad = [each for each in report["findings"] if each["level"] != "ok" and not each["what"].startswith(spared)]
    assert bad == []
    assert done.returncode == 0, done.stderr
    assert max(report["took_s"].values()) < PROMPTLY_S
    whats = [each["what"] for each in report["findings"]]
    assert "engines alive: engine-1, engine-2" in whats
    assert "it takes the password of the configuration" in whats
    assert any(what.startswith("its event socket lets in whom cw_control names") for what in whats)
    assert any(what.startswith("SIP profile external takes calls from whom cw_trunks names") for what in whats)
    assert "the lab switch: for trying out" in whats or switch == "freeswitch"
    assert any(what.startswith("calls go to ") and what.endswith("engines listen there") for what in whats)


def test_a_wrong_password_is_told_as_such(system: System) -> None:
    (found,) = of_switch(with_switch(system.stack.config, password=SecretStr("not-the-password")))
    assert found.level == "fail"
    assert found.what.endswith("does not take the password of the configuration")


def test_a_module_that_is_missing(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switch, "MODULES", switch.MODULES | {"mod_no_such": "nothing works"})
    found = told(of_switch(system.stack.config), "mod_")
    assert (found.level, found.what) == ("fail", "mod_no_such is not loaded")
    assert "without it nothing works" in found.advice


def test_what_the_switch_was_not_rendered_with(system: System) -> None:
    config = system.stack.config
    other = Address(host="127.0.0.1", port=1)
    config = with_section(
        config, "dialplan", max_sessions=100_000, engines=(other,), sip_external=other, rtp_last_port=9
    )
    found = of_switch(config)
    assert "dialplan.max_sessions says 100000" in told(found, "499 channels at once").what
    assert "the configuration says 127.0.0.1:1" in told(found, "SIP profile external is at").what
    assert told(found, "the dialplan context public").level == "fail"
    assert told(found, "the dialplan context agents").level == "fail"
    assert told(found, "media ports").level == "warn"


def test_a_recordings_directory_that_the_switch_does_not_share(system: System, stack: Stack) -> None:
    asked: list[str] = []

    class Line(event_socket.Line):
        """A switch on another machine: there, no path of ours exists."""

        def ask(self, command: str) -> str:
            asked.append(command)
            if command.startswith("file_exists "):
                name, _, path = command.partition(" ")
                return super().ask(f"{name} /another-machine{path}")
            return super().ask(command)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(event_socket, "Line", Line)
        found = of_switch(stack.config)
    assert told(found, f"what lies in {stack.config.engine.recordings_dir} here").level == "fail"
    assert told(found, f"the switch does not see {stack.config.engine.prompts_dir}").level == "fail"
    assert list(stack.config.engine.recordings_dir.glob(".callwright-doctor*")) == []
    assert any("recordings/.callwright-doctor-" in command for command in asked)


def test_a_trunk_that_the_switch_was_not_told_of(system: System) -> None:
    trunk = {"name": "Second", "proxy": "192.0.2.9", "networks": ["192.0.2.0/24"]}
    system.api.put("/trunks/second", trunk)
    try:
        found = told(of_switch(system.stack.config), "trunk second")
    finally:
        system.api.delete("/trunks/second")
    assert (found.level, found.what) == ("fail", "trunk second is not on this switch")
    assert "rescan" in found.advice


def test_an_engine_that_is_missing(system: System) -> None:
    config = system.stack.config
    engines = config.dialplan.engines
    wanted = with_section(config, "dialplan", engines=(*engines, Address(host="127.0.0.1", port=1)))
    assert told(list(processes.signs_of_life(Subject(wanted))), "2 of 3 engines live").level == "warn"


def test_an_api_that_runs_with_other_keys_and_one_that_is_not_there(system: System) -> None:
    config = system.stack.config
    strange = with_section(config, "api", keys=(SecretStr("a-key-of-another-system"),))
    assert told(list(processes.api(Subject(strange))), "the API does not take").level == "warn"
    gone = with_section(config, "api", listen=Address(host="127.0.0.1", port=1))
    assert told(list(processes.api(Subject(gone))), "the API does not answer at 127.0.0.1:1").level == "fail"


def test_the_switchs_clock(system: System) -> None:
    config = Config(switches=system.stack.config.switches)
    assert [each.what for each in clocks.examine(Subject(config))] == ["the same time as here: switch local"]
    (found,) = clocks.examine(Subject(config, now=lambda: time.time() + 20))
    assert found.level == "fail"
    assert found.what.startswith("switch local is ")
    assert found.what.endswith(" s behind this machine")


def test_a_switch_of_which_nobody_hears_costs_little(system: System) -> None:
    silent = Named(name="silent", host="192.0.2.1", port=8021, password=SecretStr("a-password-of-tests"))
    found = examine(Subject(Config(switches=(silent,))), ["switch"])
    assert [finding.level for each in found for finding in each.findings] == ["fail"]
    assert found[0].took_s < PROMPTLY_S


def test_access_lists_answer_as_freeswitch_does(stack: Stack) -> None:
    at = stack.config.switches[0]
    asked = {
        "203.0.113.1 cw_control": "false",
        "127.0.0.1 cw_control": "true",
        "127.0.0.1 cw_trunks": "true",
        "127.0.0.1 no_such_list": "false",
        "x cw_control": "false",
        "::1 cw_control": "false",
    }
    password = at.password.get_secret_value()
    assert {each: event_socket.ask(at.host, at.port, password, f"acl {each}") for each in asked} == asked
    assert event_socket.ask(at.host, at.port, password, "acl") == "false"


@pytest.fixture
def expanding(stack: Stack) -> Iterator[Callable[[str], str]]:
    """API expansion on, for one test, and what asks the switch."""
    at = stack.config.switches[0]

    def say(command: str) -> str:
        return event_socket.ask(at.host, at.port, at.password.get_secret_value(), command)

    assert say("fsctl api_expansion on").startswith("+OK")
    yield say
    assert say("fsctl api_expansion off") == "+OK api_expansion is off"


@pytest.mark.req("R123")
@pytest.mark.freeswitch_only
def test_a_switch_that_runs_commands_in_arguments(
    system: System, expanding: Callable[[str], str], tmp_path: Path
) -> None:
    found = told(of_switch(system.stack.config), "commands in arguments are run")
    assert found.level == "fail"
    owned = tmp_path / "owned"
    expanding(f"eval ${{system(touch {owned})}}")
    assert owned.exists(), "what the hostile callers of other tests send would do this"
