"""FreeSWITCH XML built as a tree, so that every value is escaped: dialplan, trunks, agents' directory, access lists.

The same elements serve as files (`dialplan.render`) and, wrapped by `document`, as answers for mod_xml_curl.

Escaping is not enough, because FreeSWITCH reads more than XML: its pre-processor works on lines before the XML is
parsed (a line with its instruction is dropped, `$${…}` is replaced), and `${…}` in an argument is expanded, the
value's own `${…}` again. So no builder takes a value with a line break, another control character, `${` or
the pre-processor's name, and no argument of the dialplan is made of what a caller sent.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import phonenumbers
from lxml import etree

from dialplan.faults import Fault, XmlError
from dialplan.numbers import EMERGENCY_NUMBERS
from dialplan.settings import Agent, NumberFallback, Trunk

TRUNK_CONTEXT = "public"
"""Dialplan context of calls that come in over a trunk."""
AGENT_CONTEXT = "agents"
"""Dialplan context of calls that an agent's phone makes."""
RESUME_EXTENSION = "cw_resume"
"""Where `transfer_after_bridge=cw_resume:XML:<context>` brings a call back to the engines."""
SEEN_VARIABLE = "cw_seen"
"""Set by the engine on every call that it takes. A caller cannot set it, so it guards `cw_resume`."""
ATTEMPT_VARIABLE = "cw_attempt"
"""Which round handed the call over, 1 for the first. It begins again after a bridge."""
MANAGED_VARIABLE = "cw_managed"
"""`true` on every leg that came in through the entry. It guards the extensions below."""
DIALLED_VARIABLE = "cw_did"
"""The dialled number: a call that is handed over a second time has the name of an extension as its destination."""
WATCHDOG_VARIABLE = "cw_watchdog"
"""`true` when a watchdog runs: the engine that takes the call ends it (`sched_del`)."""
AGAIN_EXTENSION = "cw_again"
"""Rounds once more, the engines in the opposite order: where a call goes that an engine accepted and did not take.

`uuid_transfer <channel> cw_again XML <context>` also frees a channel that waits for an engine which is gone.
"""
OVER_EXTENSION = "cw_over"
"""No engine took the call the second time either."""

WATCHDOG_S = 8
"""How long an engine may take from accepting the connection to taking the call: it may hang, or be killed in the
moment before the channel waits for it, which the switch does not notice (docs/decisions/0004-event-socket.md)."""
EMERGENCY_WATCHDOG_S = 3
"""The same for an emergency call, which then goes out without an engine."""

CONGESTION_TONE = "tone_stream://%(330,330,425);loops=6"
"""Follows the apology, and is all that a caller hears when the prompt's file is missing: about 4 s."""

_PREPROCESSOR = "x-pre-process"
_NO_XML = "\u2028\u2029\ufffe\uffff"
"""Line breaks of Unicode, and what no XML may hold."""


@dataclass(frozen=True, slots=True)
class Entry:
    """How a call gets to an engine."""

    engines: tuple[str, ...]
    """`address:port`, tried in this order within each round."""
    apology: str
    """Absolute path of the prompt that is played when no engine takes the call."""
    rounds: int = 4
    pauses_ms: tuple[int, ...] = (500, 1000, 2000)
    """Pauses between the rounds, in which a restarting engine comes back; the last one repeats."""
    trunks: tuple[str, ...] = ()
    """Trunks, in order, for what goes out without an engine: emergency calls (R13) and fallbacks of numbers (R12)."""
    fallbacks: tuple[NumberFallback, ...] = ()
    emergency_caller_id: str = ""


def trunk_context(entry: Entry) -> etree._Element:
    """The dialplan context of trunk calls.

    Raises `XmlError` for a value that must not stand there.
    """
    context = element("context", name=TRUNK_CONTEXT)
    handovers = [_HandOver(entry, TRUNK_CONTEXT, fallback) for fallback in entry.fallbacks]
    usual = _HandOver(entry, TRUNK_CONTEXT)
    context.append(_resume_extension(usual))
    context.extend(extension for each in (usual, *handovers) for extension in each.later())
    context.append(_reserved_extension())
    context.append(_dialled_extension())
    context.extend(each.fallback_entry() for each in handovers)
    context.append(_entry_extension(usual))
    return context


