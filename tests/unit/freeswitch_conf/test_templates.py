"""The rendered directory against what FreeSWITCH knows.

`known_names.json` holds the names that FreeSWITCH 1.11.3-dev (git cc93a68) reads: it passes over an unknown one in
silence, so that a slip of the pen would leave a switch without its protection.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from dialplan.render import render
from dialplan.settings import SipListen
from freeswitch_conf import template_dir
from tests.unit.freeswitch_conf.real_switch import settings_in

KNOWN: dict[str, list[str]] = json.loads((Path(__file__).parent / "known_names.json").read_text())
REQUIRED_MODULES = {
    "mod_commands", "mod_console", "mod_dialplan_xml", "mod_dptools", "mod_event_socket", "mod_hash", "mod_logfile",
    "mod_loopback", "mod_sndfile", "mod_sofia", "mod_tone_stream",
}  # fmt: skip


@pytest.fixture(scope="module")
def conf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with everything that can be set."""
    base = tmp_path_factory.mktemp("switch")
    settings = settings_in(base, emergency_caller_id="+420221234101")
    internal = replace(settings.sip_internal, public_ip="203.0.113.5", tls_port=5061, tls_dir="/etc/tls")
    external = SipListen("127.0.0.1", settings.sip_external.port, "203.0.113.5", 5081, "/etc/tls")
    rtp = replace(settings.rtp, public_ip="203.0.113.5")
    trunks = (replace(settings.trunks[0], prefix="9", ping_s=30, password="line-secret", username="line"),)
    settings = replace(settings, sip_internal=internal, sip_external=external, rtp=rtp, trunks=trunks)
    render(settings, template_dir(), base / "conf")
    return base / "conf"


@pytest.fixture(scope="module")
def document(conf: Path) -> etree._Element:
    """The whole configuration as FreeSWITCH puts it together."""
    return assembled(conf / "freeswitch.xml")


def assembled(file: Path) -> etree._Element:
    """One file with its includes. Fails for what a simple reader, the lab switch's, would not understand."""
    root = etree.parse(str(file), etree.XMLParser(remove_comments=True)).getroot()
    for node in list(root.iter("X-PRE-PROCESS")):
        parent = node.getparent()
        assert parent is not None
        assert node.get("cmd") == "include"
        found = sorted(file.parent.glob(node.get("data", "")))
        assert found, f"{file.name}: {node.get('data')} includes nothing"
        for included in found:
            parent.insert(parent.index(node), assembled(included))
        parent.remove(node)
    return root


def configuration(document: etree._Element, name: str) -> etree._Element:
    found = document.find(f".//configuration[@name='{name}']")
    assert found is not None
    return found


def settings_of(element: etree._Element) -> dict[str, str]:
    return {param.get("name", ""): param.get("value", "") for param in element.iterfind("settings/param")}


def profile(document: etree._Element, name: str) -> dict[str, str]:
    found = document.find(f".//profiles/profile[@name='{name}']")
    assert found is not None
    return settings_of(found)


def names_with_places(document: etree._Element) -> Iterator[tuple[str, str]]:
    for name in ("switch.conf", "event_socket.conf", "logfile.conf", "console.conf"):
        for param in configuration(document, name).iter("param"):
            yield name, param.get("name", "")
    sofia = configuration(document, "sofia.conf")
    yield from (("sofia.conf", param.get("name", "")) for param in sofia.iterfind("global_settings/param"))
    yield from (("profile", param.get("name", "")) for param in sofia.iterfind("profiles/profile/settings/param"))
    yield from (("gateway", param.get("name", "")) for param in sofia.iter("param") if _parent(param) == "gateway")
    yield from (("applications", action.get("application", "")) for action in document.iter("action"))


def _parent(node: etree._Element) -> str:
    parent = node.getparent()
    return "" if parent is None else str(parent.tag)


def test_freeswitch_knows_every_name(document: etree._Element) -> None:
    used = list(names_with_places(document))

    assert [(place, name) for place, name in used if name not in KNOWN[place]] == []
    assert {place for place, _ in used} == KNOWN.keys()


def test_no_name_stands_twice(document: etree._Element) -> None:
    for parent in document.iter("settings", "gateway", "params"):
        names = [param.get("name") for param in parent.iterfind("param")]
        assert len(names) == len(set(names))


def test_the_modules_are_those_that_are_needed_and_sofia_comes_last(document: etree._Element) -> None:
    modules = [load.get("module") for load in configuration(document, "modules.conf").iter("load")]

    assert set(modules) == REQUIRED_MODULES
    assert len(modules) == len(REQUIRED_MODULES)
    assert modules[-1] == "mod_sofia"


