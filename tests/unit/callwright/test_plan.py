"""Ports, passwords and the files that follow from them."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from callwright.local import children
from callwright.local.plan import Plan
from callwright.local.service import Home
from engine.config import Address, Api, Config, Engine, Switch, load


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.close()


def make(home: Home, **changes: object) -> Plan:
    options = {"engines": 2, "agents": ("alice", "bob"), "usual_ports": False} | changes
    plan = Plan.make(home, Config(), **options)  # type: ignore[arg-type]
    plan.media.release()
    return plan


def test_everything_has_a_port_of_its_own_on_loopback(home: Home) -> None:
    plan = make(home)
    dialplan = plan.config.dialplan
    addresses = [
        *plan.engines, plan.operator, plan.config.api.listen,
        dialplan.event_socket_listen, dialplan.sip_external, dialplan.sip_internal,
    ]  # fmt: skip
    assert {address.host for address in addresses} == {"127.0.0.1"}
    assert len({address.port for address in addresses}) == len(addresses)
    assert dialplan.engines == plan.engines
    media = range(dialplan.rtp_first_port, dialplan.rtp_last_port + 1)
    assert not any(address.port in media for address in addresses)


def test_passwords_stay_over_a_restart_and_differ_from_each_other(home: Home) -> None:
    first, second = make(home), make(home)
    assert first.agents == second.agents
    assert first.config.api.keys == second.config.api.keys
    words = [agent.password for agent in first.agents] + [first.config.api.keys[0].get_secret_value()]
    assert len({*words, first.settings.event_socket.password}) == 4


def test_no_password_shows(home: Home) -> None:
    plan = make(home)
    shown = repr(plan)
    assert plan.agents[0].password not in shown
    assert plan.settings.event_socket.password not in shown


def test_the_directory_is_rendered_once(home: Home) -> None:
    plan = make(home)
    assert "directory/agents.xml" in plan.render().created
    assert not plan.render().changed
    assert Path(plan.settings.prompt_path()).exists()


def test_the_usual_ports_when_they_are_free(home: Home) -> None:
    given = Config(api=Api(listen=Address(host="127.0.0.1", port=make(home).operator.port)))
    plan = Plan.make(home, given, engines=1, agents=(), usual_ports=True)
    plan.media.release()
    assert plan.config.api.listen == given.api.listen


def test_the_processes_read_what_was_meant(home: Home, tmp_path: Path) -> None:
    plan = make(home)
    odd = 'quo"te\\ back\x7f\nline ${x} # č'
    switch = Switch(name="lab", password=SecretStr(odd))
    config = plan.config.model_copy(update={"switches": (switch.model_copy(update={"name": "other"}), switch)})
    file = tmp_path / "run" / "callwright.toml"
    children.write(config, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load(file, {}) == config
    assert tomllib.loads(file.read_text(encoding="utf-8"))["switches"][1]["password"] == odd


def test_a_process_of_ours_takes_nothing_from_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLWRIGHT_ENGINE__NAME", "from-outside")
    monkeypatch.setattr(children, "command", lambda file, name: ["env"])
    process = children.launch("engine", tmp_path, tmp_path, number=1, env={"CALLWRIGHT_ENGINE__LISTEN": "127.0.0.1:1"})
    process.popen.wait(10)
    shown = [line for line in process.tail(100).splitlines() if line.startswith("CALLWRIGHT_")]
    assert shown == ["CALLWRIGHT_ENGINE__LISTEN=127.0.0.1:1"]
    assert process.name == "engine-1"


def test_what_is_not_set_is_left_out() -> None:
    data = children.as_data(Config(engine=Engine(name="e")))
    assert data["engine"]["name"] == "e"
    assert "password" not in data["database"]