def agent_context(entry: Entry) -> etree._Element:
    """The dialplan context of calls from agents' phones; emergency calls get out without an engine too (R13).

    Raises `XmlError` for a value that must not stand there.
    """
    context = element("context", name=AGENT_CONTEXT)
    usual = _HandOver(entry, AGENT_CONTEXT)
    context.append(_resume_extension(usual))
    context.extend(usual.later())
    if entry.trunks:
        for number in sorted(EMERGENCY_NUMBERS):
            context.append(_emergency_extension(entry, number))
            context.append(_emergency_out_extension(usual, number))
        context.append(_emergency_over_extension())
    context.append(_reserved_extension())
    context.append(_dialled_extension())
    context.append(_entry_extension(usual))
    return context


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


@dataclass(frozen=True, slots=True)
class _HandOver:
    """How calls of one context get to an engine, and what comes when none takes them."""

    entry: Entry
    context: str
    fallback: NumberFallback | None = None
    """For calls to this number, another line before the apology."""

    @property
    def _suffix(self) -> str:
        return f"_{self.fallback.number.lstrip('+')}" if self.fallback else ""

    def first(self) -> list[tuple[str, str]]:
        """The rounds, and the way out."""
        rounds = self.rounds(1, self.entry.engines, f"{AGAIN_EXTENSION}{self._suffix}")
        return [*_marks(), *rounds, *self._way_out()]

    def later(self) -> list[etree._Element]:
        """The extensions to which the watchdogs send a call; for a caller who dials their names they don't exist."""
        again, over = f"{AGAIN_EXTENSION}{self._suffix}", f"{OVER_EXTENSION}{self._suffix}"
        rounds = self.rounds(self.entry.rounds + 1, self.entry.engines[::-1], over)
        return [
            _managed_extension(again, [*_marks(), *rounds, *self._way_out()]),
            _managed_extension(over, self._way_out()),
        ]

    def rounds(self, first: int, engines: Sequence[str], then: str) -> list[tuple[str, str]]:
        """As many rounds as the entry has, from number `first`."""
        pauses = self.entry.pauses_ms
        actions: list[tuple[str, str]] = []
        for index in range(self.entry.rounds):
            if index:
                actions.append(("sleep", str(pauses[min(index - 1, len(pauses) - 1)])))
            actions += _round(engines, first + index, f"+{WATCHDOG_S} {then} XML {self.context}")
        return actions

    def fallback_entry(self) -> etree._Element:
        """The entry of the fallback's number, in every form in which a trunk may send it."""
        assert self.fallback is not None
        number = phonenumbers.parse(self.fallback.number)
        national = phonenumbers.national_significant_number(number)
        expression = rf"^((\+|00)?{number.country_code})?{national}$"
        return _extension(f"cw_entry{self._suffix}", [("destination_number", expression)], self.first())

    def _way_out(self) -> list[tuple[str, str]]:
        ways = []
        if self.fallback:
            ways = [("set", "hangup_after_bridge=true"), ("bridge", _over_trunks(self.entry, self.fallback.to))]
        return [*ways, *_apology(self.entry)]


def _resume_extension(usual: _HandOver) -> etree._Element:
    """`${cw_seen}` is asked first: for a caller who dials the name, the extension does not exist."""
    extension = element("extension", name=RESUME_EXTENSION)
    extension.append(_variable_condition(SEEN_VARIABLE, "^.+$"))
    condition = element("condition", field="destination_number", expression=f"^{RESUME_EXTENSION}$")
    extension.append(condition)
    _add_actions(condition, usual.first())
    return extension


def _managed_extension(name: str, actions: Iterable[tuple[str, str]]) -> etree._Element:
    extension = element("extension", name=name)
    extension.append(_variable_condition(MANAGED_VARIABLE, "^true$"))
    condition = element("condition", field="destination_number", expression=f"^{name}$")
    extension.append(condition)
    _add_actions(condition, actions)
    return extension


def _reserved_extension() -> etree._Element:
    return _extension(
        "cw_reserved",
        [("destination_number", "^cw_")],
        [("hangup", "UNALLOCATED_NUMBER")],
    )


def _dialled_extension() -> etree._Element:
    """Keeps a dialled number, and nothing but a number: what the expression catches is all that a caller can write."""
    condition = element("condition", field="destination_number", expression=r"^(\+?[0-9*#]{1,32})$")
    _add_actions(condition, [("set", f"{DIALLED_VARIABLE}=$1")])
    extension = element("extension", **{"name": "cw_dialled", "continue": "true"})
    extension.append(condition)
    return extension


