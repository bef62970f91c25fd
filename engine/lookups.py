"""What calls look up in PostgreSQL while somebody waits, on connections of their own: no call stands behind the spool's
writing.
"""

from __future__ import annotations

import logging
from typing import Literal

from engine.domain.contact import Contact
from engine.session.contacts import LOOKUP_S, ContactsUnavailable
from engine.store.calls import CallStore
from engine.store.contacts import ContactStore
from engine.store.database import Database, Limits
from engine.store.errors import StoreError

log = logging.getLogger(__name__)

_LIMIT_MS = round(LOOKUP_S * 1000)
_LIMITS = Limits(
    pool_size=2, pool_overflow=8, pool_timeout_s=LOOKUP_S, statement_timeout_ms=_LIMIT_MS, lock_timeout_ms=_LIMIT_MS
)
"""A look-up takes a millisecond or two: few connections serve many calls."""


class Lookups:
    """`ContactSource`, and who spoke with a caller last, over PostgreSQL."""

    def __init__(self, url: str, name: str) -> None:
        self._database = Database(url, name=name, limits=_LIMITS)
        self._contacts = ContactStore(self._database)
        self._calls = CallStore(self._database)

    def find(self, by: Literal["number", "key"], value: str) -> tuple[int, Contact | None]:
        """How many contacts fit, and the first. Raises ContactsUnavailable."""
        try:
            return self._contacts.find(by, value)
        except StoreError as error:
            raise ContactsUnavailable(str(error)) from error

    def last_agent(self, caller: str, since_ms: int) -> str | None:
        """Who spoke with this number last, at that moment (UTC epoch ms) or later; None where nobody can tell, too."""
        try:
            return self._calls.last_agent(caller, since_ms)
        except StoreError as error:
            log.warning("who spoke with a caller last is not known: %s", error)
            return None

    def close(self) -> None:
        """Closes the connections."""
        self._database.close()
