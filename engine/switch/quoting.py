"""The one place where values become arguments of the switch, or are refused.

FreeSWITCH expands `${…}` in every application's argument, `${system …}` included, and a line break begins a second
command on the event socket (measured; docs/decisions/0004-event-socket.md). So every value passes one of these
functions, which return what may be sent or raise `UnsafeArgument`; nothing is repaired in silence, except names for
display (`display_name`) and texts for logs (`visible`), where a changed copy is better than none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from itertools import accumulate
from urllib.parse import quote

from engine.switch.port import DialTarget, UnsafeArgument

MAX_ARGUMENT_CHARS = 8192
MAX_DISPLAY_CHARS = 48
MAX_HEADER_BYTES = 120
"""Of a SIP header's value, encoded."""
MIN_KEY_MS = 50
MAX_KEY_MS = 1000
PHONE_PROFILE = "internal"
"""The SIP profile on which agents' telephones register."""
MAX_VARIABLES = 60
"""The switch splits at most 64 assignments in one command."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DIAL_FORBIDDEN = re.compile(r"[,|\[\]{}()<>^&'\\\"`]")
_NUMBER = re.compile(r"[+]?[0-9*#]{1,20}")
_UUID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_CAUSE = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
_USER = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.+-]{0,63}")
_HOST = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.:-]{0,252}")
_HEADER = re.compile(r"X-[A-Za-z0-9-]{1,60}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
_KEYS = re.compile(r"[0-9*#A-D]{0,16}")
_SENT_KEYS = re.compile(r"[0-9*#A-DwW]{1,64}")
_PATH = re.compile(r"/[\w./+=,~ -]{1,1023}")
_RECORDING = re.compile(r"/[A-Za-z0-9_./+=-]{1,1019}\.(?:flac|wav)")
_TONE = re.compile(r"tone_stream://[A-Za-z0-9%(),.;=+/-]{1,512}")
_SILENCE = re.compile(r"silence_stream://[0-9]{1,8}(?:,[0-9]{1,5})?")
_EXECUTES = re.compile(
    r"(?:api_|exec_|execute_on_|bridge_pre_execute|bridge_post_execute|session_in_hangup_hook|transfer_on_fail|"
    r"app_uuid|sip_execute_on_|rtp_execute_on_|group_confirm|leg_group_confirm)"
)
"""Variables whose value the switch runs as a command or application at some later moment."""
_DELIMITERS = ";|~:!/"


def line(text: str) -> str:
    """One line of a command: no line breaks, no other control characters."""
    if text.isprintable():  # the quick way for nearly every text: no control character is printable
        return text
    found = _CONTROL.search(text)
    if found:
        raise UnsafeArgument(f"a control character (U+{ord(found.group()):04X}) in {visible(text[:60])!r}")
    return text


def argument(text: str) -> str:
    """An application's or command's argument: one line, no `$`, nothing that sets variables on the way (`%[…]`)."""
    line(text)
    if len(text) > MAX_ARGUMENT_CHARS:
        raise UnsafeArgument(f"an argument of {len(text)} characters, more than {MAX_ARGUMENT_CHARS}")
    if "$" in text:
        raise UnsafeArgument(f"a dollar sign in {text[:60]!r}")
    if text.startswith("%") and "[" in text[1:3]:
        raise UnsafeArgument(f"a list of variables in {text[:60]!r}")
    return text


def dial_part(text: str) -> str:
    """A piece of a dial string, blanks allowed: none of comma, pipe, brackets, quotes, `^`, `&`, backslash."""
    argument(text)
    found = _DIAL_FORBIDDEN.search(text)
    if found:
        raise UnsafeArgument(f"{found.group()!r} in a dial string: {text[:60]!r}")
    return text


def number(text: str) -> str:
    """A number to dial, at most 20 keys behind an optional plus."""
    return _matched(_NUMBER, text, "number to dial")


def caller_number(text: str) -> str:
    """The number to show to the called party. What is no number is not shown: a call is not lost for that."""
    return text if _NUMBER.fullmatch(text) else "anonymous"


def uuid(text: str) -> str:
    """A channel's or job's id."""
    return _matched(_UUID, text, "channel id")


def cause(text: str) -> str:
    """A hangup cause in FreeSWITCH's spelling."""
    return _matched(_CAUSE, text, "hangup cause")


def keys(text: str) -> str:
    """Keys of a telephone."""
    return _matched(_KEYS, text, "list of keys")


def sent_keys(text: str, key_ms: int) -> str:
    """Keys to be sent, each `key_ms` long, for the application `send_dtmf`."""
    _matched(_SENT_KEYS, text, "list of keys to send")
    if not MIN_KEY_MS <= key_ms <= MAX_KEY_MS:
        raise UnsafeArgument(f"a key of {key_ms} ms, not {MIN_KEY_MS} to {MAX_KEY_MS}")
    return f"{text}@{key_ms}"


