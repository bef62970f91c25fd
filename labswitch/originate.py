"""Calling out: dial strings, the race of several legs, and what `originate` and `bridge` make of it.

A dial string is `{global=1}[one=1]sofia/internal/a@host,sofia/gateway/trunk/2|sofia/gateway/other/2`: legs between
commas ring together, groups between bars one after the other. `^^:a=1:b=2` inside braces changes the delimiter.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labswitch.apps.variables import exported
from labswitch.causes import to_cause
from labswitch.config import is_true
from labswitch.dialplan import Action
from labswitch.leg import DialError
from labswitch.outgoing import call_out
from labswitch.state import State
from labswitch.transfer import transfer

if TYPE_CHECKING:
    from labswitch.channel import Channel
    from labswitch.switch import Switch

log = logging.getLogger("labswitch.originate")

DEFAULT_TIMEOUT_S = 60
_DIAL_STATUS = {
    "ORIGINATOR_CANCEL": "CANCEL",
    "USER_BUSY": "BUSY",
    "NO_ANSWER": "NOANSWER",
    "DESTINATION_OUT_OF_ORDER": "INVALIDARGS",
    "INVALID_PROFILE": "INVALIDARGS",
    "CALL_REJECTED": "DONTCALL",
}
"""`DIALSTATUS` where it isn't the cause itself."""

_VARIABLES = re.compile(r"\s*(\{[^}]*\}|\[[^\]]*\]|<[^>]*>)")
_USER = re.compile(r"user/([^@/]+)(?:@(.+))?\Z")


@dataclass(frozen=True)
class Target:
    """One leg to call: `sofia/...` and the variables that only it gets."""

    address: str
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DialString:
    """Groups of legs, tried one group after the other."""

    groups: tuple[tuple[Target, ...], ...]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """Who answered, with the cause `SUCCESS`, or why nobody did."""

    channel: Channel | None
    cause: str


def parse(text: str) -> DialString:
    """Take a dial string apart."""
    shared, rest = _take(text, "{")
    groups = []
    for group in _split(rest, "|"):
        legs = []
        for leg in _split(group, ","):
            own, address = _take(leg.strip(), "[")
            more, address = _take(address, "{")
            legs.append(Target(address.strip(), {**more, **own}))
        groups.append(tuple(legs))
    return DialString(tuple(groups), shared)


def variables_of(text: str) -> dict[str, str]:
    """`a=1,b='x,y'` or `^^;a=1;b=2`."""
    delimiter = ","
    if text.startswith("^^") and len(text) > 2:
        delimiter, text = text[2], text[3:]
    found = {}
    for pair in _split(text, delimiter):
        name, equals, value = pair.partition("=")
        if equals:
            value = value.strip()
            quoted = len(value) > 1 and value[0] == value[-1] == "'"
            found[name.strip()] = (value[1:-1] if quoted else value).replace("\\,", ",")
    return found


def _take(text: str, opening: str) -> tuple[dict[str, str], str]:
    """Variables in brackets at the beginning, and what follows them."""
    found: dict[str, str] = {}
    while (match := _VARIABLES.match(text)) and match[1][0] in {opening, "<"}:
        found.update(variables_of(match[1][1:-1]))
        text = text[match.end() :]
    return found, text


def _split(text: str, delimiter: str) -> Iterable[str]:
    """Split outside of brackets and quotes; a backslash keeps the next delimiter."""
    depth, quoted, piece, index = 0, False, "", 0
    while index < len(text):
        char = text[index]
        if char == "\\" and text[index + 1 : index + 2] == delimiter:
            piece += char + delimiter
            index += 2
            continue
        quoted ^= char == "'"
        depth += (char in "{[(") - (char in "}])")
        if char == delimiter and depth <= 0 and not quoted:
            yield piece
            piece = ""
        else:
            piece += char
        index += 1
    yield piece


async def originate(
    switch: Switch, dial_string: str, caller: Channel | None = None, timeout_s: float | None = None
) -> Outcome:
    """Call until somebody answers. `caller` is the leg that waits for it; without one early media doesn't count."""
    dial = parse(dial_string)
    variables = {**(exported(caller) if caller else {}), **dial.variables}
    limit_s = _timeout_s(variables, caller, timeout_s)
    outcome = Outcome(None, "NORMAL_CLEARING")
    for group in dial.groups:
        outcome = await _Attempt(switch, caller, variables, limit_s).run(group)
        if outcome.channel is not None or (caller is not None and not caller.up):
            break
    if caller is not None:
        caller.set("originate_disposition", outcome.cause)
        caller.set("DIALSTATUS", _DIAL_STATUS.get(outcome.cause, outcome.cause))
        caller.set("originate_failed_cause", None if outcome.channel else outcome.cause)
        if outcome.channel is not None:
            caller.set("signal_bond", outcome.channel.uuid)
    return outcome