def _entry_extension(usual: _HandOver) -> etree._Element:
    """Whatever was dialled: a condition without field always holds."""
    extension = element("extension", name="cw_entry")
    condition = element("condition")
    extension.append(condition)
    _add_actions(condition, usual.first())
    return extension


def _over_trunks(entry: Entry, number: str) -> str:
    return "|".join(f"sofia/gateway/{trunk}/{number}" for trunk in entry.trunks)


def _emergency_extension(entry: Entry, number: str) -> etree._Element:
    """One try with the engines, no pause, then straight out."""
    name = f"cw_emergency_{number}"
    out = f"{name} XML {AGENT_CONTEXT}"
    actions = [*_marks(), *_round(entry.engines, 1, f"+{EMERGENCY_WATCHDOG_S} {out}"), ("transfer", out)]
    return _extension(name, [("destination_number", f"^(\\+|00)?{number}$")], actions)


def _emergency_out_extension(usual: _HandOver, number: str) -> etree._Element:
    """Not for a call that was through already: `last_bridge_to` is set when an engine died after it had bridged it."""
    entry = usual.entry
    actions = [("set", "hangup_after_bridge=true")]
    if entry.emergency_caller_id:
        actions.append(("set", f"effective_caller_id_number={entry.emergency_caller_id}"))
    rounds = usual.rounds(2, entry.engines, AGAIN_EXTENSION)
    actions += [("bridge", _over_trunks(entry, number)), *rounds, *_apology(entry)]
    extension = element("extension", name=f"cw_emergency_{number}_out")
    extension.append(_variable_condition(MANAGED_VARIABLE, "^true$"))
    extension.append(_variable_condition("last_bridge_to", "^$"))
    condition = element("condition", field="destination_number", expression=f"^cw_emergency_{number}$")
    extension.append(condition)
    _add_actions(condition, actions)
    return extension


def _emergency_over_extension() -> etree._Element:
    """An emergency call that was through and came back without an engine: nothing is left to do."""
    extension = element("extension", name="cw_emergency_over")
    extension.append(_variable_condition(MANAGED_VARIABLE, "^true$"))
    condition = element("condition", field="destination_number", expression="^cw_emergency_")
    extension.append(condition)
    _add_actions(condition, [("hangup", "NORMAL_CLEARING")])
    return extension


def _marks() -> list[tuple[str, str]]:
    return [
        ("set", "hangup_after_bridge=false"),
        ("set", "continue_on_fail=true"),
        ("set", f"{MANAGED_VARIABLE}=true"),
        ("set", f"{WATCHDOG_VARIABLE}=true"),
    ]


def _round(engines: Sequence[str], number: int, watchdog: str) -> list[tuple[str, str]]:
    return [
        ("set", f"{ATTEMPT_VARIABLE}={number}"),
        ("sched_transfer", watchdog),
        ("socket", f"{'|'.join(engines)} async full"),
        ("sched_cancel", ""),
    ]


def _apology(entry: Entry) -> list[tuple[str, str]]:
    return [
        ("answer", ""),
        ("sleep", "300"),
        ("playback", entry.apology),
        ("playback", CONGESTION_TONE),
        ("hangup", "NORMAL_TEMPORARY_FAILURE"),
    ]


def _extension(name: str, conditions: Sequence[tuple[str, str]], actions: Iterable[tuple[str, str]]) -> etree._Element:
    extension = element("extension", name=name)
    for field, expression in conditions:
        extension.append(element("condition", field=field, expression=expression))
    _add_actions(extension[-1], actions)
    return extension


def _variable_condition(name: str, expression: str) -> etree._Element:
    """The only place where `${…}` is written: as the field of a condition, never in an argument."""
    condition = element("condition", expression=expression)
    condition.set("field", "${" + name + "}")
    return condition


def _add_actions(condition: etree._Element, actions: Iterable[tuple[str, str]]) -> None:
    for application, data in actions:
        attributes = {"application": application, "data": data} if data else {"application": application}
        condition.append(element("action", **attributes))


def _add_params(parent: etree._Element, params: Mapping[str, str]) -> None:
    for name, value in params.items():
        parent.append(element("param", name=name, value=value))
