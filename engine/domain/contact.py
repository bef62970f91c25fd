"""Contacts: the customers of whoever runs the installation, as their own system tells them to us (R110)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

OWN_FIELDS = ("key", "name", "status")
"""What every contact has; flows read them like any other field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A contact. `key` is the customer's own; `numbers` are in normal form (E.164), the main one first."""

    key: str
    name: str = ""
    status: str = ""
    numbers: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str | None:
        """The field of that name, one of `OWN_FIELDS` or of `fields`; None where the contact doesn't have it."""
        return str(getattr(self, name)) if name in OWN_FIELDS else self.fields.get(name)
