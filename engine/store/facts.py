"""The tables of what flows look up while a call goes on: notices and contacts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from engine.store.base import Base
from engine.store.columns import EpochMs


class Notice(Base):
    """A notice on a general problem. `sounds` is json and not jsonb: the order of its languages counts.

    `until`: when it switches itself off.
    """

    __tablename__ = "notices"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    sounds: Mapped[dict[str, Any]] = mapped_column(JSON)
    active: Mapped[bool]
    until: Mapped[int | None] = mapped_column(EpochMs)
    changed_at: Mapped[int] = mapped_column(EpochMs)
    changed_by: Mapped[str]


class Contact(Base):
    """A contact by the customer's own key; `fields` holds text by name."""

    __tablename__ = "contacts"

    key: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    status: Mapped[str]
    fields: Mapped[dict[str, Any]]


class ContactNumber(Base):
    """A number of a contact. `position` is its place among the contact's numbers, 0 for the main one."""

    __tablename__ = "contact_numbers"
    __table_args__ = (Index(None, "contact_key"),)

    number: Mapped[str] = mapped_column(primary_key=True)
    contact_key: Mapped[str] = mapped_column(ForeignKey("contacts.key", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int]
