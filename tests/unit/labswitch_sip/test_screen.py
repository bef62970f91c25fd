"""What is let through, what is dropped, and that nothing makes the screen slow. How bad requests are answered is shown
by the captures of FreeSWITCH (`tests/captured/test_switch_answers_sip.py`)."""

from __future__ import annotations

import time

import pytest

from labswitch.sip_screen import fault_of, is_dropped, refusal_of

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

PORT = 5070


def request(changes: dict[str, str | None] | None = None, first: str = INVITE) -> str:
    headers = {**GOOD, **(changes or {})}
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([first, *lines, "", BODY])


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
    assert refusal_of(request(changes), PORT) is None
    assert fault_of(request(changes)) is None
    assert not is_dropped(request(changes))


@pytest.mark.parametrize("text", ["\x00\xff\r\n\r\nhello", "", "INVITE\r\n\r\n", request({"Via": None})])
def test_what_nobody_could_be_answered_for_is_dropped(text: str) -> None:
    assert is_dropped(text)


def test_an_ack_and_a_response_are_never_answered() -> None:
    bad = {"From": ";;;", "Require": "nosuch"}
    ack = request({**bad, "CSeq": "1 ACK"}, "ACK sip:1@127.0.0.1 SIP/2.0")
    response = request(bad, "SIP/2.0 200 OK")
    for text in (ack, response):
        assert refusal_of(text, PORT) is None
        assert fault_of(text) is None
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
            assert str(refusal_of(text, PORT)).startswith("SIP/2.0 400 Bad From Header\r\n")
            taken.append(time.thread_time() - began)
        return min(taken)

    ratio = work_s(60_000) / work_s(6_000)
    assert ratio < 40, f"{ratio:.0f} times: a work that grows with the square takes 100 times as long"