def test_what_is_named_exists(document: etree._Element) -> None:
    contexts = {context.get("name") for context in document.iterfind("section[@name='dialplan']/context")}
    lists = {entry.get("name") for entry in configuration(document, "acl.conf").iter("list")} | {"nat.auto"}
    gateways = {gateway.get("name") for gateway in document.iter("gateway")}
    domains = {domain.get("name") for domain in document.iterfind("section[@name='directory']/domain")}

    assert contexts == {"public", "agents"}
    for node in document.iter("param", "variable"):
        name, value = node.get("name", ""), node.get("value")
        if name in ("context", "user_context"):
            assert value in contexts
        if name.startswith("apply-") and name.endswith("-acl"):
            assert value in lists
        if name.startswith("force-") or name == "challenge-realm":
            assert value in domains
    for action in document.iter("action"):
        data = action.get("data", "")
        assert set(re.findall(r"sofia/gateway/([^/|]+)/", data)) <= gateways
        if action.get("application") == "transfer":
            assert data.split()[1:] in [["XML", context] for context in contexts]


def test_nothing_is_expanded_and_no_secret_is_a_global_variable(conf: Path, document: etree._Element) -> None:
    for file in conf.rglob("*.xml"):
        assert "$${" not in file.read_text()
        assert "@{" not in file.read_text()
    for node in document.iter():
        for name, value in node.attrib.items():
            assert "${" not in str(value) or (node.tag, name) == ("condition", "field")


@pytest.mark.req("R123")
def test_the_event_socket_and_the_core_are_closed(document: etree._Element) -> None:
    core, control = (settings_of(configuration(document, name)) for name in ("switch.conf", "event_socket.conf"))

    assert core["api-expansion"] == "false"
    assert (control["listen-ip"], control["apply-inbound-acl"]) == ("127.0.0.1", "cw_control")
    assert control["password"] not in ("", "ClueCon")


def test_trunks_are_let_in_by_address_and_phones_by_password(document: etree._Element) -> None:
    external, internal = profile(document, "external"), profile(document, "internal")

    assert (external["auth-calls"], external["apply-inbound-acl"]) == ("false", "cw_trunks")
    assert (external["disable-register"], external["disable-transfer"]) == ("true", "true")
    assert internal["auth-calls"] == "true"
    assert "apply-inbound-acl" not in internal
    for name in ("accept-blind-reg", "accept-blind-auth"):
        assert internal[name] == "false"
    assert internal["inbound-reg-force-matching-username"] == "true"
    assert (external["tls-version"], internal["tls-version"]) == ("tlsv1.2", "tlsv1.2")
    for each in (external, internal):
        assert (each["dtmf-type"], each["liberal-dtmf"]) == ("rfc2833", "true")
        assert each["inbound-codec-prefs"] == each["outbound-codec-prefs"] == "PCMA,PCMU"


def frslint(*arguments: str) -> str:
    command = [sys.executable, "-m", "frslint", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_frslint_finds_nothing(conf: Path) -> None:
    assert "No style violations found" in frslint("lint", str(conf / "freeswitch.xml"))
    assert "No issues found" in frslint("analyze", str(conf / "freeswitch.xml"))


@pytest.mark.parametrize(
    ("number", "context", "last"),
    [
        ("+420221234101", "public", "hangup: NORMAL_TEMPORARY_FAILURE"),
        ("cw_resume", "public", "hangup: UNALLOCATED_NUMBER"),
        ("2001", "agents", "hangup: NORMAL_TEMPORARY_FAILURE"),
        ("112", "agents", "transfer: cw_emergency_112 XML agents"),
        ("112", "public", "hangup: NORMAL_TEMPORARY_FAILURE"),
    ],
)
def test_frslint_follows_the_dialplan_where_it_should_go(conf: Path, number: str, context: str, last: str) -> None:
    trace = frslint("debug", str(conf / "freeswitch.xml"), number, "-c", context).strip().splitlines()

    assert trace[-1] == last


def test_every_template_is_in_the_package(conf: Path) -> None:
    templates = {path.relative_to(template_dir()).as_posix() for path in template_dir().rglob("*.xml")}

    assert templates <= {path.relative_to(conf).as_posix() for path in conf.rglob("*.xml")}
    assert {len(Path(name).parts) for name in templates} == {1, 2}