def recording(path: str) -> str:
    """Where the switch may write a recording: an absolute path of a FLAC or WAV file."""
    _matched(_RECORDING, path, "path of a recording")
    return _without_ascent(path)


def media(source: str) -> str:
    """What the switch may play: an absolute path, a tone or silence.

    No `local_stream://`: it never ends, and a call whose engine died goes on only when what plays has ended.
    """
    argument(source)
    if source.startswith("/"):
        _matched(_PATH, source, "path of a sound file")
        return _without_ascent(source)
    for pattern in (_TONE, _SILENCE):
        if pattern.fullmatch(source):
            return source
    raise UnsafeArgument(f"not a source that may be played: {source[:60]!r}")


def assignments(variables: Mapping[str, str]) -> str:
    """Channel variables for `uuid_setvar_multi` and `multiset`, `a=1;b=2`, with another delimiter where a value needs
    it.

    Quotes, backslashes and outer blanks are escaped in the way that the switch undoes (`switch_separate_string`).
    """
    if not 0 < len(variables) <= MAX_VARIABLES:
        raise UnsafeArgument(f"{len(variables)} variables in one command, not 1 to {MAX_VARIABLES}")
    pairs = [(variable_name(name), argument(value)) for name, value in variables.items()]
    delimiter = next((sign for sign in _DELIMITERS if all(sign not in value for _, value in pairs)), ";")
    joined = delimiter.join(f"{name}={_escaped(value, delimiter)}" for name, value in pairs)
    return argument(joined if delimiter == ";" else f"^^{delimiter}{joined}")


def variable_name(name: str) -> str:
    """The name of a channel variable, none of those whose value the switch would run."""
    _matched(_VARIABLE, name, "name of a variable")
    if _EXECUTES.match(name):
        raise UnsafeArgument(f"the variable {name} runs what it holds")
    return name


def leg_variables(variables: Mapping[str, str]) -> str:
    """The variables in front of a dial string: `{a=1,b='two words'}`."""
    parts = []
    for name, value in variables.items():
        dial_part(value)
        if value != value.strip():
            raise UnsafeArgument(f"blanks around the value of {name}")
        parts.append(f"{variable_name(name)}='{value}'" if " " in value else f"{variable_name(name)}={value}")
    return "{" + ",".join(parts) + "}"


def header_name(name: str) -> str:
    """The name of a SIP header that we add: one of our own (`X-…`), none that means something to SIP."""
    return _matched(_HEADER, name, "name of an own SIP header")


def header_value(text: str) -> str:
    """A copy of a text for a SIP header: UTF-8, percent-encoded (RFC 3986) but for letters, digits and `-._~+:@/`, cut
    to what fits into 120 characters.
    """
    encoded = [quote(char, safe="+:@/") for char in visible(text)[:MAX_HEADER_BYTES]]
    lengths = accumulate(len(each) for each in encoded)
    return "".join(each for each, so_far in zip(encoded, lengths, strict=True) if so_far <= MAX_HEADER_BYTES)


def dial_string(target: DialTarget) -> str:
    """Where a leg goes: a registered user, or a number over a gateway."""
    if target.kind == "user":
        return f"sofia/{PHONE_PROFILE}/{user(target.user_or_number)}%{host(target.domain_or_gateway)}"
    gateway = _matched(_HOST, target.domain_or_gateway, "gateway")
    return f"sofia/gateway/{gateway}/{number(target.user_or_number)}"


def user(text: str) -> str:
    """The user of a telephone's account."""
    return _matched(_USER, text, "user")


def host(text: str) -> str:
    """A host or domain."""
    return _matched(_HOST, text, "domain")


def display_name(text: str) -> str:
    """A copy of a name that may be shown on a telephone: letters, digits, blanks and `.-_+`, at most 48 characters."""
    kept = [char if char.isalnum() or char in ".-_+" else " " for char in unicodedata.normalize("NFC", text)]
    return " ".join("".join(kept).split())[:MAX_DISPLAY_CHARS].strip()


def visible(text: str) -> str:
    """A copy for logs and database rows: each control character becomes U+FFFD, so that a forged line break shows."""
    return text if text.isprintable() else _CONTROL.sub("\ufffd", text)


def _matched(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise UnsafeArgument(f"not a {what}: {visible(text[:60])!r}")
    return text


def _without_ascent(path: str) -> str:
    if ".." in path.split("/"):
        raise UnsafeArgument(f"a path that climbs: {path[:60]!r}")
    return path


def _escaped(value: str, delimiter: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace(delimiter, "\\" + delimiter)
    inner = escaped.strip(" ")
    if inner == escaped:
        return escaped
    left = len(escaped) - len(escaped.lstrip(" "))
    right = len(escaped) - left - len(inner)
    return "\\s" * left + inner + "\\s" * right
