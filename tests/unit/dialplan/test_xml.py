"""The switch's XML: what the entry does, and that no value is more than text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from dialplan import contexts, xml
from dialplan.faults import XmlError
from dialplan.numbers import EMERGENCY_NUMBERS
from dialplan.settings import Agent, NumberFallback, Trunk

ENTRY = contexts.Entry(
    engines=("10.0.0.1:9009", "10.0.0.2:9009"),
    apology="/prompts/sorry.wav",
    rounds=5,
    trunks=("first", "second"),
    emergency_caller_id="+420221234101",
)
SOCKET = ("socket", "10.0.0.1:9009|10.0.0.2:9009 async full")


def marks(home: str) -> list[tuple[str, str]]:
    """What is set on every call that is handed over."""
    return [
        ("set", "hangup_after_bridge=false"),
        ("set", "continue_on_fail=true"),
        ("set", "cw_managed=true"),
        ("set", f"cw_home={home}"),
        ("set", "cw_watchdog=true"),
    ]


APOLOGY = [
    ("answer", ""),
    ("sleep", "300"),
    ("playback", "/prompts/sorry.wav"),
    ("playback", contexts.CONGESTION_TONE),
    ("hangup", "NORMAL_TEMPORARY_FAILURE"),
]


def tried(number: int, watchdog: str, socket: tuple[str, str] = SOCKET) -> list[tuple[str, str]]:
    """One round."""
    return [("set", f"cw_attempt={number}"), ("sched_transfer", watchdog), socket, ("sched_cancel", "")]


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
        if extension.get("continue") != "true" and all(
            condition.get("field") is None
            or re.search(condition.get("expression", ""), values.get(condition.get("field", ""), ""))
            for condition in extension.findall("condition")
        ):
            return extension.get("name", "")
    return ""


def test_the_entry_tries_the_engines_in_rounds_with_pauses_and_then_apologises() -> None:
    again = "+8 cw_again XML public"
    assert actions(contexts.trunk_context(ENTRY), "cw_entry") == [
        *marks("public"),
        *tried(1, again),
        ("sleep", "500"),
        *tried(2, again),
        ("sleep", "1000"),
        *tried(3, again),
        ("sleep", "2000"),
        *tried(4, again),
        ("sleep", "2000"),
        *tried(5, again),
        *APOLOGY,
    ]


@pytest.mark.parametrize(("build", "name"), [(contexts.trunk_context, "public"), (contexts.agent_context, "agents")])
def test_a_watchdog_takes_the_call_to_the_engines_in_the_opposite_order_and_at_last_to_the_apology(
    build: Callable[[contexts.Entry], etree._Element], name: str
) -> None:
    context = build(replace(ENTRY, rounds=2))
    socket = ("socket", "10.0.0.2:9009|10.0.0.1:9009 async full")

    assert matching(context, "cw_again", cw_managed="true") == "cw_again"
    assert actions(context, "cw_again") == [
        *marks(name),
        *tried(3, f"+8 cw_over XML {name}", socket),
        ("sleep", "500"),
        *tried(4, f"+8 cw_over XML {name}", socket),
        *APOLOGY,
    ]
    assert matching(context, "cw_over", cw_managed="true") == "cw_over"
    assert actions(context, "cw_over") == APOLOGY
    for dialled in ("cw_again", "cw_over"):
        assert matching(context, dialled) == "cw_reserved"


def test_the_dialled_number_is_kept_and_only_a_number() -> None:
    found = contexts.trunk_context(ENTRY).find("extension[@name='cw_dialled']")
    assert found is not None
    assert found.get("continue") == "true"
    [(_, expression)] = conditions(contexts.trunk_context(ENTRY), "cw_dialled")
    for dialled in ("+420221234101", "221234101", "*21*5#", "1" * 32):
        assert re.search(str(expression), dialled)[1] == dialled
    for dialled in ("", "jana", "${system(id)}", "1;x=2", "1\n2", "1 2", "cw_again", "1" * 33):
        assert re.search(str(expression), dialled) is None
    assert actions(contexts.trunk_context(ENTRY), "cw_dialled") == [("set", "cw_did=$1")]


@pytest.mark.parametrize("build", [contexts.trunk_context, contexts.agent_context])
def test_resuming_does_the_same_rounds_and_is_no_number_that_can_be_dialled(build: object) -> None:
    context = (contexts.trunk_context if build is contexts.trunk_context else contexts.agent_context)(ENTRY)

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
    context = contexts.agent_context(replace(ENTRY, rounds=2))

    for dialled in (number, f"+{number}", f"00{number}"):
        assert matching(context, dialled) == f"cw_emergency_{number}"
    assert actions(context, f"cw_emergency_{number}") == [
        *marks("agents"),
        *tried(1, f"+3 cw_emergency_{number} XML agents"),
        ("transfer", f"cw_emergency_{number} XML agents"),
    ]
    assert matching(context, f"cw_emergency_{number}", cw_managed="true") == f"cw_emergency_{number}_out"
    out = actions(context, f"cw_emergency_{number}_out")
    assert out == [
        ("set", "hangup_after_bridge=true"),
        ("set", "effective_caller_id_number=+420221234101"),
        ("bridge", f"sofia/gateway/first/{number}|sofia/gateway/second/{number}"),
        *tried(2, "+8 cw_again XML agents"),
        ("sleep", "500"),
        *tried(3, "+8 cw_again XML agents"),
        *APOLOGY,
    ]
    # Who was through already is not connected again.
    over = matching(context, f"cw_emergency_{number}", cw_managed="true", last_bridge_to="uuid")
    assert actions(context, over) == [("hangup", "NORMAL_CLEARING")]


@pytest.mark.req("R13")
def test_without_trunks_an_emergency_call_takes_the_usual_way() -> None:
    context = contexts.agent_context(contexts.Entry(("10.0.0.1:9009",), "/sorry.wav"))

    assert matching(context, "112") == "cw_entry"


@pytest.mark.req("R12")
def test_a_number_with_another_line_for_an_outage_goes_there_before_the_apology() -> None:
    entry = replace(ENTRY, rounds=1, fallbacks=(NumberFallback("+420221234101", "+420601234567"),))
    context = contexts.trunk_context(entry)

    for dialled in ("+420221234101", "00420221234101", "420221234101", "221234101"):
        assert matching(context, dialled) == "cw_entry_420221234101"
    for dialled in ("+421221234101", "1221234101", "2212341011", "+221234101"):
        assert matching(context, dialled) == "cw_entry"
    out = [
        ("set", "hangup_after_bridge=true"),
        ("bridge", "sofia/gateway/first/+420601234567|sofia/gateway/second/+420601234567"),
        *APOLOGY,
    ]
    home, again, over = "public_420221234101", "cw_again_420221234101", "cw_over_420221234101"
    assert actions(context, "cw_entry_420221234101") == [*marks(home), *tried(1, f"+8 {again} XML public"), *out]
    assert matching(context, again, cw_managed="true") == again
    assert actions(context, again)[-len(out) :] == out
    assert ("sched_transfer", f"+8 {over} XML public") in actions(context, again)
    assert matching(context, over, cw_managed="true") == over
    assert actions(context, over) == out


@pytest.mark.req("R12")
@pytest.mark.parametrize(
    ("home", "way"),
    [("public_420221234101", "{}_420221234101 XML public"), ("agents", "{} XML agents"), ("public", "")],
)
def test_a_call_that_comes_back_keeps_its_way_out(home: str, way: str) -> None:
    """Engines bring every call back to the trunk context: after a conversation, and from an engine that is gone."""
    context = contexts.trunk_context(replace(ENTRY, fallbacks=(NumberFallback("+420221234101", "+420601234567"),)))
    agents = contexts.agent_context(ENTRY)

    for name, guard in (("cw_resume", "cw_seen"), ("cw_again", "cw_managed")):
        variables = {"cw_home": home, guard: "true"}
        extension = matching(context, name, **variables)
        if way:
            assert actions(context, extension) == [("transfer", way.format(name))]
            there = agents if home == "agents" else context
            arrived = way.split()[0].format(name)
            assert matching(there, arrived, **variables) == arrived
            assert marks(home)[3] in actions(there, arrived)
        else:
            assert extension == name
        assert matching(context, name, cw_home=home) == "cw_reserved"


def test_no_argument_is_made_of_what_a_caller_sent() -> None:
    for context in (contexts.trunk_context(ENTRY), contexts.agent_context(ENTRY)):
        for action in context.iter("action"):
            assert "$" not in action.get("data", "") or action.get("data") == "cw_did=$1"
        assert {condition.get("field") for condition in context.iter("condition")} <= {
            None, "destination_number", "${cw_seen}", "${cw_managed}", "${cw_home}", "${last_bridge_to}",
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
        contexts.trunk_context(contexts.Entry((value,), "/sorry.wav"))
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
