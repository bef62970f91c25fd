"""Requests that are no good SIP, and how FreeSWITCH answers them (`tests/captured/sip`).

What can't be read is answered before sippy sees it (`refusal_of`), without a transaction, as FreeSWITCH does: sippy
drops most of it, and takes some for calls. What can be read but not be served is answered in a transaction
(`fault_of`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
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
_RPORT = re.compile(r";\s*rport(?=\s*(?:[;,]|\Z))", re.IGNORECASE)
_SCHEMES = ("sip", "sips", "tel")
_EXTENSIONS = frozenset(("timer", "path", "replaces"))

Headers = dict[str, list[str]]


def is_dropped(text: str) -> bool:
    """Whether the message is not even worth an answer: no request and no response, or nobody to answer to."""
    if text.startswith("SIP/2.0 "):
        return False
    return _FIRST_LINE.match(text) is None or not _headers(text).get("Via")


def refusal_of(text: str, source_port: int) -> str | None:
    """The answer to a request that can't be read, None for a good one and for a response. `source_port` is where it
    came from."""
    first = _request_line(text)
    if first is None:
        return None
    headers = _headers(text)
    unreadable = {name for name, readable in _READABLE.items() if not all(map(readable, headers.get(name, [])[:1]))}
    status = _unreadable(first, headers, unreadable, text)
    if status is None:
        return None
    if first["version"] == "2.0" and "Via" in headers:
        headers["Via"][0] = _RPORT.sub(f";rport={source_port}", headers["Via"][0], count=1)
    return _answer(status, {name: values for name, values in headers.items() if name not in unreadable})


def fault_of(text: str) -> tuple[str, ...] | None:
    """Status, and headers that go with it, of the answer to a request that can be read but not be served, None for a
    good one."""
    first = _request_line(text)
    if first is None:
        return None
    headers = _headers(text)
    if not _is_of_sip(first["uri"]):
        return ("416 Unsupported URI Scheme",)
    unknown = [
        word for line in headers.get("Require", []) for word in line.split(",") if word.strip() not in _EXTENSIONS
    ]
    if unknown:
        return "420 Bad Extension", f"Unsupported: {', '.join(word.strip() for word in unknown)}"
    if first["method"] != "INVITE":
        return None
    if "Contact" not in headers:
        return ("400 Missing Contact Header",)
    kind = headers.get("Content-Type", ["application/sdp"])[0].partition(";")[0].strip().lower()
    if kind != "application/sdp" and not kind.startswith("multipart/"):
        return "415 Unsupported Media Type", "Accept-Encoding: "
    return None


def for_sippy(text: str) -> str:
    """The message with a request URI that sippy can read. The answer to one that it can't is `fault_of`'s."""
    first = _FIRST_LINE.match(text)
    if first is None or _is_of_sip(first["uri"]):
        return text
    return f"{text[: first.start('uri')]}sip:unsupported.invalid{text[first.end('uri') :]}"


def _request_line(text: str) -> re.Match[str] | None:
    """The first line of a request that is to be answered."""
    first = _FIRST_LINE.match(text)
    return None if first is None or text.startswith("SIP/2.0 ") or first["method"] == "ACK" else first


def _is_of_sip(uri: str) -> bool:
    return uri.partition(":")[0].lower() in _SCHEMES


def _unreadable(first: re.Match[str], headers: Headers, unreadable: set[str], text: str) -> str | None:
    """The status for what can't be read."""
    if first["version"] != "2.0":
        return "505 Version Not Supported"
    if "CSeq" in unreadable:
        return "400 Bad CSeq Header"
    found = _CSEQ.fullmatch(headers.get("CSeq", [""])[0])
    missing = any(name not in headers for name in _ANSWERED_WITH)
    if missing or found is None or found["method"] != first["method"] or _is_cut_off(headers, text):
        return "400 Bad Request"
    return next((f"400 Bad {name} Header" for name in ("From", "To", "Contact") if name in unreadable), None)


def _is_address(value: str) -> bool:
    return value == "*" or _ADDRESS.fullmatch(value) is not None


_READABLE: dict[str, Callable[[str], object]] = {
    **dict.fromkeys(("From", "To", "Contact"), _is_address),
    "CSeq": _CSEQ.fullmatch,
}


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


def _answer(status: str, headers: Headers) -> str:
    lines = [f"SIP/2.0 {status}"]
    for name in _ANSWERED_WITH:
        for value in headers.get(name, []):
            tag = f";tag={uuid4().hex[:13]}" if name == "To" and ";tag=" not in value else ""
            lines.append(f"{name}: {value}{tag}")
    return "\r\n".join([*lines, "Content-Length: 0", "", ""])
