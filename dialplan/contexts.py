"""The contexts of FreeSWITCH's dialplan: how a call gets to an engine, and what becomes of it when none takes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import phonenumbers
from lxml import etree

from dialplan.numbers import EMERGENCY_NUMBERS
from dialplan.settings import NumberFallback
from dialplan.xml import AGENT_CONTEXT, TRUNK_CONTEXT, element

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

HOME_VARIABLE = "cw_home"
"""Where a call came in: its context, and which number's fallback it has. The engines bring every call back to the
trunk context; from there the dialplan sends it home, so that it keeps its way out."""

CONGESTION_TONE = "tone_stream://%(330,330,425);loops=6"
"""Follows the apology, and is all that a caller hears when the prompt's file is missing: about 4 s."""


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
    for each in (*handovers, _HandOver(entry, AGENT_CONTEXT)):
        context.extend(each.homeward())
    context.extend(extension for each in (*handovers, usual) for extension in each.later())
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

    @property
    def home(self) -> str:
        """Value of `HOME_VARIABLE`."""
        return f"{self.context}{self._suffix}"

    def first(self) -> list[tuple[str, str]]:
        """The rounds, and the way out."""
        rounds = self.rounds(1, self.entry.engines, f"{AGAIN_EXTENSION}{self._suffix}")
        return [*_marks(self.home), *rounds, *self._way_out()]

    def later(self) -> list[etree._Element]:
        """Where a call comes back, and where the watchdogs send it; for a caller who dials the names nothing is there.

        An engine that has seen the call, and it alone, brings it back with `cw_resume`.
        """
        resume, again, over = (f"{each}{self._suffix}" for each in (RESUME_EXTENSION, AGAIN_EXTENSION, OVER_EXTENSION))
        rounds = self.rounds(self.entry.rounds + 1, self.entry.engines[::-1], over)
        managed = {MANAGED_VARIABLE: "^true$"}
        return [
            _guarded_extension(resume, {SEEN_VARIABLE: "^.+$"}, resume, self.first()),
            _guarded_extension(again, managed, again, [*_marks(self.home), *rounds, *self._way_out()]),
            _guarded_extension(over, managed, over, self._way_out()),
        ]

    def homeward(self) -> list[etree._Element]:
        """From the trunk context, where every call comes back, to where this one came in."""
        return [
            _guarded_extension(
                f"{name}_to_{self.home}",
                {guard: expression, HOME_VARIABLE: f"^{self.home}$"},
                name,
                [("transfer", f"{name}{self._suffix} XML {self.context}")],
            )
            for name, guard, expression in (
                (RESUME_EXTENSION, SEEN_VARIABLE, "^.+$"),
                (AGAIN_EXTENSION, MANAGED_VARIABLE, "^true$"),
            )
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


def _guarded_extension(
    name: str, guards: Mapping[str, str], destination: str, actions: Iterable[tuple[str, str]]
) -> etree._Element:
    """The guards, variables that no caller can set, are asked first: for whoever dials the name it does not exist."""
    extension = element("extension", name=name)
    extension.extend(_variable_condition(variable, expression) for variable, expression in guards.items())
    condition = element("condition", field="destination_number", expression=f"^{destination}$")
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
    actions = [*_marks(AGENT_CONTEXT), *_round(entry.engines, 1, f"+{EMERGENCY_WATCHDOG_S} {out}"), ("transfer", out)]
    return _extension(name, [("destination_number", f"^(\\+|00)?{number}$")], actions)


def _emergency_out_extension(usual: _HandOver, number: str) -> etree._Element:
    """Not for a call that was through already: `last_bridge_to` is set when an engine died after it had bridged it."""
    entry = usual.entry
    actions = [("set", "hangup_after_bridge=true")]
    if entry.emergency_caller_id:
        actions.append(("set", f"effective_caller_id_number={entry.emergency_caller_id}"))
    rounds = usual.rounds(2, entry.engines, AGAIN_EXTENSION)
    actions += [("bridge", _over_trunks(entry, number)), *rounds, *_apology(entry)]
    name = f"cw_emergency_{number}"
    guards = {MANAGED_VARIABLE: "^true$", "last_bridge_to": "^$"}
    return _guarded_extension(f"{name}_out", guards, name, actions)


def _emergency_over_extension() -> etree._Element:
    """An emergency call that was through and came back without an engine: nothing is left to do."""
    extension = element("extension", name="cw_emergency_over")
    extension.append(_variable_condition(MANAGED_VARIABLE, "^true$"))
    condition = element("condition", field="destination_number", expression="^cw_emergency_")
    extension.append(condition)
    _add_actions(condition, [("hangup", "NORMAL_CLEARING")])
    return extension


def _marks(home: str) -> list[tuple[str, str]]:
    """What is set on every call that is handed over."""
    return [
        ("set", "hangup_after_bridge=false"),
        ("set", "continue_on_fail=true"),
        ("set", f"{MANAGED_VARIABLE}=true"),
        ("set", f"{HOME_VARIABLE}={home}"),
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
