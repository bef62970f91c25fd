"""The document of a flow before it means anything: JSON in, canonical form and version out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ivr_flows.findings import Finding

MAX_BYTES = 1_000_000
"""Size of a document as JSON."""

JsonObject = dict[str, Any]


class Unreadable(ValueError):
    """The document isn't JSON that a flow could be in."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.finding = Finding("error", "bad_json", None, None, message)


def read(document: Mapping[str, Any] | str) -> JsonObject:
    """The document as plain JSON values. Raises `Unreadable`.

    A document that comes as text is also refused for a key that stands twice in one object: the reader would silently
    drop one of the two.
    """
    try:
        source = document if isinstance(document, str) else json.dumps(document, allow_nan=False)
        if len(source) > MAX_BYTES:
            raise Unreadable(f"the document has more than {MAX_BYTES} bytes; split it into several flows")
        content = json.loads(source, object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
        canonical(content)
    except Unreadable:
        raise
    except RecursionError:
        raise Unreadable("the document is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except (TypeError, ValueError) as error:
        raise Unreadable(f"not JSON: {error}") from None
    if not isinstance(content, dict):
        raise Unreadable("a flow is a JSON object: { … }")
    return content


def canonical(content: Any) -> bytes:
    """Canonical JSON: keys sorted, no blanks, everything but ASCII escaped."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def version(content: Mapping[str, Any]) -> str:
    """The version's name: the first 16 hex digits of the SHA-256 of the canonical JSON without `layout`.

    Taken over the document as it was uploaded, not over what it was parsed to: a default that changes with a later
    release must not change the name of a version.
    """
    kept = {key: value for key, value in content.items() if key != "layout"}
    return hashlib.sha256(canonical(kept)).hexdigest()[:16]


def _without_duplicates(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Unreadable(f"the key '{twice}' stands twice in one object; remove or rename one of the two")
    return found


def _no_constant(name: str) -> Any:
    raise Unreadable(f"{name} is no JSON number")
