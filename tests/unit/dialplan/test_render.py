"""The directory that is written."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from dialplan import contexts, xml
from dialplan.faults import SettingsError, XmlError
from dialplan.render import render, rendered_files, switch_arguments
from dialplan.settings import Agent, EventSocket, RenderSettings, Rtp, SipListen, Trunk
from freeswitch_conf import template_dir

SETTINGS = RenderSettings(
    engines=("127.0.0.1:9009",),
    event_socket=EventSocket("first&secret-0123"),
    sip_external=SipListen("127.0.0.1", 5080),
    sip_internal=SipListen("127.0.0.1", 5060),
    rtp=Rtp("127.0.0.1"),
    domain="pbx.example",
    agents=(Agent("jana", "desk-phone-secret"),),
    trunks=(Trunk("operator", "192.0.2.7"),),
    recordings_dir="/srv/recordings",
    prompts_dir="/srv/prompts",
    log_dir="/srv/log",
    db_dir="/srv/db",
    run_dir="/srv/run",
    fallback_prompt="sorry.wav",
)
FILES = [
    "autoload_configs/acl.conf.xml",
    "autoload_configs/console.conf.xml",
    "autoload_configs/event_socket.conf.xml",
    "autoload_configs/hash.conf.xml",
    "autoload_configs/logfile.conf.xml",
    "autoload_configs/modules.conf.xml",
    "autoload_configs/sofia.conf.xml",
    "autoload_configs/switch.conf.xml",
    "dialplan/agents.xml",
    "dialplan/public.xml",
    "directory/agents.xml",
    "freeswitch.xml",
    "sip_profiles/external.xml",
    "sip_profiles/internal.xml",
    "trunks/trunks.xml",
]


def params(file: Path) -> dict[str, str]:
    return {p.get("name", ""): p.get("value", "") for p in etree.parse(str(file)).iter("param")}


def test_a_new_directory_is_complete(tmp_path: Path) -> None:
    result = render(SETTINGS, template_dir(), tmp_path / "conf")

    assert list(result.created) == FILES
    assert (result.changed, result.unchanged, result.foreign, result.diff) == ((), (), (), "")
    assert result.report() == "\n".join(f"created {name}" for name in FILES)
    assert params(tmp_path / "conf/autoload_configs/event_socket.conf.xml") == {
        "nat-map": "false",
        "listen-ip": "127.0.0.1",
        "listen-port": "8021",
        "password": "first&secret-0123",
        "apply-inbound-acl": "cw_control",
    }
    assert params(tmp_path / "conf/autoload_configs/switch.conf.xml")["api-expansion"] == "false"


def test_rendering_again_changes_nothing_and_writes_nothing(tmp_path: Path) -> None:
    render(SETTINGS, template_dir(), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.xml")}

    result = render(SETTINGS, template_dir(), tmp_path)

    assert list(result.unchanged) == FILES
    assert result.report() == ""
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.xml")} == before


@pytest.mark.req("R123")
def test_a_change_is_shown_as_a_diff_without_passwords(tmp_path: Path) -> None:
    render(SETTINGS, template_dir(), tmp_path)
    (tmp_path / "dialplan/zz_mine.xml").write_text("<context/>")
    changed = replace(
        SETTINGS,
        event_socket=EventSocket("other&secret-0123", port=8022),
        agents=(Agent("jana", "another-desk-secret"),),
    )

    result = render(changed, template_dir(), tmp_path)

    assert result.changed == ("autoload_configs/event_socket.conf.xml", "directory/agents.xml")
    assert result.foreign == ("dialplan/zz_mine.xml",)
    assert result.report() == (
        "changed autoload_configs/event_socket.conf.xml\n"
        "foreign dialplan/zz_mine.xml\n"
        "changed directory/agents.xml\n"
        "--- a/autoload_configs/event_socket.conf.xml\n"
        "+++ b/autoload_configs/event_socket.conf.xml\n"
        "@@ -2,7 +2,7 @@\n"
        "   <settings>\n"
        '     <param name="nat-map" value="false"/>\n'
        '     <param name="listen-ip" value="127.0.0.1"/>\n'
        '-    <param name="listen-port" value="8021"/>\n'
        '+    <param name="listen-port" value="8022"/>\n'
        '     <param name="password" value="…"/>\n'
        '     <param name="apply-inbound-acl" value="cw_control"/>\n'
        "   </settings>\n"
    )


@pytest.mark.req("R123")
def test_files_are_for_owner_and_group_only_and_nothing_temporary_is_left(tmp_path: Path) -> None:
    render(SETTINGS, template_dir(), tmp_path / "conf")

    for path in (tmp_path / "conf").rglob("*"):
        assert path.stat().st_mode & 0o007 == 0
        assert path.is_dir() or path.suffix == ".xml"


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render(SETTINGS, template_dir(), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.xml")}

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        render(replace(SETTINGS, domain="other.example"), template_dir(), tmp_path)

    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_faults_are_reported_together_and_nothing_is_written(tmp_path: Path) -> None:
    bad = replace(SETTINGS, event_socket=EventSocket("ClueCon", "0.0.0.0"), engines=())

    with pytest.raises(SettingsError) as caught:
        render(bad, template_dir(), tmp_path / "conf")

    assert [fault.place for fault in caught.value.faults] == ["engines", "event_socket.ip", "event_socket.password"]
    assert not (tmp_path / "conf").exists()


def test_a_value_that_is_more_than_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(XmlError, match=r"variable.value: holds \$\{"):
        render(replace(SETTINGS, agents=(Agent("jana", "desk-phone-secret", "${x}"),)), template_dir(), tmp_path)


def test_templates_with_unknown_placeholders_or_none_at_all_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text('<x a="@{nothing}" b="@{domain}@{no.such}"/>')

    with pytest.raises(SettingsError) as caught:
        rendered_files(SETTINGS, tmp_path)

    assert [str(fault) for fault in caught.value.faults] == [
        "a.xml: x.a: @{nothing} is not a setting",
        "a.xml: x.b: @{no.such} is not a setting",
    ]
    (tmp_path / "a.xml").unlink()
    with pytest.raises(SettingsError, match="holds no templates"):
        rendered_files(SETTINGS, tmp_path)


@pytest.mark.req("R123")
def test_optional_settings_appear_only_where_they_are_set(tmp_path: Path) -> None:
    plain = params_of(rendered_files(SETTINGS, template_dir())["sip_profiles/internal.xml"])
    tls = replace(
        SETTINGS,
        sip_internal=SipListen("127.0.0.1", 5060, "203.0.113.5", tls_port=5061, tls_dir="/etc/tls"),
        rtp=Rtp("127.0.0.1", public_ip="203.0.113.5"),
        ping_phones=False,
    )
    full = params_of(rendered_files(tls, template_dir())["sip_profiles/internal.xml"])

    assert full.keys() - plain.keys() == {"ext-sip-ip", "ext-rtp-ip", "tls-sip-port", "tls-cert-dir", "tls-version"}
    assert (plain["tls"], full["tls"], full["tls-version"]) == ("false", "true", "tlsv1.2")
    assert (plain["all-reg-options-ping"], full["all-reg-options-ping"]) == ("true", "false")
    assert "" not in plain.values()
    named = replace(SETTINGS, switch_name="switch-1")
    core = [params_of(rendered_files(s, template_dir())["autoload_configs/switch.conf.xml"]) for s in (SETTINGS, named)]
    assert [values.get("switchname") for values in core] == [None, "switch-1"]


def params_of(content: bytes) -> dict[str, str]:
    return {p.get("name", ""): p.get("value", "") for p in etree.fromstring(content).iter("param")}


def test_trunks_and_engines_are_who_may_connect() -> None:
    acl = etree.fromstring(rendered_files(SETTINGS, template_dir())["autoload_configs/acl.conf.xml"])

    assert {e.get("name"): [n.get("cidr") for n in e] for e in acl.iter("list")} == {
        "cw_trunks": ["192.0.2.7/32"],
        "cw_control": ["127.0.0.1/32"],
    }


def test_the_switch_is_started_on_the_directory_with_its_state_elsewhere(tmp_path: Path) -> None:
    arguments = switch_arguments(SETTINGS, tmp_path)

    assert arguments[:3] == ["-nonat", "-nf", "-nc"]
    assert dict(zip(arguments[3::2], arguments[4::2], strict=True)) == {
        "-conf": str(tmp_path),
        "-log": "/srv/log",
        "-db": "/srv/db",
        "-run": "/srv/run",
        "-recordings": "/srv/recordings",
        "-sounds": "/srv/prompts",
    }


def test_the_tree_is_the_source_of_the_dialplan() -> None:
    files = rendered_files(SETTINGS, template_dir())
    entry = contexts.Entry(("127.0.0.1:9009",), "/srv/prompts/sorry.wav", trunks=("operator",))

    assert files["dialplan/public.xml"] == xml.to_bytes(contexts.trunk_context(entry))
    assert files["dialplan/agents.xml"] == xml.to_bytes(contexts.agent_context(entry))
