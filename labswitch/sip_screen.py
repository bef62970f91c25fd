"""Requests that are no good SIP, answered as FreeSWITCH answers them (measured), before sippy sees them.

sippy drops most of these, and takes some for calls.
"""

from __future__ import annotations

import re
from uuid import uuid4

_FIRST_LINE = re.compile(r"(?P<method>[A-Za-z]+) (?P<uri>\S+) SIP/(?P<version>\d\.\d)")
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_URI = r"[a-z][a-z0-9+.-]*+:[^<>\s]++"
# Possessive: each piece ends where the next begins, so nothing is ever tried a second time, however long it is.
_ADDRESS = re.compile(rf"(?:{_QUOTED}\s*+|[^<>\";:]*+)<{_URI}>.*+|{_URI}", re.IGNORECASE | re.DOTALL)
_CSEQ = re.compile(r"\d{1,10}\s+(?P<method>[A-Za-z]+)")
_ANSWERED_WITH = ("Via", "From", "To", "Call-ID", "CSeq")
_NAMES = {name.lower(): name for name in (*_ANSWERED_WITH, "Contact", "Require", "Content-Type", "Content-Length")}
_COMPACT = {"f": "From", "t": "To", "i": "Call-ID", "v": "Via", "m": "Contact"}
_COMPACT |= {"c": "Content-Type", "l": "Content-Length"}
_SCHEMES = ("sip", "sips", "tel")
_EXTENSIONS = frozenset(("timer", "path", "replaces"))

Headers = dict[str, list[str]]


def is_dropped(text: str) -> bool:
    """Whether the message is not even worth an answer: no request and no response, or nobody to answer to."""
    if text.startswith("SIP/2.0 "):
        return False
    return _FIRST_LINE.match(text) is None or not _headers(text).get("Via")


def refusal_of(text: str) -> str | None:
    """The answer to a request that can't be used, None for a good one and for a response."""
    first = _FIRST_LINE.match(text)
    if first is None or text.startswith("SIP/2.0 ") or first["method"] == "ACK":
        return None
    headers = _headers(text)
    fault = _fault(first, headers, text)
    return None if fault is None else _answer(fault, headers)


def _fault(first: re.Match[str], headers: Headers, text: str) -> tuple[str, str] | None:
    """Status and a header that goes with it, for what is wrong."""
    if first["version"] != "2.0":
        return "505 Version Not Supported", ""
    cseq = headers.get("CSeq", [""])[0]
    found = _CSEQ.fullmatch(cseq)
    if cseq and found is None:
        return "400 Bad CSeq Header", ""
    missing = any(name not in headers for name in _ANSWERED_WITH)
    if missing or found is None or found["method"] != first["method"] or _is_cut_off(headers, text):
        return "400 Bad Request", ""
    for name in ("From", "To", "Contact"):
        value = headers.get(name, [""])[0]
        if name in headers and value != "*" and not _ADDRESS.fullmatch(value):
            return f"400 Bad {name} Header", ""
    if first["uri"].partition(":")[0].lower() not in _SCHEMES:
        return "416 Unsupported URI Scheme", ""
    unknown = [
        word for line in headers.get("Require", []) for word in line.split(",") if word.strip() not in _EXTENSIONS
    ]
    if unknown:
        return "420 Bad Extension", f"Unsupported: {', '.join(word.strip() for word in unknown)}"
    if first["method"] == "INVITE":
        return _invite_fault(headers)
    return None


def _invite_fault(headers: Headers) -> tuple[str, str] | None:
    if "Contact" not in headers:
        return "400 Missing Contact Header", ""
    kind = headers.get("Content-Type", ["application/sdp"])[0].partition(";")[0].strip().lower()
    if kind != "application/sdp" and not kind.startswith("multipart/"):
        return "415 Unsupported Media Type", "Accept: application/sdp"
    return None


def _is_cut_off(headers: Headers, text: str) -> bool:
    length = headers.get("Content-Length", ["0"])[0]
    body = re.split(r"\r?\n\r?\n", text, maxsplit=1)[1:]
    return not length.isdecimal() or int(length) > len(body[0] if body else "")


def _headers(text: str) -> Headers:
    """The values of those headers that matter here, by their usual names."""
    head = re.sub(r"\r?\n[ \t]+", " ", re.split(r"\r?\n\r?\n", text, maxsplit=1)[0])
    found: Headers = {}
    for line in re.split(r"\r?\n", head)[1:]:
        name, _, value = line.partition(":")
        wanted = (_NAMES | _COMPACT).get(name.strip().lower())
        if wanted is not None:
            found.setdefault(wanted, []).append(value.strip())
    return found


def _answer(fault: tuple[str, str], headers: Headers) -> str:
    status, more = fault
    lines = [f"SIP/2.0 {status}"]
    for name in _ANSWERED_WITH:
        for value in headers.get(name, []):
            tag = f";tag={uuid4().hex[:13]}" if name == "To" and ";tag=" not in value else ""
            if name != "CSeq" or _CSEQ.fullmatch(value):
                lines.append(f"{name}: {value}{tag}")
    if more:
        lines.append(more)
    return "\r\n".join([*lines, "Content-Length: 0", "", ""])
