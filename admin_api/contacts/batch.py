"""The body of a batch: contacts as a JSON list, or one on each line (NDJSON)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import marshmallow as ma
from flask import request

from admin_api.access import LINES
from admin_api.contacts.schema import BatchRowSchema
from admin_api.problems import places
from admin_api.smorest import Refusal
from dialplan.faults import Fault
from engine.domain.contact import Contact
from engine.services.contacts import LONGEST_KEY, MAX_BATCH, Malformed

_ROW = BatchRowSchema()


class Rows:
    """The rows of this request, and what each is called in the answer."""

    def __init__(self) -> None:
        """Raises Refusal when there are no rows to be told apart."""
        content = request.get_data()
        self._name = "line" if request.mimetype == LINES else "index"
        numbered = list(_lines(content) if self._name == "line" else enumerate(_listed(content)))
        if len(numbered) > MAX_BATCH:
            message = f"{len(numbered)} contacts are too many for one request, at most {MAX_BATCH}; send several."
            raise Refusal(422, "json", "", message)
        self._numbers = [number for number, _ in numbered]
        self.contacts = [row if isinstance(row, Malformed) else _contact(row) for _, row in numbered]

    def called(self, row: int) -> dict[str, int]:
        """`{"line": 3}` or `{"index": 2}`."""
        return {self._name: self._numbers[row]}


def _lines(content: bytes) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, Malformed("", [Fault("", f"is no JSON: {error}")])


def _listed(content: bytes) -> list[Any]:
    try:
        rows = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "json", "", f"The body is no JSON: {error}") from error
    if not isinstance(rows, list):
        raise Refusal(422, "json", "", f"The body must be a list of contacts, or one on each line as {LINES}.")
    return rows


def _contact(row: Any) -> Contact | Malformed:
    try:
        return made(_ROW.load(row))
    except ma.ValidationError as error:
        key = row.get("key") if isinstance(row, Mapping) else None
        faults = [Fault("" if place == "_schema" else place, message) for place, message in places(error.messages)]
        return Malformed(key[:LONGEST_KEY] if isinstance(key, str) else "", faults)


def made(values: Mapping[str, Any]) -> Contact:
    """The contact of a body that fits its schema."""
    return Contact(**{**values, "numbers": tuple(values["numbers"])})
