"""Documents of earlier formats, brought to today's step by step.

Each step leads from one format to the next, so that a release that changes the format adds one step and nothing else. A
step is pure, gives a new document and says in its docstring what changed. `schema` is set here.

The name of a version is the hash of the document as it was uploaded, so an old flow keeps its name and stays the same
version after an upgrade. tests/unit/ivr_flows/formats holds documents of every format there was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ivr_flows.document import JsonObject

CURRENT = "callwright/flow/1"
PREFIX = "callwright/flow/"


class Step(NamedTuple):
    """From a format to the next one."""

    to: str
    change: Callable[[JsonObject], JsonObject]


STEPS: Mapping[str, Step] = {}
"""By the format that a step begins with. Today's format is the first one."""


class NewerFormat(ValueError):
    """The document is of a format that comes later than ours."""


def migrate(content: Mapping[str, Any], steps: Mapping[str, Step] = STEPS, current: str = CURRENT) -> JsonObject:
    """The document in today's format. One whose `schema` isn't known is given back as it is, for the checks to refuse.

    Raises `NewerFormat`.
    """
    moved = dict(content)
    while (step := steps.get(_schema(moved))) is not None:
        moved = {**step.change(moved), "schema": step.to}
    if _number(_schema(moved)) > _number(current):
        raise NewerFormat(
            f"the document has the format {_schema(moved)[:40]}, which is newer than {current}, the newest known here; "
            "upgrade callwright, or export the flow from the editor in an older format"
        )
    return moved


def _schema(content: Mapping[str, Any]) -> str:
    schema = content.get("schema")
    return schema if isinstance(schema, str) else ""


def _number(schema: str) -> int:
    number = schema.removeprefix(PREFIX)
    return int(number) if schema.startswith(PREFIX) and number.isascii() and number.isdigit() and len(number) < 9 else 0
