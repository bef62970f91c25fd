"""Which addresses may be asked: a flow must not reach what stands around the engine, whatever a name resolves to.

The lists are our own: what Python's `is_global` says differs between its releases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
_Address = IPv4Address | IPv6Address


def _networks(*names: str) -> tuple[Network, ...]:
    return tuple(ip_network(name) for name in names)


_PUBLIC = _networks("0.0.0.0/0", "2000::/3")
"""RFC 4291: no other IPv6 addresses have been given out to the public."""
_SPECIAL = _networks(
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
    *("224.0.0.0/4", "240.0.0.0/4"),
    *("2001::/23", "2001:db8::/32", "3fff::/20"),
)
"""IANA's registries of special-purpose addresses, and multicast."""
_BY_NAME_ALONE = _networks(
    *("169.254.0.0/16", "fe80::/10"),  # link-local; metadata of most clouds
    "168.63.129.16/32",  # Azure's host agent, though the address is public
    "100.100.100.200/32",  # metadata: Alibaba
    "192.0.0.192/32",  # Oracle
    "fd00:ec2::/32",  # Amazon
    "fd00:42::/32",  # Scaleway
    "fd20:ce::/32",  # Google
)
"""Whoever is let in here may get the machine's own credentials: a wide network that is allowed doesn't mean these."""
_NAT64 = ip_network("64:ff9b::/96")
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def permitted(address: str, allowed: Sequence[Network]) -> bool:
    """Whether a request may go to this address: a public one, or one of a network that is allowed by name.

    An IPv6 address that holds an IPv4 one (mapped, NAT64, 6to4, Teredo, ISATAP, IPv4-compatible) must not lead there
    either. What is no address is not permitted.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return all(_permitted(each, allowed) for each in _meant(found))


def _permitted(address: _Address, allowed: Sequence[Network]) -> bool:
    naming = [network for network in allowed if _within(address, network)]
    for guarded in _BY_NAME_ALONE:
        if _within(address, guarded):
            return any(network.prefixlen >= guarded.prefixlen for network in naming)
    if naming:
        return True
    return any(_within(address, public) for public in _PUBLIC) and not any(_within(address, each) for each in _SPECIAL)


def _within(address: _Address, network: Network) -> bool:
    return address.version == network.version and address in network


def _meant(address: _Address) -> Iterator[_Address]:
    """Where the address may lead."""
    if isinstance(address, IPv4Address):
        yield address
        return
    last = IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.ipv4_mapped or address in _NAT64:
        yield last
        return
    yield address
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if int(address) >> 32 & 0xFFFF_FFFF in _ISATAP or (int(address) >> 32 == 0 and int(address) > 1):
        yield last
