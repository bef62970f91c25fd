"""Bad requests and the answers that FreeSWITCH 1.11.3-dev gave to the same on its trunk side."""

from __future__ import annotations

import time

import pytest

from labswitch.sip_screen import is_dropped, refusal_of

GOOD = {
    "Via": "SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKa",
    "From": '"C" <sip:+420602000099@127.0.0.1:5070>;tag=abc',
    "To": "<sip:+420221234570@127.0.0.1>",
    "Call-ID": "a@b",
    "CSeq": "1 INVITE",
    "Contact": "<sip:+420602000099@127.0.0.1:5070>",
    "Max-Forwards": "70",
    "Content-Type": "application/sdp",
    "Content-Length": "5",
}
INVITE = "INVITE sip:+420221234570@127.0.0.1 SIP/2.0"
BODY = "v=0\r\n"

MEASURED = {
    "a CSeq without a number": ({"CSeq": "first INVITE"}, "400 Bad CSeq Header"),
    "no From": ({"From": None}, "400 Bad Request"),
    "a From that never closes": ({"From": "<sip:broken"}, "400 Bad From Header"),
    "a From without an address": ({"From": ";;;"}, "400 Bad From Header"),
    "no Contact": ({"Contact": None}, "400 Missing Contact Header"),
    "a Contact that never closes": ({"Contact": "<sip:x"}, "400 Bad Contact Header"),
    "no To": ({"To": None}, "400 Bad Request"),
    "a To of brackets": ({"To": "<<<"}, "400 Bad To Header"),
    "no Call-ID": ({"Call-ID": None}, "400 Bad Request"),
    "another method in CSeq": ({"CSeq": "1 BYE"}, "400 Bad Request"),
    "an unknown extension": ({"Require": "nosuch"}, "420 Bad Extension"),
    "a body that is no SDP": ({"Content-Type": "text/plain"}, "415 Unsupported Media Type"),
    "a body that was cut off": ({"Content-Length": "99999"}, "400 Bad Request"),
}


def request(changes: dict[str, str | None] | None = None, first: str = INVITE) -> str:
    headers = {**GOOD, **(changes or {})}
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([first, *lines, "", BODY])


@pytest.mark.parametrize("what", MEASURED)
def test_is_answered_as_freeswitch_does(what: str) -> None:
    changes, status = MEASURED[what]
    answer = refusal_of(request(changes))
    assert answer is not None
    assert answer.split("\r\n")[0] == f"SIP/2.0 {status}"
    assert answer.endswith("\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("first", "status"),
    [
        ("INVITE sip:1@127.0.0.1 SIP/3.0", "505 Version Not Supported"),
        ("INVITE http://x SIP/2.0", "416 Unsupported URI Scheme"),
    ],
)
def test_the_first_line_counts_too(first: str, status: str) -> None:
    answer = refusal_of(request(first=first))
    assert answer is not None
    assert answer.startswith(f"SIP/2.0 {status}\r\n")


def test_the_answer_can_be_told_from_others() -> None:
    lines = str(refusal_of(request({"Require": "timer, nosuch"}))).split("\r\n")
    assert f"Via: {GOOD['Via']}" in lines
    assert "CSeq: 1 INVITE" in lines
    assert "Unsupported: nosuch" in lines
    assert any(line.startswith(f"To: {GOOD['To']};tag=") for line in lines)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"From": "sip:1@127.0.0.1;tag=abc"},
        {"From": r'"a\"b <sip:x>, <y" <sip:1@127.0.0.1>;tag=abc'},
        {"From": "Jan Novak <sip:1@127.0.0.1>;tag=abc"},
        {"Contact": None, "m": GOOD["Contact"]},
        {"Require": "timer"},
        {"CSeq": "2147483647  INVITE"},
        {"Content-Type": "multipart/mixed;boundary=x"},
    ],
)
def test_a_good_request_passes(changes: dict[str, str | None]) -> None:
    assert refusal_of(request(changes)) is None
    assert not is_dropped(request(changes))


@pytest.mark.parametrize("text", ["\x00\xff\r\n\r\nhello", "", "INVITE\r\n\r\n", request({"Via": None})])
def test_what_nobody_could_be_answered_for_is_dropped(text: str) -> None:
    assert is_dropped(text)


def test_an_ack_and_a_response_are_never_answered() -> None:
    assert refusal_of(request({"From": ";;;", "CSeq": "1 ACK"}, "ACK sip:1@127.0.0.1 SIP/2.0")) is None
    response = request({"From": ";;;"}, "SIP/2.0 200 OK")
    assert refusal_of(response) is None
    assert not is_dropped(response)


HEAVY = {
    "blanks": lambda size: "x" + " " * size,
    "blanks behind a name": lambda size: '"x"' + " " * size,
    "a name that never ends": lambda size: '"' + '\\"' * (size // 2),
    "a scheme that never ends": lambda size: "a" * size,
    "an address that never ends": lambda size: "<sip:" + "a" * size,
    "brackets": lambda size: "<" * size,
}


@pytest.mark.parametrize("what", HEAVY)
def test_ten_times_as_long_a_header_is_about_ten_times_the_work(what: str) -> None:
    def work_s(size: int) -> float:
        text = request({"From": f"{HEAVY[what](size)};"})
        taken = []
        for _ in range(9):
            began = time.thread_time()
            assert str(refusal_of(text)).startswith("SIP/2.0 400 Bad From Header\r\n")
            taken.append(time.thread_time() - began)
        return min(taken)

    ratio = work_s(60_000) / work_s(6_000)
    assert ratio < 40, f"{ratio:.0f} times: a work that grows with the square takes 100 times as long"
