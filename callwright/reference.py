"""The configuration reference of docs/operations.md, from the fields and docstrings of engine/config.py."""

from __future__ import annotations

import typing
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.config import Config

BEGIN = "<!-- configuration reference: begin -->"
END = "<!-- configuration reference: end -->"


def config_reference() -> str:
    """One table for each section, in Markdown."""
    parts = []
    for name, field in Config.model_fields.items():
        section, several = _section(field.annotation)
        heading = f"[[{name}]]" if several else f"[{name}]"
        lines = [f"#### `{heading}`", "", (section.__doc__ or "").strip(), "", "| Field | Default | |", "|---|---|---|"]
        lines += [_row(each, inner) for each, inner in section.model_fields.items()]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _row(name: str, field: FieldInfo) -> str:
    description = " ".join((field.description or "").split()).replace("|", "\\|")
    return f"| `{name}` | {_default(field)} | {description} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None:
        return "see there"
    value = field.default
    if value is None or value == ():
        return "none"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text}`"


def _section(annotation: Any) -> tuple[type[BaseModel], bool]:
    if typing.get_origin(annotation) is tuple:
        return typing.get_args(annotation)[0], True
    assert isinstance(annotation, type)
    assert issubclass(annotation, BaseModel)
    return annotation, False
