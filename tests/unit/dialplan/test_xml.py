"""The switch's XML: what the entry does, and that no value is more than text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from dialplan import xml
from dialplan.faults import XmlError
from dialplan.numbers import EMERGENCY_NUMBERS
from dialplan.settings import Agent, NumberFallback, Trunk

ENTRY = xml.Entry(
    engines=("10.0.0.1:9009", "10.0.0.2:9009"),
    apology="/prompts/sorry.wav",
    rounds=5,
    trunks=("first", "second"),
    emergency_caller_id="+420221234101",
)
SOCKET = ("socket", "10.0.0.1:9009|10.0.0.2:9009 async full")


def actions(context: etree._Element, extension: str) -> list[tuple[str, str]]:
    found = context.find(f"extension[@name='{extension}']")
    assert found is not None
    return [(action.get("application", ""), action.get("data", "")) for action in found.iter("action")]


def conditions(context: etree._Element, extension: str) -> list[tuple[str | None, str | None]]:
    found = context.find(f"extension[@name='{extension}']")
    assert found is not None
    return [(condition.get("field"), condition.get("expression")) for condition in found.findall("condition")]


def matching(context: etree._Element, destination: str, **variables: str) -> str:
    """The name of the first extension that holds, by FreeSWITCH's rules."""
    values = {"destination_number": destination} | {"${" + name + "}": value for name, value in variables.items()}
    for extension in context.findall("extension"):
        if all(
            condition.get("field") is None
            or re.search(condition.get("expression", ""), values.get(condition.get("field", ""), ""))
            for condition in extension.findall("condition")
        ):
            return extension.get("name", "")
    return ""


def test_the_entry_tries_the_engines_in_rounds_with_pauses_and_then_apologises() -> None:
    assert actions(xml.trunk_context(ENTRY), "cw_entry") == [
        ("set", "hangup_after_bridge=false"),
        ("set", "continue_on_fail=true"),
        ("set", "cw_managed=true"),
        ("set", "cw_attempt=1"),
        SOCKET,
        ("sleep", "500"),
        ("set", "cw_attempt=2"),
        SOCKET,
        ("sleep", "1000"),
        ("set", "cw_attempt=3"),
        SOCKET,
        ("sleep", "2000"),
        ("set", "cw_attempt=4"),
        SOCKET,
        ("sleep", "2000"),
        ("set", "cw_attempt=5"),
        SOCKET,
        ("answer", ""),
        ("sleep", "300"),
        ("playback", "/prompts/sorry.wav"),
        ("playback", xml.CONGESTION_TONE),
        ("hangup", "NORMAL_TEMPORARY_FAILURE"),
    ]


@pytest.mark.parametrize("build", [xml.trunk_context, xml.agent_context])
def test_resuming_does_the_same_rounds_and_is_no_number_that_can_be_dialled(build: object) -> None:
    context = (xml.trunk_context if build is xml.trunk_context else xml.agent_context)(ENTRY)

    assert actions(context, "cw_resume") == actions(context, "cw_entry")
    assert conditions(context, "cw_resume")[0] == ("${cw_seen}", "^.+$")
    assert matching(context, "cw_resume", cw_seen="1") == "cw_resume"
    for dialled in ("cw_resume", "cw_emergency_112", "cw_reserved", "cw_"):
        assert matching(context, dialled) == "cw_reserved"
    assert actions(context, "cw_reserved") == [("hangup", "UNALLOCATED_NUMBER")]
    for dialled in ("+420221234101", "", "anything", "CW_RESUME", "xcw_resume"):
        assert matching(context, dialled, cw_seen="1") == "cw_entry"


@pytest.mark.req("R13")
@pytest.mark.parametrize("number", sorted(EMERGENCY_NUMBERS))
def test_an_emergency_call_gets_out_when_no_engine_takes_it(number: str) -> None:
    context = xml.agent_context(ENTRY)

    for dialled in (number, f"+{number}", f"00{number}"):
        assert matching(context, dialled) == f"cw_emergency_{number}"
    assert actions(context, f"cw_emergency_{number}")[-2:] == [
        SOCKET,
        ("transfer", f"cw_emergency_{number} XML agents"),
    ]
    assert matching(context, f"cw_emergency_{number}", cw_managed="true") == f"cw_emergency_{number}_out"
    out = actions(context, f"cw_emergency_{number}_out")
    assert out[:4] == [
        ("set", "hangup_after_bridge=true"),
        ("set", "effective_caller_id_number=+420221234101"),
        ("bridge", f"sofia/gateway/first/{number}|sofia/gateway/second/{number}"),
        ("sleep", "500"),
    ]
    # Who was through already is not connected again.
    over = matching(context, f"cw_emergency_{number}", cw_managed="true", last_bridge_to="uuid")
    assert actions(context, over) == [("hangup", "NORMAL_CLEARING")]


@pytest.mark.req("R13")
def test_without_trunks_an_emergency_call_takes_the_usual_way() -> None:
    context = xml.agent_context(xml.Entry(("10.0.0.1:9009",), "/sorry.wav"))

    assert matching(context, "112") == "cw_entry"


