"""The configuration directory of FreeSWITCH, as the lab switch reads it; dialplan and expansion."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from labswitch.config import ConfigError, is_true, load
from labswitch.dialplan import Action, Dialplan
from labswitch.expand import expand

ROOT = """<document type="freeswitch/xml">
  <X-PRE-PROCESS cmd="set" data="secret=hidden"/>
  <X-PRE-PROCESS cmd="set" data="domain=lab.example"/>
  <section name="configuration">
    <X-PRE-PROCESS cmd="include" data="autoload_configs/*.xml"/>
  </section>
  <section name="dialplan">
    <X-PRE-PROCESS cmd="include" data="dialplan/*.xml"/>
  </section>
  <section name="directory">
    <X-PRE-PROCESS cmd="include" data="directory/*.xml"/>
  </section>
</document>"""
SOFIA = """<configuration name="sofia.conf"><profiles>
    <X-PRE-PROCESS cmd="include" data="../profiles/*.xml"/>
</profiles></configuration>"""
EXTERNAL = """<include><profile name="external">
  <domains><domain name="all" alias="true"/></domains>
  <gateways><gateway name="trunk"><param name="proxy" value="127.0.0.1:5090"/><param name="username" value="u"/>
    <param name="password" value="p"/><param name="register" value="false"/></gateway></gateways>
  <settings><param name="sip-ip" value="127.0.0.1"/><param name="sip-port" value="5080"/>
    <param name="context" value="public"/></settings>
