"""How calls come into a switch, and from it to our engines."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lxml import etree

from callwright.doctor import database
from callwright.doctor.finding import Finding, fail, ok, warn
from callwright.doctor.listening import is_here
from dialplan.settings import CODECS
from dialplan.xml import AGENT_CONTEXT, TRUNK_CONTEXT
from engine.config import Address
from engine.store.errors import StoreError
from engine.store.routing import RoutingStore

if TYPE_CHECKING:
    from callwright.doctor.switch import Asked

CONNECT_WITHIN_S = 3.0
_RENDER = "callwright dialplan render, then fs_cli -x reloadxml"
_GOOD_STATES = ("NOREG", "REGED")


def profiles(asked: Asked) -> Iterator[Finding]:
    """Both SIP profiles, where the configuration has them, with a codec that we speak."""
    plan = asked.subject.config.dialplan
    rows = [[part.strip() for part in line.split("\t")] for line in asked.ask("sofia status").splitlines()]
    found = {row[0]: (row[2], row[3]) for row in rows if len(row) >= 4 and row[1] == "profile"}
    for name, wanted in (("external", plan.sip_external), ("internal", plan.sip_internal)):
        at, state = found.get(name, ("", "not there"))
        if not state.startswith("RUNNING"):
            advice = f"fs_cli -x 'sofia profile {name} start'; its log says why: an address or port that is taken"
            yield fail(f"SIP profile {name}: {state}", advice)
            continue
        address = at.rpartition("@")[2]
        same = not _names_an_address(wanted) or address == str(wanted)
        if same:
            yield ok(f"SIP profile {name} at {address}")
        else:
            yield warn(f"SIP profile {name} is at {address}, the configuration says {wanted}", f"{_RENDER}; restart")
        yield from _codecs(asked, name)


def _codecs(asked: Asked, profile: str) -> Iterator[Finding]:
    lines = asked.ask(f"sofia status profile {profile}").splitlines()
    spoken = next((line.partition("\t")[2] for line in lines if line.startswith("CODECS IN")), "")
    known = {codec.partition("@")[0].strip().upper() for codec in spoken.split(",")}
    if not known & set(CODECS):
        what = f"SIP profile {profile} speaks {spoken or 'no codec'}, not {' or '.join(CODECS)}"
        yield fail(what, f"{_RENDER}; restart")


def _names_an_address(address: Address) -> bool:
    return address.host not in ("0.0.0.0", "::")


def gateways(asked: Asked) -> Iterator[Finding]:
    """The trunks: those that the switch has, and those that it should have."""
    answer = asked.ask("sofia xmlstatus gateway")
    root = etree.fromstring(answer.encode("latin-1", "replace"), etree.XMLParser(recover=True, no_network=True))
    found = {each.findtext("name", ""): each for each in root.iterfind(".//gateway")} if root is not None else {}
    good = []
    for name, each in found.items():
        state, status = each.findtext("state", ""), each.findtext("status", "")
        if state not in _GOOD_STATES:
            advice = f"check username, password and proxy of the trunk; fs_cli -x 'sofia status gateway {name}'"
            yield fail(f"trunk {name} is not registered ({state})", advice)
        elif status != "UP":
            advice = "calls over it fail: its proxy does not answer OPTIONS; check the network, or leave ping_s out"
            yield fail(f"trunk {name} is {status}", advice)
        else:
            good.append(name)
    for name in sorted(_trunks(asked) - found.keys()):
        advice = "callwright dialplan render, then fs_cli -x 'sofia profile external rescan' and fs_cli -x reloadacl"
        yield fail(f"trunk {name} is not on this switch", advice)
    if good:
        yield ok(f"trunks up: {', '.join(good)}")
    elif not found:
        yield warn("no trunk: nobody can call in from outside", "put one in over the API, then render")


def _trunks(asked: Asked) -> set[str]:
    """The trunks of the database, none while it is away: another area tells that."""
    if asked.subject.config.database.url is None:
        return set()
    connected = database.connect(asked.subject)
    try:
        return {each.id for each in RoutingStore(connected).snapshot().trunks}
    except StoreError:
        return set()
    finally:
        connected.close()


def dialplan(asked: Asked) -> Iterator[Finding]:
    """Whether calls are handed to our engines, and whether these listen."""
    config = asked.subject.config
    wanted = [str(each) for each in config.dialplan.engines or (config.engine.listen,)]
    named: list[str] = []
    for context in (TRUNK_CONTEXT, AGENT_CONTEXT):
        root = asked.element(f"dialplan context name {context}")
        actions = root.iter("action") if root is not None else ()
        targets = {each.get("data", "") for each in actions if each.get("application") == "socket"}
        if not targets:
            yield fail(f"the dialplan context {context} hands no call to an engine", _RENDER)
            continue
        engines = list(dict.fromkeys(at for target in sorted(targets) for at in target.split(" ")[0].split("|")))
        if engines != wanted:
            words = f"hands calls to {', '.join(engines)}, the configuration says {', '.join(wanted)}"
            yield fail(f"the dialplan context {context} {words}", _RENDER)
        named += engines
    dead = [at for at in dict.fromkeys(named) if not _is_engine(at)]
    for at in dead:
        advice = "start it, or take it out of dialplan.engines: each call that comes tries it in vain"
        yield fail(f"no engine takes calls at {at}", advice)
    if named and not dead:
        yield ok(f"calls go to {', '.join(dict.fromkeys(named))}, and engines listen there")


def _is_engine(at: str) -> bool:
    """Whether an engine takes calls there: it says `connect` to whoever comes, and forgets who then goes."""
    host, _, port = at.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_WITHIN_S) as connection:
            return connection.recv(64).startswith(b"connect")
    except OSError:
        return False


def media(asked: Asked) -> Iterator[Finding]:
    """The media ports that the switch has read."""
    plan = asked.subject.config.dialplan
    found = asked.configuration("switch")
    there = found.get("rtp-start-port", "16384"), found.get("rtp-end-port", "32768")
    if there != (str(plan.rtp_first_port), str(plan.rtp_last_port)) and is_here(asked.switch.host):
        words = f"media ports {there[0]} to {there[1]}, the configuration says {plan.rtp_first_port} to"
        advice = "callwright dialplan render, then a restart; the firewall's rule too"
        yield warn(f"{words} {plan.rtp_last_port}", advice)
