"""Whose phone is registered, by what the switches tell (R5). Pure: who asks the switches says what they answered.

A user is registered where any switch has a phone of his. While the connection to a switch is down nothing changes for a
minute, so that a switch that restarts sends nobody home; after that its registrations do not count.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

KEPT_MS = 60_000
"""So long what a switch told last counts, while it can't be asked."""


@dataclass(slots=True)
class _Switch:
    down_since_ms: int | None
    users: frozenset[str] | None = None
    """None: it has not answered, or its answer does not count any more."""
    awaited: bool = True
    """Its answer is worth waiting for."""
    meanwhile: dict[str, bool] = field(default_factory=dict)
    """What it told by itself since it was asked: its answer may be older."""


class Phones:
    """The registrations of all switches, none of which has answered at `now_ms`. All moments are of one clock."""

    def __init__(self, switches: Iterable[str], now_ms: int) -> None:
        self._switches = {each: _Switch(now_ms) for each in switches}
        self._changed: set[str] | None = None

    def heard(self, switch: str, user: str, registered: bool) -> None:
        """The switch told by itself that a user registered or is gone."""
        there = self._switches[switch]
        there.meanwhile[user] = registered
        if there.users is not None:
            self._set(there, there.users | {user} if registered else there.users - {user})

    def asked(self, switch: str) -> None:
        """The switch is being asked for all of its users."""
        self._switches[switch].meanwhile.clear()

    def answered(self, switch: str, users: frozenset[str]) -> None:
        """These users are registered at the switch."""
        there = self._switches[switch]
        came = {user for user, registered in there.meanwhile.items() if registered}
        there.down_since_ms, there.awaited = None, True
        self._set(there, (users - there.meanwhile.keys()) | came)

    def silent(self, switch: str, now_ms: int) -> None:
        """The switch can't be asked. To be told again and again, for the moment from which it does not count."""
        there = self._switches[switch]
        if there.down_since_ms is None:
            there.down_since_ms = now_ms
        if there.awaited and now_ms - there.down_since_ms >= KEPT_MS:
            there.awaited = False
            self._set(there, None)

    def registered(self, user: str) -> bool | None:
        """Whether he has a phone; None: not known yet, what was so before is to stay."""
        if any(each.users is not None and user in each.users for each in self._switches.values()):
            return True
        return None if any(each.awaited and each.users is None for each in self._switches.values()) else False

    def take_changed(self) -> set[str] | None:
        """Users for whom the answer may be another one since this was asked last; None: for everybody."""
        changed, self._changed = self._changed, set()
        return changed

    def _set(self, switch: _Switch, users: frozenset[str] | None) -> None:
        if switch.users is None or users is None:
            self._changed = None
        elif self._changed is not None:
            self._changed |= switch.users ^ users
        switch.users = users
