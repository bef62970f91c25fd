"""SIP headers as the sender wrote them, read beside sippy, which normalises what it parses."""

from __future__ import annotations

import re
from dataclasses import dataclass

from labswitch.sip_transport import received_text

DEFAULT_PORT = 5060
_COMPACT = {"f": "from", "t": "to", "m": "contact", "i": "call-id", "s": "subject"}
_NAME_ADDRESS = re.compile(r'\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^<"]*?))\s*<(?P<uri>[^>]*)>', re.DOTALL)
_ANSWER_AFTER = re.compile(r";\s*answer-after\s*=\s*(\d{1,4})", re.IGNORECASE)
_URI = re.compile(
    r"(?:sips?:)?(?:(?P<user>[^@]*)@)?(?P<host>\[[^\]]*\]|[^:;?>]*)(?::(?P<port>\d{1,5}))?", re.DOTALL | re.IGNORECASE
)


@dataclass(frozen=True)
class Address:
    """A name-addr or addr-spec (RFC 3261, section 25.1), nothing decoded."""

    display: str
    user: str
    host: str
    port: int
    uri: str
    """Without scheme, as FreeSWITCH writes its `sip_contact_uri`."""


class Headers:
    """The headers of one message, in order, with their values as received."""

    def __init__(self, text: str) -> None:
        """`text` is the message as sippy gets it."""
        head = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]
        unfolded = re.sub(r"\r?\n[ \t]+", " ", head)
        self._lines: list[tuple[str, str]] = []
        self.first_line, *lines = re.split(r"\r?\n", unfolded)
        for line in lines:
            name, colon, value = line.partition(":")
            if colon:
                self._lines.append((received_text(name.strip()), received_text(value.strip())))

    def get(self, name: str) -> str:
        """The first header of that name, empty when there is none."""
        wanted = name.lower()
        return next((value for key, value in self._lines if _COMPACT.get(key.lower(), key.lower()) == wanted), "")

    def extensions(self) -> tuple[tuple[str, str], ...]:
        """Every header whose name begins with `X-`."""
        return tuple((key, value) for key, value in self._lines if key.lower().startswith("x-"))

    def answer_after_s(self) -> float | None:
        """After how many seconds the phone is asked to answer by itself: `Call-Info: <…>;answer-after=0`, or
        `Answer-Mode: Auto` (RFC 5373); None where it is not."""
        found = _ANSWER_AFTER.search(self.get("call-info"))
        if found:
            return float(found[1])
        return 0.0 if self.get("answer-mode").partition(";")[0].strip().lower() == "auto" else None

    def address(self, name: str) -> Address:
        """The header read as an address; what can't be read is empty."""
        return parse_address(self.get(name))


def parse_address(value: str) -> Address:
    """Read a From, To or Contact value, or a bare URI."""
    found = _NAME_ADDRESS.match(value)
    if found:
        display = found["quoted"] if found["quoted"] is not None else found["bare"]
        uri = found["uri"]
    else:
        display, uri = "", value.split(";", 1)[0].strip()
    return _address(display, uri)


def _address(display: str, uri: str) -> Address:
    parts = _URI.match(uri)
    if parts is None:
        return Address(display, "", "", DEFAULT_PORT, uri)
    user = (parts["user"] or "").split(";", 1)[0].split(":", 1)[0]
    port = int(parts["port"]) if parts["port"] else DEFAULT_PORT
    return Address(display, user, parts["host"] or "", port, re.sub(r"^sips?:", "", uri, flags=re.IGNORECASE))
