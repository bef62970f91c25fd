"""Which addresses a flow may have asked."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from engine.web.addresses import permitted


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "::1", "::", "10.0.0.1", "172.16.0.1", "192.168.1.1", "fc00::1"),
        *("169.254.169.254", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "100.64.0.1", "100.100.100.200"),
        *("168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "240.0.0.1"),
        *("255.255.255.255", "ff02::1", "2001:db8::1", "192.88.99.1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::10.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::1"),
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
        # Outside of what was given out, kept for examples, site-local, local NAT64, translated, ISATAP:
        *("4000::1", "5f00::1", "1::1", "3fff::1", "2001:20::1", "fec0::1", "64:ff9b:1::a9fe:a9fe"),
        *("::ffff:0:a9fe:a9fe", "2606:4700::5efe:a00:1", "2606:4700::200:5efe:a9fe:a9fe"),
        *("no address", "8.8.8.8%1", ""),
    ],
)
def test_what_stands_around_the_engine_is_refused(address: str) -> None:
    assert not permitted(address, ())


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_are_permitted(address: str) -> None:
    assert permitted(address, ())


def test_a_network_is_allowed_by_name() -> None:
    allowed = (ip_network("10.1.2.0/24"), ip_network("fd00:1::/32"))
    assert permitted("10.1.2.7", allowed)
    assert permitted("::ffff:10.1.2.7", allowed)
    assert permitted("fd00:1::7", allowed)
    assert not permitted("10.1.3.7", allowed)
    assert not permitted("127.0.0.1", allowed)


METADATA = ("169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fe80::a9fe:a9fe", "fd00:ec2::254")


@pytest.mark.parametrize("address", [*METADATA, "fd20:ce::254", "::ffff:169.254.169.254", "2002:a9fe:a9fe::"])
def test_a_wide_network_does_not_open_what_gives_out_credentials(address: str) -> None:
    wide = [ip_network(each) for each in ("0.0.0.0/0", "::/0", "100.64.0.0/10", "fd00::/8", "192.0.0.0/24")]
    assert not permitted(address, wide)
    assert permitted("10.0.0.1", wide)
    assert permitted("fd12::1", wide)


@pytest.mark.parametrize("address", METADATA)
def test_what_gives_out_credentials_may_be_named(address: str) -> None:
    assert permitted(address, [ip_network(address)])
    assert not permitted(address, [ip_network("169.254.1.1")])


def test_link_local_addresses_may_be_named_together() -> None:
    assert permitted("169.254.7.7", [ip_network("169.254.0.0/16")])
