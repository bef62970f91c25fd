"""Who may reach a switch: its event socket, and the profile that the trunks' calls come in at."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING

from callwright.doctor.finding import Finding, fail, ok, warn
from dialplan.render import CONTROL_LIST, TRUNKS_LIST

if TYPE_CHECKING:
    from lxml import etree

    from callwright.doctor.switch import Asked

TRUNK_PROFILE = "external"
STRANGERS = ("203.0.113.1", "198.51.100.1")
"""Addresses of nobody (RFC 5737), so far apart that no network of a trunk holds both."""
_RELOAD = "then fs_cli -x reloadacl"


def listens(asked: Asked) -> Iterator[Finding]:
    """Who may reach the event socket."""
    found = asked.configuration("event_socket")
    address = found.get("listen-ip", "::")
    advice = "listen-ip: a loopback or private address; the protocol is not encrypted and commands the machine"
    try:
        parsed = ip_address(address)
    except ValueError:
        parsed = ip_address("::")
    if parsed.is_unspecified or not (parsed.is_private or parsed.is_loopback):
        yield fail(f"its event socket listens on {address}: open to every network", advice)
    lists = _lists(asked.element("configuration configuration name event_socket.conf"), "settings")
    if not lists:
        if not parsed.is_loopback:
            yield warn("its event socket has no access list", f"apply-inbound-acl: {CONTROL_LIST}, as the rendered one")
        return
    whole = True
    for name in lists:
        if strangers := [each for each in STRANGERS if _lets_in(asked, each, name)]:
            whole = False
            advice = f"only the engines' addresses belong on it: callwright dialplan render, {_RELOAD}"
            yield fail(f"its event socket's access list {name} lets strangers in ({', '.join(strangers)})", advice)
        for engine in _engines(asked):
            if not _lets_in(asked, engine, name):
                whole = False
                advice = f"dialplan.engines must name it: callwright dialplan render, {_RELOAD}"
                yield fail(f"its event socket's access list {name} keeps the engine at {engine} out", advice)
    if whole:
        yield ok(f"its event socket lets in whom {', '.join(lists)} names, the engines among them, and no stranger")


def trunks(asked: Asked) -> Iterator[Finding]:
    """Who may place calls at the trunks' profile without a password: strangers would call at our cost."""
    root = asked.element("configuration configuration name sofia.conf")
    place = f"profiles/profile[@name='{TRUNK_PROFILE}']/settings"
    if root is None or root.find(place) is None:
        return  # no such profile: told where the profiles are
    lists = _lists(root, place)
    advice = f"apply-inbound-acl: {TRUNKS_LIST}, the trunks' networks: callwright dialplan render, {_RELOAD}"
    if not lists:
        passwords = root.find(f"{place}/param[@name='auth-calls']")
        if passwords is None or passwords.get("value") != "true":
            what = f"SIP profile {TRUNK_PROFILE} has no access list: whoever reaches it may call (toll fraud)"
            yield fail(what, advice)
        return
    # a trunk's own network may hold one of the strangers' addresses, never both
    open_lists = [name for name in lists if all(_lets_in(asked, each, name) for each in STRANGERS)]
    for name in open_lists:
        what = f"SIP profile {TRUNK_PROFILE}: its access list {name} lets everybody in: whoever reaches it may call"
        yield fail(f"{what} (toll fraud)", advice)
    if not open_lists:
        yield ok(f"SIP profile {TRUNK_PROFILE} takes calls from whom {', '.join(lists)} names, and from no stranger")


def _lists(root: etree._Element | None, place: str) -> list[str]:
    """The access lists that the settings there apply; there may be several."""
    found = () if root is None else root.iterfind(f"{place}/param[@name='apply-inbound-acl']")
    return [value for each in found if (value := each.get("value", ""))]


def _lets_in(asked: Asked, address: str, name: str) -> bool:
    return asked.ask(f"acl {address} {name}") == "true"


def _engines(asked: Asked) -> list[str]:
    """The engines' addresses. What a name stands for where the switch is, we do not know."""
    config = asked.subject.config
    hosts = dict.fromkeys(each.host for each in config.dialplan.engines or (config.engine.listen,))
    return [host for host in hosts if _is_one(host)]


def _is_one(host: str) -> bool:
    try:
        return not ip_address(host).is_unspecified
    except ValueError:
        return False
