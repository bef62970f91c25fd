"""The lab switch as it is run: a process, a configuration directory, real SIP on the loopback."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from labswitch.config import Config, Profile, User
from labswitch.controller import Controller
from labswitch.phone import Behaviour, Phone
from labswitch.server import READY_FILE, LabSwitch

WAIT_S = 15
DOMAIN = "lab.example"
DIALPLAN = """<context name="agents"><extension name="tone">
  <condition field="destination_number" expression="^600$"><action application="answer"/>
  <action application="playback" data="tone_stream://%(2000,0,440)"/></condition></extension></context>"""


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[tuple[LabSwitch, asyncio.AbstractEventLoop]]:
    """A whole lab switch in a thread, on ports of the system's choice."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    config = Config(
        directory=tmp_path,
        esl_port=0,
        profiles={"internal": Profile("internal", sip_port=0, context="agents", auth_calls=True)},
        users=(User("alice", DOMAIN, "wonderland", "agents"), User("bob", DOMAIN, "builder", "agents")),
        contexts={"agents": etree.fromstring(DIALPLAN)},
        rtp_start_port=0,
        rtp_end_port=0,
    )

    async def begin() -> LabSwitch:
        lab = LabSwitch(config, tmp_path / "state")
        await lab.start()
        return lab

    lab = asyncio.run_coroutine_threadsafe(begin(), loop).result(WAIT_S)
    yield lab, loop
    asyncio.run_coroutine_threadsafe(lab.stop(), loop).result(WAIT_S)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(WAIT_S)
    loop.close()


def test_phones_register_call_and_are_called(switch: tuple[LabSwitch, asyncio.AbstractEventLoop]) -> None:
    lab, loop = switch
    registrar = lab.address("internal")
    ready = json.loads((lab.state_dir / READY_FILE).read_text())  # type: ignore[operator]
    assert ready == {"event_socket": ["127.0.0.1", lab.control_port], "sip_internal": list(registrar)}
    alice = Phone("alice", domain=DOMAIN, registrar=registrar, password="wonderland")
    answering = Behaviour.answering()
    bob = Phone("bob", domain=DOMAIN, registrar=registrar, password="builder", behaviour=answering)

    async def control() -> Controller:
        found = Controller(await asyncio.open_connection("127.0.0.1", lab.control_port))
        await found.ask("auth ClueCon")
        await found.ask("event plain CUSTOM sofia::register sofia::unregister")
        await found.ask("event plain CHANNEL_BRIDGE CHANNEL_HANGUP_COMPLETE")
        return found

    def on_loop(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result(WAIT_S)

    watcher = on_loop(control())
    with alice, bob:
        bob.register()
        told = on_loop(watcher.event("CUSTOM", from_user="bob"))
        assert told.value("Event-Subclass") == "sofia::register"
        assert told.value("network-port") == str(bob.address[1])
        assert on_loop(watcher.ask(f"api sofia_contact bob@{DOMAIN}")).body == f"sofia/internal/bob%{DOMAIN}"

        call = alice.call("600")
        call.wait_answered(WAIT_S)
        assert call.wait_ended(WAIT_S).cause == "NORMAL_CLEARING"
        assert call.tone_level(440) > 0.05
        over = on_loop(watcher.event("CHANNEL_HANGUP_COMPLETE"))
        assert over.value("variable_user_name") == "alice"

        answer = on_loop(watcher.ask(f"api originate {{origination_uuid=b}}sofia/internal/bob%{DOMAIN} &park()"))
        assert answer.body == "+OK b\n"
        assert on_loop(watcher.ask("api uuid_kill b")).body == "+OK\n"
    on_loop(watcher.close())


def test_the_process_starts_tells_its_addresses_and_ends_on_a_signal(tmp_path: Path) -> None:
    (tmp_path / "freeswitch.xml").write_text(
        '<document><section name="configuration"><configuration name="event_socket.conf"><settings>'
        '<param name="listen-port" value="0"/></settings></configuration></section></document>'
    )
    ready = tmp_path / "state" / READY_FILE
    command = [sys.executable, "-m", "labswitch", "--conf", str(tmp_path), "--state", str(ready.parent)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = threading.Event()
        for _ in range(WAIT_S * 50):
            if ready.exists() or process.poll() is not None:
                break
            deadline.wait(0.02)
        assert json.loads(ready.read_text())["event_socket"][1] > 0
        process.terminate()
        assert process.wait(WAIT_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert not ready.exists()


def test_a_missing_configuration_is_said_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "labswitch", "--conf", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 1
    assert done.stderr == f"labswitch: {tmp_path}/none/freeswitch.xml: no such file\n"


def test_help_says_what_it_is_not() -> None:
    command = [sys.executable, "-m", "labswitch", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=True)
    assert "not a FreeSWITCH and not for production" in done.stdout
