"""What doctor says of a switch: of one that is well, and of each fault. tests/sip/test_doctor.py asks real ones."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import freeswitch_conf
from callwright.doctor import switch as examined
from callwright.doctor.finding import Finding, Subject
from engine.config import Address, Config, Switch
from tests.unit.callwright.fake_switch import GATEWAY, PASSWORD, FakeSwitch, dialplan, engine, settings, sofia, well

Examine = Callable[..., list[Finding]]
XML = "xml_locate configuration configuration name"


@pytest.fixture
def listening() -> Iterator[str]:
    with engine() as address:
        yield address


@pytest.fixture
def examine(listening: str, tmp_path: Path) -> Examine:
    """Asks a switch that is well but for the answers that are given."""
    (tmp_path / "recordings").mkdir()
    (tmp_path / "prompts").mkdir()

    def run(changed: dict[str, str] | None = None, *, password: str = PASSWORD, **options: str) -> list[Finding]:
        host, _, port = listening.rpartition(":")
        plain = Config()
        directories = {"recordings_dir": tmp_path / "recordings", "prompts_dir": tmp_path / "prompts"}
        config = plain.model_copy(
            update={
                "engine": plain.engine.model_copy(update=directories),
                "dialplan": plain.dialplan.model_copy(update={"engines": (Address(host=host, port=int(port)),)}),
            }
        )
        with FakeSwitch(well(listening) | (changed or {}), **options) as switch:
            named = Switch(name="fs-a", port=switch.port, password=password)
            return list(examined.examine(Subject(config), named))

    return run


def test_a_switch_that_is_well(examine: Examine) -> None:
    found = examine()
    assert {finding.level for finding in found} == {"ok"}
    whats = [finding.what for finding in found]
    assert "all 11 modules are loaded" in whats
    assert "it takes the password of the configuration" in whats
    assert any(what.startswith("its event socket lets in whom cw_control names") for what in whats)


@pytest.mark.parametrize(
    ("changed", "level", "what", "advice"),
    [
        ({"version short": "1.8.7"}, "fail", "FreeSWITCH 1.8.7 is too old", "1.10"),
        ({"switchname": "other"}, "fail", "it calls itself other, the configuration fs-a", "switch_name"),
        ({"status": "UP\nFreeSWITCH is not ready"}, "fail", "it takes no calls (not ready)", "fsctl resume"),
        ({"module_exists mod_sndfile": "false"}, "fail", "mod_sndfile is not loaded", "nothing is recorded"),
        ({"module_exists mod_console": "false"}, "warn", "mod_console is not loaded", "fs_cli"),
        (
            {"eval ${echo(callwright-doctor)}": "callwright-doctor"},
            "fail",
            "commands in arguments are run: ${system(…)} in one of them is a shell (api-expansion)",
            'name="api-expansion" value="false"',
        ),
        ({"fsctl sps": "+OK sessions per second: 30"}, "warn", "30 new channels a second, ", "'fsctl sps 100'"),
        ({f"{XML} event_socket.conf": settings("event_socket")}, "fail", "its event socket listens on ::", "listen-ip"),
        (
            {f"{XML} event_socket.conf": settings("event_socket", listen_ip="10.0.0.1")},
            "warn",
            "its event socket has no access list",
            "cw_control",
        ),
        (
            {"acl 203.0.113.1 cw_control": "true"},
            "fail",
            "its event socket's access list cw_control lets strangers in (203.0.113.1)",
            "reloadacl",
        ),
        (
            {"acl 127.0.0.1 cw_control": "false"},
            "fail",
            "its event socket's access list cw_control keeps the engine at 127.0.0.1 out",
            "dialplan.engines",
        ),
        (
            {f"{XML} sofia.conf": sofia(auth_calls="false")},
            "fail",
            "SIP profile external has no access list: whoever reaches it may call (toll fraud)",
            "cw_trunks",
        ),
        (
            {"acl 203.0.113.1 cw_trunks": "true", "acl 198.51.100.1 cw_trunks": "true"},
            "fail",
            "SIP profile external: its access list cw_trunks lets everybody in",
            "the trunks' networks",
        ),
        ({"acl 203.0.113.1 cw_trunks": "true"}, "ok", "SIP profile external takes calls from whom cw_trunks names", ""),
        ({"sofia status": "Name\tType\tData\tState\n"}, "fail", "SIP profile external: not there", "start"),
        (
            {"sofia status profile external": "CODECS IN        \tOPUS@48000h\n"},
            "fail",
            "SIP profile external speaks OPUS@48000h, not PCMA or PCMU",
            "render",
        ),
        (
            {"sofia xmlstatus gateway": f"<gateways>{GATEWAY.format('o2', 'FAIL_WAIT', 'DOWN')}</gateways>"},
            "fail",
            "trunk o2 is not registered (FAIL_WAIT)",
            "sofia status gateway o2",
        ),
        (
            {"sofia xmlstatus gateway": f"<gateways>{GATEWAY.format('o2', 'NOREG', 'DOWN')}</gateways>"},
            "fail",
            "trunk o2 is DOWN",
            "OPTIONS",
        ),
        ({"sofia xmlstatus gateway": "<gateways></gateways>"}, "warn", "no trunk: ", "render"),
        (
            {"xml_locate dialplan context name public": dialplan("public", "127.0.0.1:1")},
            "fail",
            "no engine takes calls at 127.0.0.1:1",
            "dialplan.engines",
        ),
        (
            {"xml_locate dialplan context name agents": "-ERR not found\n"},
            "fail",
            "the dialplan context agents hands no call to an engine",
            "reloadxml",
        ),
        (
            {f"{XML} switch.conf": settings("switch", rtp_start_port="20000", rtp_end_port="20100")},
            "warn",
            "media ports 20000 to 20100, the configuration says 16384 to 32767",
            "firewall",
        ),
    ],
)
def test_a_fault(examine: Examine, changed: dict[str, str], level: str, what: str, advice: str) -> None:
    found = [finding for finding in examine(changed) if finding.what.startswith(what)]
    assert [finding.level for finding in found] == [level]
    assert advice in found[0].advice


def test_a_wrong_password(examine: Examine) -> None:
    (found,) = examine(password="not-the-password")
    assert found.level == "fail"
    assert "does not take the password of the configuration" in found.what
    assert "not-the-password" not in repr(found)


@pytest.mark.req("R123")
def test_the_public_password() -> None:
    with FakeSwitch({}, password="ClueCon") as switch:
        named = Switch(name="fs-a", port=switch.port, password="a-password-of-ours")
        (found,) = examined.examine(Subject(Config()), named)
    assert found.level == "fail"
    assert "takes FreeSWITCH's public default password" in found.what


def test_a_configuration_that_everybody_may_read(examine: Examine) -> None:
    def told(directory: str) -> list[str]:
        return [each.level for each in examine({"global_getvar log_dir": directory}) if "holds passwords" in each.what]

    with tempfile.TemporaryDirectory(dir="/tmp") as directory:  # pytest's own directories are closed to others
        Path(directory).chmod(0o755)
        assembled = Path(directory, "freeswitch.xml.fsxml")
        assembled.touch()
        assembled.chmod(0o644)
        assert told(directory) == ["warn"]
        assembled.chmod(0o640)
        assert told(directory) == []
        assembled.chmod(0o644)
        Path(directory).chmod(0o700)
        assert told(directory) == []


def test_an_address_that_is_not_on_the_list(examine: Examine) -> None:
    (found,) = examine(greeting="Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n")
    assert found.level == "fail"
    assert "does not let this address in" in found.what
    assert "apply-inbound-acl" in found.advice


def test_the_modules_are_those_that_we_render() -> None:
    rendered = (freeswitch_conf.template_dir() / "autoload_configs" / "modules.conf.xml").read_text(encoding="utf-8")
    assert sorted(examined.MODULES) == sorted(part.partition('"')[0] for part in rendered.split('load module="')[1:])
