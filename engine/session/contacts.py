"""Contacts at call time: from our own copy, and for no longer than a caller takes for a pause (R111)."""

from __future__ import annotations

import logging
from typing import Literal, Protocol

import gevent

from dialplan.numbers import NumberKind, normalise
from engine.domain.contact import Contact
from engine.session.beside import beside
from engine.session.log import CallLog
from engine.switch.port import Channel
from ivr_flows.instructions import FindContact
from ivr_flows.results import ContactsFound, Refused

log = logging.getLogger(__name__)

LOOKUP_S = 1.0
"""The longest that a call waits for its contact; then the flow goes on without."""


class ContactsUnavailable(Exception):
    """Nobody can be asked now."""


class ContactSource(Protocol):
    """Where contacts come from (PostgreSQL)."""

    def find(self, by: Literal["number", "key"], value: str) -> tuple[int, Contact | None]:
        """How many have this number or key, and the first. Raises ContactsUnavailable.

        May be given up at any moment: its greenlet is then killed.
        """


class Contacts:
    """One for all calls of an engine."""

    def __init__(self, source: ContactSource, limit_s: float = LOOKUP_S) -> None:
        self._source = source
        self._limit_s = limit_s

    def find(self, instruction: FindContact, channel: Channel, call: CallLog) -> ContactsFound | Refused:
        """The contact that is asked for. Raises ChannelGone, SwitchLost; the look-up is then given up.

        A number is meant in the country of the call's route; what is no telephone number fits nobody.
        """
        value = instruction.value
        if instruction.by == "number":
            number = normalise(value, call.facts.country)
            value = number.value if number.kind is NumberKind.E164 or number.kind is NumberKind.SHORT else ""
        if not value:
            return ContactsFound(0)
        try:
            count, first = beside(channel, lambda: self._asked(instruction.by, value))
        except ContactsUnavailable as away:
            log.warning("call %s: contact not looked up: %s", call.call_id, away)
            return Refused(str(away))
        values = {name: first.value(name) for name in instruction.fields} if first else {}
        return ContactsFound(count, {name: known for name, known in values.items() if known is not None})

    def _asked(self, by: Literal["number", "key"], value: str) -> tuple[int, Contact | None]:
        limit = gevent.Timeout(self._limit_s)
        try:
            with limit:
                return self._source.find(by, value)
        except gevent.Timeout as over:
            if over is not limit:
                raise
            raise ContactsUnavailable(f"no answer from the database within {self._limit_s:g} s") from over