def _timeout_s(variables: Mapping[str, str], caller: Channel | None, given: float | None) -> float:
    for text in (
        variables.get("originate_timeout"),
        variables.get("call_timeout"),
        caller.variables.get("call_timeout") if caller else None,
    ):
        if text and text.isdigit():
            return float(text)
    return given if given is not None else DEFAULT_TIMEOUT_S


class _Attempt:
    """One group of legs that ring together; the first to answer wins."""

    def __init__(self, switch: Switch, caller: Channel | None, variables: Mapping[str, str], timeout_s: float) -> None:
        self._switch = switch
        self._caller = caller
        self._variables = variables
        self._until = switch.clock.monotonic() + timeout_s
        self._legs: list[tuple[Channel, float]] = []
        self._causes: list[str] = []
        early = is_true(variables.get("ignore_early_media")) or (
            caller is not None and is_true(caller.variables.get("ignore_early_media"))
        )
        self._early_counts = caller is not None and not early

    async def run(self, group: Iterable[Target]) -> Outcome:
        for target in group:
            self._start(target)
        while True:
            if winner := self._winner():
                self._end_all("LOSE_RACE", winner)
                return Outcome(winner, "SUCCESS")
            alive = [channel for channel, _ in self._legs if channel.up]
            if not alive:
                return Outcome(None, self._worst())
            if self._caller is not None and not self._caller.ready:
                self._end_all("ORIGINATOR_CANCEL")
                return Outcome(None, "ORIGINATOR_CANCEL")
            if self._expire():
                continue
            self._ring_caller(alive)
            await (self._caller or alive[0]).pulse()

    def _start(self, target: Target) -> None:
        try:
            address = resolve(self._switch, target.address)
            channel = call_out(self._switch, address, {**self._variables, **target.variables}, self._caller)
        except DialError as error:
            log.info("can't call %s: %s", error.target, error.cause)
            self._causes.append(error.cause)
            return
        limit = target.variables.get("leg_timeout")
        self._legs.append((channel, self._switch.clock.monotonic() + int(limit) if limit else self._until))
        if self._caller is not None:
            self._caller.set("originate_signal_bond", channel.uuid)
            self._caller.push(
                "originated_legs", f"{channel.uuid};{channel.profile.callee_id_name};{channel.profile.callee_id_number}"
            )

    def _winner(self) -> Channel | None:
        for channel, _ in self._legs:
            if channel.up and (channel.answered or (self._early_counts and channel.early)):
                return channel
        return None

    def _ring_caller(self, alive: Iterable[Channel]) -> None:
        """A caller without audio hears ringing when the called one rings."""
        caller = self._caller
        if caller is None or caller.direction != "inbound" or caller.profile.times.progress:
            return
        if caller.leg is not None and any(channel.profile.times.progress for channel in alive):
            caller.profile.times.progress = self._switch.clock.now_us()
            if not caller.media_up:
                caller.leg.ring()
                caller.fire("CHANNEL_PROGRESS")

    def _expire(self) -> bool:
        """Hang up whoever rang too long."""
        now, late = self._switch.clock.monotonic(), False
        for channel, until in self._legs:
            if channel.up and now >= min(until, self._until):
                channel.hangup("NO_ANSWER")
                late = True
        return late

    def _end_all(self, cause: str, winner: Channel | None = None) -> None:
        for channel, _ in self._legs:
            if channel is not winner:
                channel.hangup(cause)

    def _worst(self) -> str:
        causes = [channel.hangup_cause for channel, _ in self._legs] + self._causes
        return causes[-1] if causes else "DESTINATION_OUT_OF_ORDER"


def resolve(switch: Switch, address: str) -> str:
    """`user/alice@domain` → the profile's address of that phone; `error/<cause>` fails. Raises `DialError`."""
    if address.startswith("error/"):
        raise DialError(to_cause(address.removeprefix("error/"), "NORMAL_UNSPECIFIED"), address)
    if match := _USER.match(address):
        user = switch.config.user(match[1], match[2] or "")
        if user is None or (match[2] and user.domain != match[2]):
            raise DialError("SUBSCRIBER_ABSENT", address)
        if "dial-string" not in user.params:
            raise DialError("MANDATORY_IE_MISSING", address)
        return f"sofia/internal/{user.name}%{user.domain}"
    return address


def run_on_answer(channel: Channel, what: str, dialplan: str = "", context: str = "") -> None:
    """Send an answered outgoing leg to `&app(arguments)` or to an extension."""
    profile = channel.profile
    caller = (profile.callee_id_name, profile.callee_id_number, profile.caller_id_name, profile.caller_id_number)
    profile.caller_id_name, profile.caller_id_number, profile.callee_id_name, profile.callee_id_number = caller
    channel.set("pre_transfer_caller_id_number", profile.callee_id_number)
    channel.set("channel_cid_flipped", "yes")
    channel.passive_routing = False
    if what.startswith("&"):
        name, _, argument = what[1:].partition("(")
        channel.extension.clear()
        channel.extension.append(Action(name, argument.removesuffix(")")))
        channel.hit_dialplan = False
        channel.set_state(State.EXECUTE)
    else:
        transfer(channel, what, dialplan, context)
