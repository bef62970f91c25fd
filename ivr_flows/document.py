"""The document of a flow before it means anything: JSON in, canonical form and version out."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ivr_flows.findings import Finding, shown

MAX_BYTES = 1_000_000
"""Size of a document as JSON."""
MAX_DEPTH = 40
"""Objects and lists within each other."""
MAX_ENTRIES = 2500
"""Entries of one object or list; a flow has at most 2000 nodes."""
MAX_NAME = 200
"""Characters of a key."""

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
        _check_shape(content)
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except Unreadable:
        raise
    except RecursionError:
        raise Unreadable(f"the document is nested more than {MAX_DEPTH} deep") from None
    except UnicodeEncodeError:
        raise Unreadable("a text holds half of a surrogate pair (\\ud800 to \\udfff), which is no character") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except (TypeError, ValueError) as error:
        if "integer string conversion" in str(error):
            raise Unreadable("a number has thousands of digits; the largest one in a flow has 16") from None
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
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise Unreadable(f"the key {shown(twice)} stands twice in one object; remove or rename one of the two")
    return found


def _check_shape(content: Any) -> None:
    """Raises `Unreadable` for what is larger or deeper than any part of a flow. Not by recursion."""
    level = [("the document", content)]
    for _ in range(MAX_DEPTH):
        below: list[tuple[str, Any]] = []
        for place, part in level:
            if not isinstance(part, dict | list):
                continue
            if len(part) > MAX_ENTRIES:
                raise Unreadable(f"{place} has {len(part)} entries; no part of a flow has more than {MAX_ENTRIES}")
            if isinstance(part, list):
                below += [(place, each) for each in part]
                continue
            long = next((key for key in part if len(key) > MAX_NAME), None)
            if long is not None:
                raise Unreadable(f"the key {shown(long)} has {len(long)} characters; no key has more than {MAX_NAME}")
            below += [(shown(key), each) for key, each in part.items()]
        if not below:
            return
        level = below
    raise Unreadable(f"the document is nested more than {MAX_DEPTH} deep")


def _no_constant(name: str) -> Any:
    raise Unreadable(f"{name} is no JSON number")
