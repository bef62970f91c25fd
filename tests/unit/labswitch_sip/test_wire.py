"""What comes as bare packets: requests outside calls, hostile headers, broken and foreign packets."""

from __future__ import annotations

import random
import re

import pytest

WAIT_S = 8.0

SDP = (
    "v=0\r\no=x 1 1 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP {payloads}\r\na=sendrecv\r\n"
)


def request(
    method, to, plain, *, sdp="", headers="", from_="<sip:1@127.0.0.1>", call_id="c1", to_tag="", cseq=1, branch="1"
):
    """A request as bytes (Latin-1), the way a careless client writes it."""
    host, port = to
    mine = plain.getsockname()[1]
    return (
        f"{method} sip:100@{host}:{port} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:{mine};branch=z9hG4bK{call_id}{method}{branch}\r\n"
        f"From: {from_};tag=f1\r\nTo: <sip:100@{host}>{to_tag}\r\nCall-ID: {call_id}\r\n"
        f"CSeq: {cseq} {method}\r\nContact: <sip:1@127.0.0.1:{mine}>\r\nMax-Forwards: 70\r\n{headers}"
        f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n{sdp}"
    ).encode("latin-1")


def answer(plain, final=True):
    """The next answer's code and text; provisional ones are skipped when a final one is wanted."""
    while True:
        text = plain.recv(65535).decode("latin-1")
        code = int(text.split()[1])
        if code >= 200 or not final:
            return code, text


@pytest.fixture(params=["external", "internal"])
def profile(request, switch):
    return switch.stack.address(request.param)


def test_options_is_answered(profile, plain):
    plain.sendto(request("OPTIONS", profile, plain), profile)
    code, text = answer(plain)
    assert code == 200
    assert "Allow: INVITE" in text


@pytest.mark.parametrize(
    "sdp",
    [
        SDP.format(port=4000, payloads="18 3"),
        SDP.format(port=0, payloads="8"),
        SDP.format(port=4000, payloads="8").replace("127.0.0.1", "host.example"),
        SDP.format(port=70000, payloads="8"),
        SDP.format(port=4000, payloads="8").replace("RTP/AVP", "RTP/SAVP"),
        "v=0\r\nm=audio\r\n",
    ],
)
def test_no_common_codec_is_488(switch, external, plain, sdp):
    plain.sendto(request("INVITE", external, plain, sdp=sdp), external)
    assert answer(plain)[0] == 488
    assert switch.invited.empty()


@pytest.mark.parametrize(("sdp", "code"), [("\x00\x01 rubbish", 400), ("", 480)])
def test_without_a_readable_offer(switch, external, plain, sdp, code):
    """As FreeSWITCH: 480 with `Reason: Q.850;cause=96` where there is no offer and no `enable-3pcc`."""
    plain.sendto(request("INVITE", external, plain, sdp=sdp), external)
    got, text = answer(plain)
    assert got == code
    assert ("cause=96" in text) == (code == 480)
    assert switch.invited.empty()


def test_second_medium_is_refused_alone(switch, external, plain):
    sdp = SDP.format(port=4000, payloads="8 101") + "m=video 4002 RTP/AVP 96\r\n"
    plain.sendto(request("INVITE", external, plain, sdp=sdp), external)
    switch.taken().do("answer")
    assert re.findall(r"m=\w+ \d+", answer(plain)[1])[1] == "m=video 0"


def test_invite_without_contact_is_bad(switch, external, plain):
    packet = re.sub(
        rb"Contact: .*\r\n", b"", request("INVITE", external, plain, sdp=SDP.format(port=4000, payloads="8"))
    )
    plain.sendto(packet, external)
    assert answer(plain)[0] == 400
    assert switch.invited.empty()


@pytest.mark.parametrize(
    ("display", "seen"),
    [
        ('"x%0AUnique-ID%3A%20victim"', "x%0AUnique-ID%3A%20victim"),
        ('"a \\" b"', 'a \\" b'),
        ('"${system(id)}"', "${system(id)}"),
        ("Jan Novak", "Jan Novak"),
        ('"tab\there\x0b\x0c\x1c\x85"', "tab\there\x0b\x0c\x1c\udc85"),
        ('"\xc5\xbe"', "ž"),
        ('"\xff\xfe"', "\udcff\udcfe"),
        ('"a, b; c <d"', "a, b; c <d"),
        ('"' + "x" * 2000 + '"', "x" * 2000),
    ],
)
def test_display_name_comes_as_it_was_sent(switch, external, plain, display, seen):
    sdp = SDP.format(port=4000, payloads="8")
    headers = f"User-Agent: ua {display}\r\nX-Name: {display}\r\n"
    plain.sendto(
        request("INVITE", external, plain, sdp=sdp, from_=f"{display} <sip:a%0Ab@h;x=1>", headers=headers), external
    )
    taken = switch.taken()
    assert taken.invitation.from_display == seen
    assert taken.invitation.from_user == "a%0Ab"
    wanted = display.encode("latin-1").decode("utf-8", "surrogateescape")
    assert taken.invitation.user_agent == f"ua {wanted}"
    assert taken.invitation.headers == (("X-Name", wanted),)
    taken.do("hangup", "USER_BUSY")
    code, text = answer(plain)
    assert code == 486
    quoted = display if display.startswith('"') else f'"{display}"'
    assert f"From: {quoted} <sip:a%0Ab@h;x=1>;tag=f1" in text


