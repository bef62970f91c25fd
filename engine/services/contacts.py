"""Contacts: the local copy of the customer's own data, which flows look up while a call waits (R110, R111).

The customer's system calls us; nothing here, and nothing at call time, asks an outside system.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dialplan.faults import Fault
from dialplan.numbers import normalise
from engine.domain.contact import OWN_FIELDS, Contact
from engine.services.changes import Actor, Changes
from engine.services.errors import ContactNotFound, ContactRefused
from engine.services.routing_data import outside_faults
from engine.store.contacts import ContactStore, delete_contact, put_contacts
from engine.store.database import Database
from ivr_flows.fields import VARIABLE

MAX_BATCH = 5000
"""Contacts of one batch."""
MAX_NUMBERS = 50
MAX_FIELDS = 100
LONGEST_KEY = 64
LONGEST_VALUE = 1000
_PART = r"[A-Za-z0-9][A-Za-z0-9._:@+-]*"
_KEY = re.compile(rf"{_PART}(/{_PART})*")


@dataclass(frozen=True, slots=True)
class Malformed:
    """A row of a batch of which no contact could be made; `key` as far as it is known."""

    key: str
    faults: Sequence[Fault]


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row of a batch that was not kept. `row` counts from 0."""

    row: int
    key: str
    faults: Sequence[Fault]


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of a batch: how many contacts are new, how many were there, and what was refused."""

    created: int
    changed: int
    refused: Sequence[RefusedRow]


class Contacts:
    """The use cases around contacts. `country` is the one whose national numbers are meant (`CZ`)."""

    def __init__(self, database: Database, changes: Changes, country: str) -> None:
        self._store = ContactStore(database)
        self._changes = changes
        self._country = country

    def get(self, key: str) -> Contact:
        """One contact. Raises ContactNotFound."""
        found = self._store.get(key)
        if found is None:
            raise ContactNotFound(key)
        return found

    def of_number(self, number: str) -> Sequence[Contact]:
        """All who have this number, written in any form; first the one that a flow is given. Raises ContactRefused."""
        value, faults = self._number("number", number)
        if faults:
            raise ContactRefused(faults)
        return self._store.of_number(value)

    def put(self, contact: Contact, by: Actor) -> tuple[Contact, bool]:
        """Writes a contact whole; returns it as it was written, and whether it is new. Raises ContactRefused."""
        with self._changes.of_other(by, "contact.put", f"contact:{contact.key}") as change:
            checked, faults = self._checked(contact)
            if faults:
                raise ContactRefused(faults)
            return checked, bool(put_contacts(change.session, [checked]))

    def delete(self, key: str, by: Actor) -> None:
        """Removes a contact. Raises ContactNotFound."""
        with self._changes.of_other(by, "contact.delete", f"contact:{key}") as change:
            if not delete_contact(change.session, key):
                raise ContactNotFound(key)

    def put_batch(self, rows: Sequence[Contact | Malformed], by: Actor) -> BatchOutcome:
        """Writes the good ones of many contacts, all of them or, when the store fails, none; says what is wrong with
        the others.
        """
        good, refused = self._sorted_out(rows)
        with self._changes.of_other(by, "contact.batch", "contacts") as change:
            created = put_contacts(change.session, list(good.values()))
            outcome = BatchOutcome(len(created), len(good) - len(created), refused)
            change.detail |= {"created": outcome.created, "changed": outcome.changed, "refused": len(refused)}
        return outcome

    def _sorted_out(self, rows: Sequence[Contact | Malformed]) -> tuple[Mapping[str, Contact], Sequence[RefusedRow]]:
        good: dict[str, Contact] = {}
        refused: list[RefusedRow] = []
        for row, each in enumerate(rows):
            if isinstance(each, Malformed):
                refused.append(RefusedRow(row, each.key, each.faults))
                continue
            checked, faults = self._checked(each)
            if each.key in good:
                faults = [*faults, Fault("key", "an earlier row of this batch has it too, and was kept")]
            if faults:
                refused.append(RefusedRow(row, each.key, faults))
            else:
                good[checked.key] = checked
        return good, refused

    def _checked(self, contact: Contact) -> tuple[Contact, Sequence[Fault]]:
        """The contact with its numbers in their one form, and what is wrong with it."""
        faults = [*_text_faults(contact)]
        numbers: dict[str, None] = {}
        for place, given in enumerate(contact.numbers):
            value, wrong = self._number(f"numbers[{place}]", given)
            faults += wrong
            numbers[value] = None  # a number that is given twice is one
        return replace(contact, numbers=tuple(numbers)), faults

    def _number(self, place: str, given: str) -> tuple[str, Sequence[Fault]]:
        value = normalise(given, self._country).value or given[:64]
        return value, outside_faults(place, value, self._country)


def _text_faults(contact: Contact) -> Iterator[Fault]:
    if not _KEY.fullmatch(contact.key) or len(contact.key) > LONGEST_KEY:
        words = f"up to {LONGEST_KEY} letters a-z, digits and . _ : @ + - /, a letter or digit first and after each /"
        yield Fault("key", f'"{contact.key[:LONGEST_KEY]}" is not a key: {words}')
    if len(contact.numbers) > MAX_NUMBERS:
        yield Fault("numbers", f"{len(contact.numbers)} are too many, at most {MAX_NUMBERS}")
    if len(contact.fields) > MAX_FIELDS:
        yield Fault("fields", f"{len(contact.fields)} are too many, at most {MAX_FIELDS}")
    named = {"name": contact.name, "status": contact.status}
    for name, value in contact.fields.items():
        place = f"fields.{name[:40]}"
        if name in OWN_FIELDS:
            yield Fault(place, "every contact has this one; it stands beside `fields`, not in it")
        elif not re.fullmatch(VARIABLE, name):
            yield Fault(place, "a field is named with up to 40 small letters, digits and '_', the first a letter")
        else:
            named[place] = value
    for place, value in named.items():
        if len(value) > LONGEST_VALUE:
            yield Fault(place, f"has {len(value)} characters, at most {LONGEST_VALUE}")
