"""What is refused before a switch is rendered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dialplan.faults import SettingsError
from dialplan.settings import Agent, EventSocket, NumberFallback, RenderSettings, Rtp, SipListen, Trunk

GOOD = RenderSettings(
    engines=("10.0.0.1:9009", "127.0.0.1:9010"),
    event_socket=EventSocket("0123456789abcdef", allow=("10.1.0.0/16",)),
    sip_external=SipListen("203.0.113.5", 5080),
    sip_internal=SipListen("203.0.113.5", 5060, tls_port=5061, tls_dir="/etc/tls"),
    rtp=Rtp("203.0.113.5", 16384, 32768),
    domain="pbx.example",
    agents=(Agent("jana", "desk-phone-secret", "Jana"),),
    trunks=(
        Trunk("operator", "sip.example", "user", "secret", register=True, networks=("198.51.100.0/24",)),
        Trunk("peer", "192.0.2.7:5070", prefix="9", ping_s=30),
    ),
    recordings_dir="/var/lib/callwright/recordings",
    prompts_dir="/var/lib/callwright/prompts",
    log_dir="/var/log/freeswitch",
    db_dir="/var/lib/freeswitch/db",
    run_dir="/run/freeswitch",
    fallback_prompt="cs/sorry.wav",
)


def faults(**changes: Any) -> list[str]:
    return [str(fault) for fault in replace(GOOD, **changes).faults()]


def test_a_sound_node_has_no_faults_and_its_derived_values() -> None:
    GOOD.check()

    assert GOOD.prompt_path() == "/var/lib/callwright/prompts/cs/sorry.wav"
    assert replace(GOOD, fallback_prompt="/srv/sorry.wav").prompt_path() == "/srv/sorry.wav"
    assert GOOD.trunk_networks() == ("192.0.2.7/32", "198.51.100.0/24")
    assert GOOD.control_networks() == ("10.0.0.1/32", "10.1.0.0/16", "127.0.0.1/32")


@pytest.mark.req("R123")
def test_secrets_are_neither_in_repr_nor_in_faults() -> None:
    bad = replace(
        GOOD,
        event_socket=EventSocket("short-secret"),
        agents=(Agent("jana", "jana-secret!"), Agent("petr", "pass word secret")),
        trunks=(Trunk("operator", "192.0.2.1", "user", "line\nsecret"),),
    )

    with pytest.raises(SettingsError) as caught:
        bad.check()

    assert "secret" not in repr(bad) + repr(GOOD) + str(caught.value)
    assert [str(fault) for fault in caught.value.faults] == [
        "event_socket.password: is shorter than 16 characters",
        "agents[0].password: is shorter than 10 characters or holds the agent's id",
        "agents[1].password: holds something else than printable ASCII without spaces, or ${",
        "trunks[0].password: holds something else than printable ASCII without spaces, or ${",
    ]


@pytest.mark.parametrize(
    ("socket", "expected"),
    [
        (EventSocket(""), ["event_socket.password: is empty"]),
        (EventSocket("ClueCon"), ["event_socket.password: is the public default of FreeSWITCH"]),
        (EventSocket("cluecon"), ["event_socket.password: is the public default of FreeSWITCH"]),
        (
            EventSocket("0123456789abcde${"),
            ["event_socket.password: holds something else than printable ASCII without spaces, or ${"],
        ),
        (
            EventSocket("0123456789abcdef", "0.0.0.0"),
            ["event_socket.ip: 0.0.0.0 is not loopback or private: the protocol is not encrypted"],
        ),
        (
            EventSocket("0123456789abcdef", "203.0.113.5"),
            ["event_socket.ip: 203.0.113.5 is not loopback or private: the protocol is not encrypted"],
        ),
        (
            EventSocket("0123456789abcdef", "::", 0),
            [
                "event_socket.ip: :: is not loopback or private: the protocol is not encrypted",
                "event_socket.port: 0 is not a port from 1 to 65535",
            ],
        ),
        (EventSocket("0123456789abcdef", "switch"), ['event_socket.ip: "switch" is not an IP address']),
        (
            EventSocket("0123456789abcdef", allow=("0.0.0.0/0", "x", "10.0.0.1/8")),
            [
                "event_socket.allow[0]: 0.0.0.0/0 is wider than /8: it would let strangers in",
                'event_socket.allow[1]: "x" is not a network (192.0.2.0/24)',
                'event_socket.allow[2]: "10.0.0.1/8" is not a network (192.0.2.0/24)',
            ],
        ),
    ],
)
def test_the_event_socket_is_private_and_has_a_password_of_its_own(socket: EventSocket, expected: list[str]) -> None:
    assert faults(event_socket=socket) == expected


@pytest.mark.parametrize("ip", ["127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.0.1", "::1", "fd00::1"])
def test_private_addresses_are_fine(ip: str) -> None:
    assert faults(event_socket=EventSocket("0123456789abcdef", ip)) == []


def test_engines_are_private_addresses() -> None:
    assert faults(engines=()) == ["engines: is empty: nobody would take a call"]
    assert faults(engines=("engine:9009", "10.0.0.1", "10.0.0.1:0", "8.8.8.8:9009", "10.0.0.2:1", "10.0.0.2:1")) == [
        'engines[0]: "engine:9009" is not address:port (an IPv4 address: a name would be looked up in every call)',
        'engines[1]: "10.0.0.1" is not address:port (an IPv4 address: a name would be looked up in every call)',
        'engines[2]: "10.0.0.1:0" is not address:port (an IPv4 address: a name would be looked up in every call)',
        "engines[3]: 8.8.8.8 is not loopback or private: the connection has neither password nor encryption",
        'engines[5]: "10.0.0.2:1" stands there twice',
    ]


def test_ports_do_not_collide() -> None:
    assert faults(
        sip_external=SipListen("203.0.113.5", 5060),
        sip_internal=SipListen("203.0.113.5", 5060, "x", tls_port=20000),
    ) == [
        'sip_internal.public_ip: "x" is not an IP address',
        'sip_internal.tls_dir: "" is not an absolute path of letters, digits, dots, dashes and underscores',
        "sip_internal.port: 5060 is the port of sip_external.port too",
        "sip_internal.tls_port: 20000 lies within the media ports",
    ]
    assert faults(rtp=Rtp("x", 20000, 20100, "y"), domain="a b") == [
        'domain: "a b" is not a domain',
        'rtp.ip: "x" is not an IP address',
        'rtp.public_ip: "y" is not an IP address',
        "rtp: 20000 to 20100 is room for 50 legs, not 5000",
    ]
    assert faults(rtp=Rtp("127.0.0.1", 900, 900)) == [
        "rtp.first_port: 900 is not a port from 1024 to 65535",
        "rtp.last_port: 900 is not a port from 1024 to 65535",
        "rtp.last_port: 900 is not above 900",
    ]


def test_agents() -> None:
    assert faults(
        agents=(Agent("a b%", "desk-phone-secret"), Agent("x", "long-enough-1"), Agent("x", "long-enough-1"))
    ) == [
        'agents[0].id: "a b%" is not a SIP user (letters, digits, dot, dash, underscore)',
        'agents[2].id: "x" stands there twice',
    ]


def test_trunks() -> None:
    assert faults(
        trunks=(
            Trunk("a/b", "sip.example:99999", "us er", prefix="12a", ping_s=1),
            Trunk("c", "192.0.2.1", register=True, networks=("0.0.0.0/0",)),
            Trunk("c", "192.0.2.1"),
        )
    ) == [
        'trunks[0].name: "a/b" is not a name (letters, digits, dash, underscore)',
        'trunks[0].proxy: "sip.example:99999" is not host or host:port',
        'trunks[0].username: "us er" is not a SIP user',
        'trunks[0].prefix: "12a" is not a prefix (digits, *, #, + in front)',
        "trunks[0].networks: is empty: name the networks that the calls of this trunk come from",
        "trunks[0].ping_s: 1 is less than 5 seconds",
        "trunks[1].register: needs a username and a password",
        "trunks[1].networks[0]: 0.0.0.0/0 is wider than /8: it would let strangers in",
        'trunks[2].name: "c" stands there twice',
    ]


@pytest.mark.req("R12")
def test_fallbacks() -> None:
    good = NumberFallback("+420221234101", "+420601234567")

    assert faults(fallbacks=(good,)) == []
    assert faults(fallbacks=(good, NumberFallback("221234101", "2001"), good), trunks=()) == [
        "fallbacks: cannot be called: there is no trunk",
        'fallbacks[1].number: "221234101" is not a number with + and country code',
        'fallbacks[1].to: "2001" is not a number with + and country code',
        'fallbacks[2].number: "+420221234101" stands there twice',
    ]


def test_paths_and_limits() -> None:
    assert faults(
        recordings_dir="recordings",
        log_dir="/var/../etc",
        db_dir="/with space",
        fallback_prompt="a!b.wav",
        max_sessions=0,
        sessions_per_second=0,
        rounds=21,
        pauses_ms=(0,),
        codecs=("PCMA", "G729"),
        emergency_caller_id="x",
        log_level="loud",
        switch_name="a b",
    ) == [
        'recordings_dir: "recordings" is not an absolute path of letters, digits, dots, dashes and underscores',
        'log_dir: "/var/../etc" is not an absolute path of letters, digits, dots, dashes and underscores',
        'db_dir: "/with space" is not an absolute path of letters, digits, dots, dashes and underscores',
        'fallback_prompt: "/var/lib/callwright/prompts/a!b.wav" is not an absolute path of letters, digits, dots,'
        " dashes and underscores",
        "max_sessions: 0 is less than 1",
        "sessions_per_second: 0 is less than 1",
        "rounds: 21 is more than 20: a caller does not ring that long",
        "pauses_ms: is empty or has a pause outside 1 to 10000 ms",
        'codecs[1]: "G729" is not one of PCMA, PCMU',
        'emergency_caller_id: "x" is not a number',
        'switch_name: "a b" is not a name (letters, digits, dots, dashes)',
        'log_level: "loud" is not one of debug, info, notice, warning, err, crit, alert',
    ]
    assert faults(fallback_prompt="", codecs=()) == ["fallback_prompt: is empty", "codecs: is empty"]