</profile></include>"""
INTERNAL = """<profile name="internal"><!-- phones --><settings><param name="sip-port" value="5060"/>
  <param name="auth-calls" value="true"/><param name="context" value="agents"/></settings></profile>"""
USERS = """<include><domain name="$${domain}"><params><param name="dial-string" value="x"/></params><groups>
  <group name="all"><users><user id="alice"><params><param name="password" value="w"/></params>
  <variables><variable name="user_context" value="agents"/></variables></user>
  <user id="bob" type="pointer"/></users></group></groups></domain></include>"""


def write(directory: Path, **files: str) -> None:
    """Files by name with `__` for `/` and no `.xml`."""
    for name, text in files.items():
        path = directory / (name.replace("__", "/") + ".xml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_everything_that_the_lab_switch_reads(tmp_path: Path) -> None:
    write(
        tmp_path,
        freeswitch=ROOT,
        autoload_configs__event_socket='<configuration name="event_socket.conf"><settings>'
        '<param name="listen-ip" value="127.0.0.1"/><param name="listen-port" value="8099"/>'
        '<param name="password" value="$${secret}"/></settings></configuration>',
        autoload_configs__switch='<configuration name="switch.conf"><settings>'
        '<param name="rtp-start-port" value="20000"/><param name="rtp-end-port" value="20999"/>'
        '<param name="max-sessions" value="50"/>'
        '<param name="sessions-per-second" value="7"/><param name="api-expansion" value="false"/>'
        "</settings></configuration>",
        autoload_configs__sofia=SOFIA,
        profiles__external=EXTERNAL,
        profiles__internal=INTERNAL,
        dialplan__a='<include><context name="public"/><context name="agents"/></include>',
        dialplan__b='<context name="internal"/>',
        directory__users=USERS,
    )
    config = load(tmp_path)
    assert (config.esl_ip, config.esl_port, config.esl_password) == ("127.0.0.1", 8099, "hidden")
    assert (config.rtp_start_port, config.rtp_end_port) == (20000, 20999)
    assert (config.max_sessions, config.sessions_per_second, config.api_expansion) == (50, 7, False)
    assert set(config.contexts) == {"public", "agents", "internal"}
    external, internal = config.profiles["external"], config.profiles["internal"]
    assert (external.sip_port, external.context, external.auth_calls) == (5080, "public", False)
    assert (internal.sip_port, internal.context, internal.auth_calls) == (5060, "agents", True)
    gateway = config.gateway("trunk")
    assert gateway is not None
    assert (gateway.proxy, gateway.username, gateway.password, gateway.register) == ("127.0.0.1:5090", "u", "p", False)
    (alice,) = config.users
    assert (alice.name, alice.domain, alice.password, alice.user_context) == ("alice", "lab.example", "w", "agents")
    assert alice.params["dial-string"] == "x"
    assert config.user("alice", "lab.example") is alice
    assert config.user("nobody") is None


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "freeswitch.xml: no such file"),
        ({"freeswitch": "<document>"}, "freeswitch.xml"),
        ({"freeswitch": ROOT, "autoload_configs__bad": "<configuration"}, "bad.xml"),
        (
            {
                "freeswitch": ROOT,
                "autoload_configs__s": '<configuration name="switch.conf"><settings>'
                '<param name="max-sessions" value="many"/></settings></configuration>',
            },
            "'many'",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    write(tmp_path, **files)
    with pytest.raises(ConfigError, match=message):
        load(tmp_path)


@pytest.mark.parametrize("text", ["true", "YES", "on", "1", "enabled", "-1"])
def test_true(text: str) -> None:
    assert is_true(text)


@pytest.mark.parametrize("text", ["false", "no", "0", "", None, "maybe"])
def test_not_true(text: str | None) -> None:
    assert not is_true(text)


def route(xml: str, **fields: str) -> tuple[list[str], list[str]]:
    """Actions that a call gets, and what ran inline."""
    plan = Dialplan({"c": etree.fromstring(f'<context name="c">{xml}</context>')})
    inline: list[Action] = []

    def run_inline(action: Action) -> None:
        inline.append(action)
        name, _, value = action.data.partition("=")
        fields[name] = value

    def read(name: str) -> str:
        return fields.get(name, "")

    matches = plan.route("c", read, lambda text: expand(text, fields.get, lambda *_: None), run_inline)
    found = [f"{a.application}:{a.data}" for match in matches for a in match.actions]
    return found, [action.data for action in inline]


def test_captures_and_the_first_extension_that_holds() -> None:
    xml = """<extension name="no"><condition field="destination_number" expression="^9$"/></extension>
    <extension name="yes"><condition field="destination_number" expression="^(\\d)(\\d+)$">
      <action application="a" data="$1-$2-${2}-$0"/></condition></extension>
    <extension name="late"><condition><action application="b"/></condition></extension>"""
    assert route(xml, destination_number="123") == (["a:1-23-23-123"], [])


def test_continue_goes_on_to_later_extensions() -> None:
    xml = """<extension continue="true"><condition><action application="a"/></condition></extension>
    <extension><condition><action application="b"/></condition></extension>"""
    assert route(xml)[0] == ["a:", "b:"]


def test_all_conditions_must_hold_unless_break_says_otherwise() -> None:
    both = """<extension><condition field="destination_number" expression="1"{}><action application="a"/>
    <anti-action application="n"/></condition>
    <condition field="caller_id_number" expression="2"><action application="b"/></condition></extension>"""
    assert route(both.format(""), destination_number="1", caller_id_number="2")[0] == ["a:", "b:"]
    assert route(both.format(""), destination_number="3", caller_id_number="2")[0] == ["n:"]
    assert route(both.format(' break="on-true"'), destination_number="1", caller_id_number="2")[0] == ["a:"]
    assert route(both.format(' break="never"'), destination_number="3", caller_id_number="2")[0] == ["n:", "b:"]


def test_an_inline_action_is_seen_by_later_conditions() -> None:
    xml = """<extension><condition field="destination_number" expression="1">
    <action application="set" data="x=5" inline="true"/><action application="a"/></condition>
    <condition field="${x}" expression="^5$"><action application="b"/></condition></extension>"""
    assert route(xml, destination_number="1") == (["a:", "b:"], ["x=5"])


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("${a}-${a}", "abc-abc"),
        ("${${b}}", "abc"),
        ("${a:1}${a:0:2}${a:-1}", "bcabc"),
        ("${missing}", ""),
        ("${upper(x ${a})}", "X ABC"),
        ("${nosuch(1)}", ""),
        ("${open", "${open"),
        ("$1 {a}", "$1 {a}"),
    ],
)
def test_expansion(text: str, expanded: str) -> None:
    values = {"a": "abc", "b": "a"}
    assert expand(text, values.get, lambda name, given: given.upper() if name == "upper" else None) == expanded
