"""module_exists, xml_locate, file_exists, acl, eval, strepoch: what the switch has read, loaded and sees."""

from __future__ import annotations

import os
from ipaddress import ip_address, ip_network

from lxml import etree

from labswitch import api
from labswitch.api import command
from labswitch.expand import expand
from labswitch.switch import Switch

_DENIED = "<API execute Permission Denied>"
"""As `eval` words it; an application's argument has it with a capital letter (`labswitch.expand.DENIED`)."""


@command("module_exists")
async def module_exists(switch: Switch, arguments: str) -> str:
    """Whether a module of the configuration is loaded."""
    return "true" if arguments in switch.config.modules else "false"


@command("xml_locate")
async def xml_locate(switch: Switch, arguments: str) -> str:
    """`<section> <tag> <attribute> <value>`: the element as it was read, its variables replaced."""
    words = arguments.split()
    if len(words) != 4:
        return "-ERR bad args\n"
    section, tag, attribute, value = words
    for element in switch.config.sections.get(section, ()):
        if element.tag == tag and element.get(attribute) == value:
            return etree.tostring(element, encoding="unicode", pretty_print=True)
    return "-ERR not found\n"


@command("file_exists")
async def file_exists(switch: Switch, arguments: str) -> str:
    """Whether the switch sees the file or directory."""
    return "true" if os.path.exists(arguments) else "false"


@command("acl")
async def acl(switch: Switch, arguments: str) -> str:
    """`<address> <list>`: whether the list of the configuration lets the address in; an unknown list lets nobody.

    Of a list its default and the networks that it allows are read: no other kind is rendered.
    """
    words = arguments.split()
    section = switch.config.sections.get("configuration")
    found = section.iterfind("configuration[@name='acl.conf']/network-lists/list") if section is not None else ()
    named = next((each for each in found if len(words) == 2 and each.get("name") == words[1]), None)
    if named is None:
        return "false"
    try:
        address = ip_address(words[0])
    except ValueError:
        return "false"
    allowed = [ip_network(node.get("cidr", ""), strict=False) for node in named.iterfind("node[@type='allow'][@cidr]")]
    return "true" if named.get("default") == "allow" or any(address in each for each in allowed) else "false"


@command("eval")
async def evaluate(switch: Switch, arguments: str) -> str:
    """The text, expanded as an application's argument is."""
    if not switch.config.api_expansion:
        return expand(arguments, switch.config.variables.get, lambda name, inside: _DENIED)
    return expand(arguments, switch.config.variables.get, lambda name, inside: api.run_now(switch, name, inside))


@command("strepoch")
async def strepoch(switch: Switch, arguments: str) -> str:
    """Whole seconds since the epoch."""
    return str(switch.clock.now_us() // 1_000_000)