@pytest.mark.req("R12")
def test_a_number_with_another_line_for_an_outage_goes_there_before_the_apology() -> None:
    entry = replace(ENTRY, rounds=1, fallbacks=(NumberFallback("+420221234101", "+420601234567"),))
    context = xml.trunk_context(entry)

    for dialled in ("+420221234101", "00420221234101", "420221234101", "221234101"):
        assert matching(context, dialled) == "cw_entry_420221234101"
    for dialled in ("+421221234101", "1221234101", "2212341011", "+221234101"):
        assert matching(context, dialled) == "cw_entry"
    assert actions(context, "cw_entry_420221234101") == [
        ("set", "hangup_after_bridge=false"),
        ("set", "continue_on_fail=true"),
        ("set", "cw_managed=true"),
        ("set", "cw_attempt=1"),
        SOCKET,
        ("set", "hangup_after_bridge=true"),
        ("bridge", "sofia/gateway/first/+420601234567|sofia/gateway/second/+420601234567"),
        *actions(context, "cw_entry")[-5:],
    ]


def test_no_argument_is_made_of_what_a_caller_sent() -> None:
    for context in (xml.trunk_context(ENTRY), xml.agent_context(ENTRY)):
        for action in context.iter("action"):
            assert "$" not in action.get("data", "")
        assert {condition.get("field") for condition in context.iter("condition")} <= {
            None, "destination_number", "${cw_seen}", "${cw_managed}", "${last_bridge_to}",
        }  # fmt: skip


def test_trunks() -> None:
    registered = Trunk("operator", "sip.example", "user", "p&ss<", register=True, prefix="9", ping_s=30)

    root = xml.gateways([registered, Trunk("peer", "192.0.2.1:5070")])

    assert xml.to_bytes(root).decode() == (
        "<gateways>\n"
        '  <gateway name="operator">\n'
        '    <param name="proxy" value="sip.example"/>\n'
        '    <param name="register" value="true"/>\n'
        '    <param name="username" value="user"/>\n'
        '    <param name="password" value="p&amp;ss&lt;"/>\n'
        '    <param name="context" value="public"/>\n'
        '    <param name="destination-prefix" value="9"/>\n'
        '    <param name="caller-id-in-from" value="true"/>\n'
        '    <param name="extension" value="auto_to_user"/>\n'
        '    <param name="ping" value="30"/>\n'
        "  </gateway>\n"
        '  <gateway name="peer">\n'
        '    <param name="proxy" value="192.0.2.1:5070"/>\n'
        '    <param name="register" value="false"/>\n'
        '    <param name="username" value="peer"/>\n'
        '    <param name="context" value="public"/>\n'
        '    <param name="caller-id-in-from" value="true"/>\n'
        '    <param name="extension" value="auto_to_user"/>\n'
        "  </gateway>\n"
        "</gateways>\n"
    )


def test_a_directory_as_a_file_and_as_an_answer_of_mod_xml_curl() -> None:
    domain = xml.directory("pbx.example", [Agent("jana", 'a"b>c', "Jana Nováková"), Agent("petr", "x")])

    answer = xml.to_bytes(xml.document("directory", domain)).decode()

    assert answer.startswith(
        '<document type="freeswitch/xml">\n  <section name="directory">\n    <domain name="pbx.exam'
    )
    read = etree.fromstring(answer.encode())
    assert [param.get("value") for param in read.iter("param")] == ['a"b>c', "x"]
    assert [(v.get("name"), v.get("value")) for v in read.iter("variable")] == [
        ("user_context", "agents"),
        ("effective_caller_id_name", "Jana Nováková"),
        ("user_context", "agents"),
    ]


def test_access_lists_deny_everybody_else() -> None:
    root = xml.access_lists({"a": ["192.0.2.0/24"], "b": []})

    assert [(entry.get("name"), entry.get("default")) for entry in root.iter("list")] == [("a", "deny"), ("b", "deny")]
    assert [(node.get("type"), node.get("cidr")) for node in root.iter("node")] == [("allow", "192.0.2.0/24")]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a\nb", "holds a line break or another control character"),
        ("a\rb", "holds a line break or another control character"),
        ("a\x00", "holds a line break or another control character"),
        ("\x7f", "holds a line break or another control character"),
        ("\u2028", "holds a line break or another control character"),
        ("\uffff", "holds a line break or another control character"),
        ("\ud800", "holds a line break or another control character"),
        ("${system(id)}", "holds ${, which FreeSWITCH replaces"),
        ("$${base_dir}", "holds ${, which FreeSWITCH replaces"),
        ("x-Pre-Process", "holds the name of FreeSWITCH's pre-processor, which would drop the line"),
    ],
)
def test_values_that_freeswitch_would_read_as_more_than_text_are_refused(value: str, reason: str) -> None:
    with pytest.raises(XmlError) as caught:
        xml.directory("pbx.example", [Agent("jana", value)])
    assert [str(fault) for fault in caught.value.faults] == [f"param.value: {reason}"]
    with pytest.raises(XmlError):
        xml.trunk_context(xml.Entry((value,), "/sorry.wav"))
    with pytest.raises(XmlError):
        xml.gateways([Trunk(value, "192.0.2.1")])


@given(st.text())
def test_a_value_is_refused_or_read_back_as_it_was(value: str) -> None:
    if xml.refusal(value):
        return

    written = xml.to_bytes(xml.element("param", name="x", value=value))

    assert etree.fromstring(written).get("value") == value
    assert written.count(b"\n") == 1
    assert b"<?" not in written