def test_a_number_with_line_breaks_begins_no_header_in_an_answer(switch, external, plain):
    packet = request("INVITE", external, plain, sdp=SDP.format(port=4000, payloads="18"))
    plain.sendto(packet.replace(b"To: <sip:100@", b"To: <sip:1%0D%0AEvil%3A%20x@"), external)
    code, text = answer(plain)
    assert (code, "remote-party-id:" in text.lower()) == (488, True)
    assert not [line for line in text.split("\r\n") if line.startswith("Evil")]


def test_packets_of_rubbish_do_no_harm(switch, external, plain, make_phone):
    chance = random.Random(7)
    good = request("INVITE", external, plain, sdp=SDP.format(port=4000, payloads="8"))
    for number in range(400):
        packet = bytearray(good.replace(b"c1", b"r%d" % number))
        for _ in range(chance.randrange(1, 12)):
            place = chance.randrange(len(packet))
            packet[place : place + chance.randrange(4)] = chance.randbytes(chance.randrange(4))
        plain.sendto(packet[: chance.randrange(1, len(packet) + 1)], external)
        plain.sendto(chance.randbytes(chance.randrange(200)), external)
    for start in ("INVITE sip:x SIP/2.0", "SIP/2.0 200 OK", "SIP/2.0 abc", "ACK", "INVITE  SIP/2.0", ":", "\r\n\r\n"):
        plain.sendto(start.encode() + b"\r\nVia: x\r\nFrom: y\r\nTo: z\r\nCSeq: q\r\nCall-ID: 1\r\n\r\n", external)
    call = make_phone().call("100", external, caller_number="still-alive")
    while (taken := switch.taken()).invitation.from_user != "still-alive":
        taken.do("hangup", "USER_BUSY")
    taken.answer()
    call.wait_answered(WAIT_S)


def test_requests_inside_a_call(switch, external, plain):
    sdp = SDP.format(port=4000, payloads="8 101")
    plain.sendto(request("INVITE", external, plain, sdp=sdp), external)
    taken = switch.taken()
    taken.do("answer")
    tag = ";tag=" + re.search(r"To: .*;tag=(\w+)", answer(plain)[1])[1]

    def ask(method, cseq, **more):
        plain.sendto(request(method, external, plain, to_tag=tag, cseq=cseq, branch=str(cseq), **more), external)

    ask("ACK", 1)
    taken.told.next("answered")
    info = "Signal=11\r\nDuration=250\r\n"
    plain.sendto(
        request("INFO", external, plain, to_tag=tag, cseq=2, sdp=info).replace(
            b"application/sdp", b"application/dtmf-relay"
        ),
        external,
    )
    assert answer(plain)[0] == 200
    assert taken.told.next("dtmf") == ("dtmf", "#", 250, "info")
    ask("OPTIONS", 3)
    assert answer(plain)[0] == 200
    ask("UPDATE", 4, sdp=sdp.replace("sendrecv", "sendonly"))
    code, text = answer(plain)
    assert (code, "a=recvonly" in text) == (200, True)
    assert taken.told.next("hold") == ("hold", True)
    ask("INVITE", 4, sdp=sdp)
    assert answer(plain)[0] == 200
    ask("ACK", 4)
    assert taken.told.next("hold") == ("hold", False)
    ask("INVITE", 5, sdp=sdp.replace("sendrecv", "inactive"))
    code, text = answer(plain)
    assert (code, "a=inactive" in text) == (200, True)
    ask("ACK", 5)
    assert taken.told.next("hold") == ("hold", True)
    ask("INVITE", 6)
    code, text = answer(plain)
    assert (code, "m=audio" in text) == (200, True)
    ask("ACK", 6)
    ask("INVITE", 7, sdp=sdp.replace("8 101", "18"))
    assert answer(plain)[0] == 488
    ask("ACK", 7)
    ask("BYE", 8, headers='Reason: Q.850;cause=17;text="busy"\r\n')
    assert answer(plain)[0] == 200
    ask("BYE", 9)
    assert answer(plain)[0] == 481, "there is no such call any more"
    end = taken.told.end()
    assert (end.cause, end.disposition) == ("USER_BUSY", "recv_bye")


@pytest.mark.parametrize("parameter", [";transport=UDP", ";transport=udp;ob", ";transport=tcp"])
def test_our_bye_goes_to_the_contact(switch, external, plain, parameter):
    sdp = SDP.format(port=4000, payloads="8")
    mine = f"127.0.0.1:{plain.getsockname()[1]}"
    packet = request("INVITE", external, plain, sdp=sdp)
    plain.sendto(packet.replace(f"<sip:1@{mine}>".encode(), f"<sip:1@{mine}{parameter}>".encode()), external)
    taken = switch.taken()
    taken.do("answer")
    tag = ";tag=" + re.search(r"To: .*;tag=(\w+)", answer(plain)[1])[1]
    plain.sendto(request("ACK", external, plain, to_tag=tag), external)
    taken.told.next("answered")
    taken.do("hangup", "NORMAL_CLEARING")
    assert plain.recv(65535).startswith(f"BYE sip:1@{mine}{parameter} SIP/2.0\r\n".encode())
    assert taken.told.end().disposition == "send_bye"
