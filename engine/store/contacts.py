"""Contacts and their numbers: written by the customer's system, read while a call waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, delete, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from engine.domain.contact import Contact
from engine.store.database import Database
from engine.store.facts import Contact as ContactRow
from engine.store.facts import ContactNumber

_CHUNK = 500
"""Rows of one statement."""


class ContactStore:
    """Reads contacts. All methods raise `StoreUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> Contact | None:
        """The contact, or None."""
        found = self._list(select(ContactRow).where(ContactRow.key == key))
        return found[0] if found else None

    def of_number(self, number: str) -> list[Contact]:
        """Those who have this number (in normal form), the one that a flow is given first."""
        return self._list(_by_number(select(ContactRow), number))

    def find(self, by: Literal["number", "key"], value: str) -> tuple[int, Contact | None]:
        """How many contacts fit, and the first one without its numbers: one indexed query."""
        query: Any = select(ContactRow, func.count().over())
        query = _by_number(query, value) if by == "number" else query.where(ContactRow.key == value)
        with self._database.transaction() as session:
            found = session.execute(query.limit(1)).first()
        return (0, None) if found is None else (found[1], _contact(found[0], ()))

    def _list(self, query: Select[ContactRow]) -> list[Contact]:
        with self._database.snapshot() as session:
            rows = session.scalars(query).all()
            numbers: dict[str, list[str]] = {row.key: [] for row in rows}
            theirs = (
                select(ContactNumber).where(ContactNumber.contact_key.in_(numbers)).order_by(ContactNumber.position)
            )
            for each in session.scalars(theirs):
                numbers[each.contact_key].append(each.number)
        return [_contact(row, numbers[row.key]) for row in rows]


def put_contacts(session: Session, contacts: Sequence[Contact]) -> set[str]:
    """Writes contacts whole, each key at most once, and returns the keys that are new.

    In the order of their keys, so that two who write at once wait for each other and don't block each other for good.
    """
    created: set[str] = set()
    for chunk in _chunks(sorted(contacts, key=lambda each: each.key)):
        values = [{"key": c.key, "name": c.name, "status": c.status, "fields": dict(c.fields)} for c in chunk]
        insert = upsert(ContactRow).values(values)
        changed = {name: insert.excluded[name] for name in ("name", "status", "fields")}
        # a row that this very statement made was deleted by nobody: https://www.postgresql.org/docs/current/ddl-system-columns.html
        is_new: ColumnElement[bool] = literal_column("xmax = 0")
        written = insert.on_conflict_do_update(index_elements=["key"], set_=changed).returning(ContactRow.key, is_new)
        created |= {key for key, new in session.execute(written) if new}
        session.execute(delete(ContactNumber).where(ContactNumber.contact_key.in_([c.key for c in chunk])))
        numbers = [
            {"number": number, "contact_key": contact.key, "position": position}
            for contact in chunk
            for position, number in enumerate(contact.numbers)
        ]
        if numbers:
            session.execute(upsert(ContactNumber).values(numbers))
    return created


def delete_contact(session: Session, key: str) -> bool:
    """Removes a contact. False when there is none."""
    return (
        session.execute(delete(ContactRow).where(ContactRow.key == key).returning(ContactRow.key)).first() is not None
    )


def _by_number(query: Any, number: str) -> Any:
    """Whose main number it is comes first, then whose second, and so on; among equals the smaller key."""
    joined = query.join(ContactNumber, ContactNumber.contact_key == ContactRow.key)
    # by bytes: the order must not depend on the database's language
    order = (ContactNumber.position, ContactNumber.contact_key.collate("C"))
    return joined.where(ContactNumber.number == number).order_by(*order)


def _chunks(contacts: Sequence[Contact]) -> Iterator[Sequence[Contact]]:
    for start in range(0, len(contacts), _CHUNK):
        yield contacts[start : start + _CHUNK]


def _contact(row: ContactRow, numbers: Sequence[str]) -> Contact:
    return Contact(key=row.key, name=row.name, status=row.status, numbers=tuple(numbers), fields=row.fields)
