"""Quoting: no value becomes a second command, an expansion or another argument."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.switch import quoting
from engine.switch.connection import encoded
from engine.switch.port import DialTarget, UnsafeArgument

ANY = st.text(max_size=60) | st.text(st.sampled_from("$ {}[](),|^&'\\\"`\n\r\t\x00\u2028%=;/.ab1+*#"), max_size=30)
HOSTILE = [
    "a\nb",
    "a\r",
    "a\x00",
    "\x85",
    "a\u2028b",
    "${system(id)}",
    "$",
    "$${x}",
    "%[a=b]c",
    "%:[a=b]c",
    "\ud800",
    "a\n\nsendmsg\ncall-command: hangup",
]
BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

FUNCTIONS: dict[str, Callable[[str], str]] = {
    "argument": quoting.argument,
    "dial_part": quoting.dial_part,
    "number": quoting.number,
    "caller_number": quoting.caller_number,
    "uuid": quoting.uuid,
    "cause": quoting.cause,
    "keys": quoting.keys,
    "sent_keys": lambda text: quoting.sent_keys(text, 100),
    "recording": quoting.recording,
    "media": quoting.media,
    "variable_name": quoting.variable_name,
    "display_name": quoting.display_name,
    "assignments": lambda text: quoting.assignments({"a": text, "b": "c"}),
    "leg_variables": lambda text: quoting.leg_variables({"a": text, "b": "c"}),
    "user": lambda text: quoting.dial_string(DialTarget("user", text, "lab")),
    "domain": lambda text: quoting.dial_string(DialTarget("user", "1001", text)),
    "gateway": lambda text: quoting.dial_string(DialTarget("gateway", "601234567", text)),
    "number_over_gateway": lambda text: quoting.dial_string(DialTarget("gateway", text, "trunk")),
}
REPAIRING = {"caller_number", "display_name"}


@pytest.mark.req("R123")
@pytest.mark.parametrize("name", FUNCTIONS)
@given(text=ANY)
@settings(max_examples=150, deadline=None)
def test_nothing_quoted_holds_a_line_break_or_an_expansion(name: str, text: str) -> None:
    try:
        quoted = FUNCTIONS[name](text)
    except UnsafeArgument:
        return
    assert not BREAKS.search(quoted)
    assert "$" not in quoted
    quoted.encode()


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in REPAIRING])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_values_are_refused(name: str, text: str) -> None:
    with pytest.raises(UnsafeArgument):
        FUNCTIONS[name](text)


@pytest.mark.parametrize("name", REPAIRING)
@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_shown_is_made_safe_instead(name: str, text: str) -> None:
    assert re.fullmatch(r"[\w .+-]*", FUNCTIONS[name](text))


@given(text=ANY)
@settings(max_examples=300, deadline=None)
def test_a_command_is_one_command(text: str) -> None:
    """The last guard, whatever reaches it: one command with one blank line, at its end."""
    try:
        data = encoded(text or "x", [("a", text)])
    except UnsafeArgument:
        return
    assert data.count(b"\n\n") == 1
    assert data.endswith(b"\n\n")
    assert data.count(b"\n") == 3


@pytest.mark.parametrize("text", ["601234567", "+420601234567", "112", "*21#", "1" * 20])
def test_numbers(text: str) -> None:
    assert quoting.number(text) == text
    assert quoting.caller_number(text) == text


@pytest.mark.parametrize("text", ["", "+", "1" * 21, "12 34", "１２３", "12+3", "sip:1@x", "123\n", "(02)"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(UnsafeArgument):
        quoting.number(text)
    assert quoting.caller_number(text) == "anonymous"


@pytest.mark.parametrize("char", list(",|[]{}()<>^&'\\\"`$"))
def test_dial_strings_hold_none_of_what_splits_them(char: str) -> None:
    with pytest.raises(UnsafeArgument):
        quoting.dial_part(f"a{char}b")
    with pytest.raises(UnsafeArgument):
        quoting.leg_variables({"a": f"b{char}c"})
    for kind, name, host in (("user", f"a{char}b", "lab"), ("user", "ab", f"lab{char}"), ("gateway", "1", f"t{char}")):
        with pytest.raises(UnsafeArgument):
            quoting.dial_string(DialTarget(kind, name, host))  # type: ignore[arg-type]


def test_dial_strings() -> None:
    assert quoting.dial_string(DialTarget("user", "jan.novak", "lab.example")) == "sofia/internal/jan.novak%lab.example"
    assert quoting.dial_string(DialTarget("gateway", "+420601", "trunk-1")) == "sofia/gateway/trunk-1/+420601"
    with pytest.raises(UnsafeArgument):
        quoting.dial_string(DialTarget("user", "../x", "lab"))


def test_leg_variables() -> None:
    assert quoting.leg_variables({"a": "1", "b": "Jan Novák"}) == "{a=1,b='Jan Novák'}"
    with pytest.raises(UnsafeArgument):
        quoting.leg_variables({"a": " b"})


@pytest.mark.parametrize(
    "source",
    [
        "/srv/prompts/welcome-cs.wav",
        "/srv/my prompts/Vítejte 2.wav",
        "tone_stream://%(1000,4000,425);loops=-1",
        "silence_stream://250",
        "silence_stream://250,1400",
    ],
)
def test_sources(source: str) -> None:
    assert quoting.media(source) == source


@pytest.mark.parametrize(
    "source",
    [
        "",
        "/",
        "relative.wav",
        "/srv/../etc/passwd",
        "/srv/a!b.wav",
        "/srv/a@@200",
        "/srv/{x=1}a.wav",
        "file_string:///a!/b",
        "http://example.com/x.wav",
        "say:hello",
        "phrase:x",
        "shout://x",
        "silence_stream://-1",
        "local_stream://moh",
        "tone_stream://%(100,100,350)\n",
        "{a=b}tone_stream://%(1,1,1)",
        "/srv/a.wav,/srv/b.wav|x",
    ],
)
def test_what_is_no_source(source: str) -> None:
    with pytest.raises(UnsafeArgument):
        quoting.media(source)


@pytest.mark.parametrize("path", ["/srv/rec/2026/a-1.flac", "/srv/rec/a.wav"])
def test_recordings(path: str) -> None:
    assert quoting.recording(path) == path


@pytest.mark.parametrize(
    "path", ["a.flac", "/srv/a.mp3", "/srv/../a.flac", "/srv/a b.flac", "/srv/{x}a.flac", "/a.flac "]
)
def test_what_is_no_recording(path: str) -> None:
    with pytest.raises(UnsafeArgument):
        quoting.recording(path)


@pytest.mark.parametrize(
    "name",
    ["", "1a", "a b", "a=b", "a;b", "api_hangup_hook", "execute_on_answer", "exec_after_bridge_app", "a\n"],
)
def test_names_that_may_not_be_set(name: str) -> None:
    with pytest.raises(UnsafeArgument):
        quoting.variable_name(name)


def switch_splits(text: str) -> dict[str, str]:
    """What FreeSWITCH makes of a list of assignments (`switch_separate_string` and what it calls)."""
    delimiter = ";"
    if text.startswith("^^"):
        delimiter, text = text[2], text[3:]
    parts, current, quoted, at = [], "", False, 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            current += text[at : at + 2]
            at += 2
            continue
        if text[at] == "'" and (quoted or "'" in text[at + 1 :]):
            quoted = not quoted
        if text[at] == delimiter and not quoted:
            parts.append(current)
            current = ""
        else:
            current += text[at]
        at += 1
    return dict(_cleaned(part, delimiter).split("=", 1) for part in [*parts, current])


def _cleaned(text: str, delimiter: str) -> str:
    out, end, at, quoted = "", 0, 0, False
    text = text.lstrip(" ")
    while at < len(text):
        char, after = text[at], text[at + 1 : at + 2]
        if char == "\\" and after and after in ("'", '"', delimiter, "\\", "n", "r", "t", "s"):
            out += {"n": "\n", "r": "\r", "t": "\t", "s": " "}.get(after, after)
            at += 2
            end = len(out)
            continue
        if char == "'" and (quoted or "'" in text[at + 1 :]):
            quoted = not quoted
            if quoted:
                end = len(out)
        else:
            out += char
            if char != " " or quoted:
                end = len(out)
        at += 1
    return out[:end]


NAMES = st.from_regex(r"cw_[a-z]{1,5}", fullmatch=True)
VALUES = st.text(st.sampled_from("ab =;|~:!/'\\\"ns,Ž"), max_size=20)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=6))
@example({"cw_a": " a'b;\\", "cw_b": ";|~:!/", "cw_c": "\\n"})
@settings(max_examples=500, deadline=None)
def test_assignments_come_apart_as_they_went_together(variables: dict[str, str]) -> None:
    assert switch_splits(quoting.assignments(variables)) == variables


def test_assignments_are_plain_where_they_can_be() -> None:
    assert quoting.assignments({"a": "1", "b": "x:y"}) == "a=1;b=x:y"
    assert quoting.assignments({"a": "1;2"}) == "^^|a=1;2"


@pytest.mark.parametrize("count", [0, quoting.MAX_VARIABLES + 1])
def test_the_switch_takes_so_many_at_once(count: int) -> None:
    with pytest.raises(UnsafeArgument):
        quoting.assignments({f"a{number}": "1" for number in range(count)})


def test_keys_to_send() -> None:
    assert quoting.sent_keys("12w#*AW", 200) == "12w#*AW@200"
    for text, key_ms in (("", 100), ("1" * 65, 100), ("1@2", 100), ("x", 100), ("1", 49), ("1", 1001)):
        with pytest.raises(UnsafeArgument):
            quoting.sent_keys(text, key_ms)


@given(st.text(max_size=300))
@example("Léto, 5 (x)\r\nEvil: 1 ${x} {a=1} 'b' \ud800")
@settings(deadline=None)
def test_a_header_s_value_is_harmless_and_says_the_same(text: str) -> None:
    value = quoting.header_value(text)
    assert re.fullmatch(r"[A-Za-z0-9%._~+:@/-]{0,120}", value)
    assert quoting.visible(text).startswith(unquote(value, errors="strict"))
    assert f"a={value}" in quoting.leg_variables({"a": value})


def test_a_header_s_value_is_cut_between_two_letters() -> None:
    assert quoting.header_value("a" * 119 + "é") == "a" * 119
    assert quoting.header_value("Léto, 5 (x)") == "L%C3%A9to%2C%205%20%28x%29"


@pytest.mark.parametrize("name", ["Call-Info", "X-", "X-a b", "X-a:b", "X-a\nb", "X-" + "a" * 61])
def test_only_headers_of_our_own(name: str) -> None:
    with pytest.raises(UnsafeArgument, match="not a name of an own SIP header"):
        quoting.header_name(name)


def test_names_to_display() -> None:
    assert quoting.display_name("Jan Novák") == "Jan Novák"
    assert quoting.display_name('x"<sip:1@e>${a}\n, b') == "x sip 1 e a b"
    assert len(quoting.display_name("x " * 100)) <= quoting.MAX_DISPLAY_CHARS
    assert quoting.visible("a\nb") == "a\ufffdb"
