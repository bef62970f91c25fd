"""The scenarios against each other: callers of SIPp call phones of SIPp, no switch between them."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipp_scenarios.runner import (
    DIRECTORY,
    Account,
    Scenario,
    ScenarioFailed,
    ScenarioMissing,
    Sipp,
    SippMissing,
    find_sipp,
    register,
    run_uac,
    start_uac,
    start_uas,
)

HERE = "127.0.0.1"
PHONE = Account("alice", "secret", "test.example")


@pytest.fixture
def no_sipp(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SIPP_BIN", "no-such-sipp")
    find_sipp.cache_clear()
    yield
    find_sipp.cache_clear()


@pytest.mark.usefixtures("sipp")
def test_a_caller_talks_until_the_agent_hangs_up() -> None:
    with start_uas("uas_agent_answers_talks_hangs_up") as phone:
        result = run_uac("uac_menu_agent_expect_talk", (HERE, phone.port), "100", pause_ms=100, timeout_s=20)
    assert result.ok
    assert (result.successful, result.failed, result.exit_code) == (1, 0, 0)
    assert "INVITE sip:100@127.0.0.1" in result.messages
    assert phone.wait().successful == 1


@pytest.mark.usefixtures("sipp")
def test_a_caller_who_hangs_up_first_is_no_failure_of_the_phone() -> None:
    with start_uas("uas_agent_answers_talks_hangs_up") as phone:
        options = {"pause_ms": 100, "calls": 3, "rate": 20.0, "timeout_s": 20}
        result = run_uac("uac_hangs_up_in_prompt_expect_lost", (HERE, phone.port), "100", **options)
    assert result.successful == 3
    assert phone.wait().successful == 3


@pytest.mark.usefixtures("sipp")
@pytest.mark.parametrize(("behaviour", "code"), [("busy", "486"), ("rejects", "603")])
def test_a_failure_shows_what_sipp_saw(behaviour: str, code: str) -> None:
    with start_uas(f"uas_agent_{behaviour}") as phone, pytest.raises(ScenarioFailed) as raised:
        run_uac("uac_menu_agent_expect_talk", (HERE, phone.port), "100", timeout_s=20)
    assert "uac_menu_agent_expect_talk: 1 failed, 0 passed" in str(raised.value)
    assert f"SIP/2.0 {code}" in str(raised.value)
    assert not raised.value.result.ok
    assert phone.wait().successful == 1


def callers() -> list[str]:
    """Every scenario that begins with a call."""
    files = sorted(DIRECTORY.glob("uac_*.xml"))
    return [
        each.stem for each in files if re.search(r"<send.*?\n\s+([A-Z]+) ", each.read_text(), re.DOTALL)[1] == "INVITE"
    ]


@pytest.fixture(scope="module")
def busy_phone() -> Iterator[Sipp]:
    with start_uas("uas_agent_busy") as phone:
        yield phone


@pytest.mark.usefixtures("sipp")
@pytest.mark.parametrize("name", callers())
def test_every_caller_fails_on_an_answer_that_is_not_the_expected_one(name: str, busy_phone: Sipp) -> None:
    values = {"stay_ms": "100", "hold": "sendonly", "hold_ip": HERE, "name": "x", "header": "x"}
    with pytest.raises(ScenarioFailed, match=r"received 'SIP/2\.0 486 Busy Here"):
        run_uac(name, (HERE, busy_phone.port), "100", values=values, timeout_s=10)


@pytest.mark.usefixtures("sipp")
def test_a_call_that_goes_on_for_ever_is_ended() -> None:
    with (
        start_uas("uas_agent_silent") as phone,
        start_uac("uac_menu_agent_expect_talk", (HERE, phone.port), "100", timeout_s=1) as caller,
    ):
        with pytest.raises(ScenarioFailed):
            caller.wait()
        assert not caller.running()
    assert not phone.running()


@pytest.mark.usefixtures("sipp")
def test_two_runs_at_once_have_ports_of_their_own() -> None:
    with start_uas("uas_agent_busy") as one, start_uas("uas_agent_busy") as two:
        assert one.port != two.port
        assert one.running()
        assert two.running()


@pytest.mark.usefixtures("sipp")
def test_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with start_uas("uas_agent_busy"):
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith("sipp-")]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("sipp-")] == []


class Registrar:
    """A registrar that asks for digest (RFC 3261, 22.4) and keeps what it was told."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HERE, 0))
        self.target = (HERE, int(self.socket.getsockname()[1]))
        self.accepted: list[tuple[str, str]] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self.socket.sendto(b"", self.target)
        self._thread.join()
        self.socket.close()

    def _serve(self) -> None:
        while True:
            raw, peer = self.socket.recvfrom(4096)
            if not raw:
                return
            request = raw.decode()
            good = self._is_signed(request)
            if good:
                self.accepted.append((_header(request, "Contact"), _header(request, "Expires")))
            self.socket.sendto(self._answer(request, good).encode(), peer)

    def _is_signed(self, request: str) -> bool:
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', _header(request, "Authorization")))
        if not given:
            return False
        first = _md5(f"{given['username']}:{given['realm']}:{PHONE.password}")
        signed = _md5(f"{first}:{given['nonce']}:{_md5('REGISTER:' + given['uri'])}")
        return str(given["response"]) == signed

    def _answer(self, request: str, good: bool) -> str:
        lines = ["SIP/2.0 200 OK" if good else "SIP/2.0 401 Unauthorized"]
        lines += [f"{name}: {_header(request, name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
        lines += [f"To: {_header(request, 'To')};tag=r", "Content-Length: 0"]
        if not good:
            lines.append('WWW-Authenticate: Digest realm="test.example", nonce="abc", algorithm=MD5')
        return "\r\n".join(lines) + "\r\n\r\n"


def _header(request: str, name: str) -> str:
    found = re.search(rf"^{name}: *(.*?)\r?$", request, re.MULTILINE)
    return found[1] if found else ""


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


@pytest.fixture
def registrar() -> Iterator[Registrar]:
    made = Registrar()
    yield made
    made.close()


@pytest.mark.usefixtures("sipp")
def test_a_phone_registers_takes_calls_and_signs_off(registrar: Registrar) -> None:
    with start_uas("uas_agent_busy", registrar=registrar.target, phones=[PHONE]) as phone:
        port = phone.port
        assert registrar.accepted == [(f"<sip:alice@{HERE}:{port}>", "600")]
    assert registrar.accepted[1:] == [(f"<sip:alice@{HERE}:{port}>", "0")]


@pytest.mark.usefixtures("sipp")
def test_a_wrong_password_is_a_failure(registrar: Registrar) -> None:
    with pytest.raises(ScenarioFailed, match="401 Unauthorized"):
        register(registrar.target, Account("alice", "wrong", PHONE.domain), timeout_s=5)
    assert registrar.accepted == []


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(PHONE)


@pytest.mark.usefixtures("no_sipp")
def test_without_sipp_it_says_how_to_get_it() -> None:
    with pytest.raises(SippMissing, match="apt-get install sip-tester"):
        run_uac("uac_menu_agent_expect_talk", (HERE, 1), "100")


def test_a_sipp_without_rtp_is_of_no_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare = tmp_path / "sipp"
    bare.write_text("#!/bin/sh\necho ' SIPp v3.6.1-TLS.'\n")
    os.chmod(bare, 0o755)
    monkeypatch.setenv("SIPP_BIN", str(bare))
    find_sipp.cache_clear()
    with pytest.raises(SippMissing, match="can't send RTP"):
        find_sipp()
    find_sipp.cache_clear()


@pytest.mark.parametrize("name", ["uac_nothing", "../runner", ""])
def test_an_unknown_scenario_is_told_with_the_known_ones(name: str) -> None:
    with pytest.raises(ScenarioMissing, match="uas_agent_silent"):
        Scenario.load(name)
