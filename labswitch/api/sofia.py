"""sofia, sofia_contact: the SIP profiles, their trunks and the phones on them."""

from __future__ import annotations

import time
from xml.sax.saxutils import escape

from lxml import etree

from labswitch.api import command
from labswitch.leg import Registration
from labswitch.switch import Switch


@command("sofia")
async def sofia(switch: Switch, arguments: str) -> str:
    """`status [profile <name> [reg]]`, `xmlstatus gateway`, `xmlstatus profile <name> reg|user <user>@<domain>`,
    `profile <name> flush_inbound_reg <user>@<domain>`."""
    words = arguments.split()
    if words[:2] == ["xmlstatus", "profile"] and len(words) > 3:
        return _registrations(switch, words[2], words[4] if words[3] == "user" and len(words) > 4 else "")
    if words[:1] == ["profile"] and words[2:3] == ["flush_inbound_reg"] and len(words) > 3:
        switch.flush_registration(words[1], words[3].partition("@")[0])
        return "+OK flushing all registrations matching specified call_id\n"
    if words[:2] == ["status", "profile"] and len(words) > 2:
        return _profile_status(switch, words[2])
    if words[:2] == ["xmlstatus", "gateway"]:
        return _gateways_status(switch)
    if words[:1] != ["status"]:
        return "+OK\n"
    line = "=" * 97
    rows = [f"{'Name':>25}\t{'Type':>7}\t{'Data':>38}\tState", line]
    for profile in switch.config.profiles.values():
        data = f"sip:mod_sofia@{profile.sip_ip}:{profile.sip_port}"
        rows.append(f"{profile.name:>25}\tprofile\t{data:>38}\tRUNNING ({len(switch.channels)})")
        for gateway in profile.gateways:
            name = f"{profile.name}::{gateway.name}"
            rows.append(f"{name:>25}\tgateway\t{'sip:' + gateway.proxy:>38}\tNOREG")
    gateways = sum(len(p.gateways) for p in switch.config.profiles.values())
    return "\n".join([*rows, line, f"{len(switch.config.profiles)} profiles 0 aliases", f"{gateways} gateways", ""])


def _gateways_status(switch: Switch) -> str:
    """Trunks do not register here and are not pinged: each is there and up."""
    gateways = etree.Element("gateways")
    for profile in switch.config.profiles.values():
        for each in profile.gateways:
            gateway = etree.SubElement(gateways, "gateway")
            values = {"name": each.name, "profile": profile.name, "proxy": f"sip:{each.proxy}", "state": "NOREG"}
            for name, value in (values | {"status": "UP"}).items():
                etree.SubElement(gateway, name).text = value
    text = etree.tostring(gateways, encoding="unicode", pretty_print=True)
    return f'<?xml version="1.0" encoding="ISO-8859-1"?>\n{text}'


def _registrations(switch: Switch, name: str, whose: str) -> str:
    """The phones registered on a profile, or those of one `<user>@<domain>`."""
    if name not in switch.config.profiles:
        return "Invalid Profile!\n"
    rows = []
    for entry in switch.registrations(name).values():
        known = switch.config.user(entry.user, "")
        domain = known.domain if known is not None else ""
        if not whose or whose == f"{entry.user}@{domain}":
            rows.append(_registration(entry, domain, switch.config.switch_name))
    header = '<?xml version="1.0" encoding="ISO-8859-1"?>'
    return "\n".join([header, "<profile>", "  <registrations>", *rows, "  </registrations>", "</profile>", ""])


def _registration(entry: Registration, domain: str, hostname: str) -> str:
    left_s = int(entry.expires_at_s - time.monotonic())
    until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.expires_at_epoch_s()))
    account = f"{entry.user}@{domain}"
    values = {
        "call-id": entry.call_id,
        "user": account,
        "contact": escape(f'"" <{entry.contact}>', {'"': "&quot;"}),
        "agent": escape(entry.user_agent, {'"': "&quot;"}),
        "status": f"Registered(UDP)(unknown) exp({until}) expsecs({left_s})",
        "ping-status": "Reachable",
        "ping-time": "0.00",
        "host": hostname,
        "network-ip": entry.address[0],
        "network-port": str(entry.address[1]),
        "sip-auth-user": entry.user,
        "sip-auth-realm": domain,
        "mwi-account": account,
    }
    lines = [f"        <{name}>{value}</{name}>" for name, value in values.items()]
    return "\n".join(["    <registration>", *lines, "    </registration>"])


def _profile_status(switch: Switch, name: str) -> str:
    profile = switch.config.profiles.get(name)
    if profile is None:
        return "Invalid Profile!\n"
    found = [
        f"Name             \t{name}",
        f"SIP-IP           \t{profile.sip_ip}",
        f"Context          \t{profile.context}",
        f"CODECS IN        \t{profile.params.get('inbound-codec-prefs', '')}",
    ]
    for entry in switch.registrations(name).values():
        found += [f"User:       \t{entry.user}", f"Contact:    \t{entry.contact}", "Status:     \tRegistered(UDP)"]
    return "\n".join(found) + "\n"


@command("sofia_contact")
async def sofia_contact(switch: Switch, arguments: str) -> str:
    """`[<profile>/]<user>@<domain>`: a dial string, or `error/user_not_registered`."""
    address = arguments.rpartition("/")[2]
    user, _, domain = address.partition("@")
    for profile in switch.config.profiles:
        if user in switch.registrations(profile):
            return f"sofia/{profile}/{user}%{domain}"
    return "error/user_not_registered"
