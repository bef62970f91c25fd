"""FreeSWITCH XML built as a tree, so that every value is escaped: dialplan, trunks, agents' directory, access lists.

The same elements serve as files (`dialplan.render`) and, wrapped by `document`, as answers for mod_xml_curl.

Escaping is not enough, because FreeSWITCH reads more than XML: its pre-processor works on lines before the XML is
parsed (a line with its instruction is dropped, `$${…}` is replaced), and `${…}` in an argument is expanded, the
value's own `${…}` again. So no builder takes a value with a line break, another control character, `${` or
the pre-processor's name, and no argument of the dialplan is made of what a caller sent.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

from lxml import etree

from dialplan.faults import Fault, XmlError
from dialplan.settings import Agent, Trunk

TRUNK_CONTEXT = "public"
"""Dialplan context of calls that come in over a trunk."""
AGENT_CONTEXT = "agents"
"""Dialplan context of calls that an agent's phone makes."""

_PREPROCESSOR = "x-pre-process"
_NO_XML = "\u2028\u2029\ufffe\uffff"
"""Line breaks of Unicode, and what no XML may hold."""


def gateways(trunks: Iterable[Trunk]) -> etree._Element:
    """The trunks of the external profile, `<gateways>`."""
    root = element("gateways")
    for trunk in trunks:
        gateway = element("gateway", name=trunk.name)
        root.append(gateway)
        params = {
            "proxy": trunk.proxy,
            "register": "true" if trunk.register else "false",
            # FreeSWITCH wants a user name; without one it would send its own.
            "username": trunk.username or trunk.name,
            "password": trunk.password,
            "context": TRUNK_CONTEXT,
            "destination-prefix": trunk.prefix,
            # The number that the engine sets is the caller's number, not the account's name.
            "caller-id-in-from": "true",
            # A registered line sends calls to the account's contact; the dialled number stands in the To header.
            "extension": "auto_to_user",
            "ping": "" if trunk.ping_s is None else str(trunk.ping_s),
        }
        _add_params(gateway, {name: value for name, value in params.items() if value})
    return root


def directory(domain: str, agents: Iterable[Agent]) -> etree._Element:
    """The phones that may register, `<domain>`."""
    root = element("domain", name=domain)
    users = element("users")
    root.append(users)
    for agent in agents:
        user = element("user", id=agent.id)
        users.append(user)
        params = element("params")
        user.append(params)
        _add_params(params, {"password": agent.password})
        variables = element("variables")
        user.append(variables)
        values = {"user_context": AGENT_CONTEXT, "effective_caller_id_name": agent.display}
        for name, value in values.items():
            if value:
                variables.append(element("variable", name=name, value=value))
    return root


def access_lists(lists: Mapping[str, Iterable[str]]) -> etree._Element:
    """`acl.conf`: lists of networks that are let in, everybody else is not."""
    root = element("configuration", name="acl.conf", description="Who may connect")
    network_lists = element("network-lists")
    root.append(network_lists)
    for name, networks in lists.items():
        entry = element("list", name=name, default="deny")
        network_lists.append(entry)
        for network in networks:
            entry.append(element("node", type="allow", cidr=network))
    return root


def document(section: str, *elements: etree._Element) -> etree._Element:
    """A whole answer for mod_xml_curl: `section` is `dialplan`, `directory` or `configuration`."""
    root = element("document", type="freeswitch/xml")
    inner = element("section", name=section)
    root.append(inner)
    inner.extend(elements)
    return root


def to_bytes(root: etree._Element) -> bytes:
    """The tree as UTF-8, indented, the same bytes for the same tree."""
    etree.indent(root, space="  ")
    return etree.tostring(root, encoding="utf-8", xml_declaration=False) + b"\n"


def element(tag: str, **attributes: str) -> etree._Element:
    """An element with checked attributes. Raises `XmlError` with every one that must not stand there."""
    faults = [Fault(f"{tag}.{name}", message) for name, value in attributes.items() if (message := refusal(value))]
    if faults:
        raise XmlError(faults)
    return etree.Element(tag, dict(attributes))


def refusal(value: str) -> str:
    """Why FreeSWITCH would read `value` as more than text; empty when it would not."""
    if any(unicodedata.category(char) in ("Cc", "Cs") or char in _NO_XML for char in value):
        return "holds a line break or another control character"
    if "${" in value:
        return "holds ${, which FreeSWITCH replaces"
    if _PREPROCESSOR in value.casefold():
        return "holds the name of FreeSWITCH's pre-processor, which would drop the line"
    return ""


def _add_params(parent: etree._Element, params: Mapping[str, str]) -> None:
    for name, value in params.items():
        parent.append(element("param", name=name, value=value))
