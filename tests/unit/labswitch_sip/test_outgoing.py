"""Calls from the switch: dial strings, answers of every kind, cancel, hangup from either side."""

from __future__ import annotations

import socket
import time

import pytest

from labswitch.leg import DialError, Extras, LegEnd
from labswitch.phone import Behaviour
from labswitch.sip import Gateway
from labswitch.sip_headers import Headers

WAIT_S = 8.0


def to(phone, user="agent1"):
    return f"sofia/external/{user}@127.0.0.1:{phone.address[1]}"


def test_ringing_answer_audio_and_bye_of_the_other_side(switch, make_phone):
    phone = make_phone(behaviour=Behaviour.answering(0.1, tone_hz=440))
    dialled = switch.dial(to(phone), "+420601234567", "Jan Novák")
    dialled.told.next("ringing")
    dialled.told.next("answered")
    call = phone.wait_call(WAIT_S)
    assert (call.caller_number, call.caller_name, call.number) == ("+420601234567", "Jan Novák", "agent1")
    dialled.echo()
    call.wait_heard_tone(440, WAIT_S)
    dialled.do("send_dtmf", "7")
    assert call.wait_keys(1, WAIT_S) == "7"
    call.hangup()
    assert dialled.told.end() == LegEnd("NORMAL_CLEARING", "recv_bye", 200)


def test_we_hang_up(switch, make_phone):
    phone = make_phone(behaviour=Behaviour.answering())
    dialled = switch.dial(to(phone))
    call = phone.wait_call(WAIT_S)
    call.wait_answered(WAIT_S)
    dialled.do("hangup", "NORMAL_CLEARING")
    assert dialled.told.end() == LegEnd("NORMAL_CLEARING", "send_bye", 200)
    assert call.wait_ended(WAIT_S).disposition == "recv_bye"


def test_early_media(switch, make_phone):
    phone = make_phone()
    dialled = switch.dial(to(phone))
    dialled.told.next("ringing")
    call = phone.wait_call(WAIT_S)
    call.early()
    call.talk(800)
    dialled.told.next("early_media")
    dialled.echo()
    call.wait_heard_tone(800, WAIT_S)
    call.answer()
    dialled.told.next("answered")


def test_cancel_of_a_ringing_leg(switch, make_phone):
    phone = make_phone()
    dialled = switch.dial(to(phone))
    dialled.told.next("ringing")
    dialled.do("hangup", "ORIGINATOR_CANCEL")
    assert dialled.told.end() == LegEnd("ORIGINATOR_CANCEL", "send_cancel", 487)
    assert phone.wait_call(WAIT_S).wait_ended(WAIT_S).disposition == "recv_cancel"


@pytest.mark.parametrize(
    ("refuse", "end"),
    [
        ("USER_BUSY", LegEnd("USER_BUSY", "recv_refuse", 486)),
        ("CALL_REJECTED", LegEnd("CALL_REJECTED", "recv_refuse", 603)),
        ("NO_ANSWER", LegEnd("NO_USER_RESPONSE", "recv_refuse", 480)),
        ("UNALLOCATED_NUMBER", LegEnd("UNALLOCATED_NUMBER", "recv_refuse", 404)),
        ("NO_USER_RESPONSE", LegEnd("RECOVERY_ON_TIMER_EXPIRE", "recv_refuse", 408)),
        ("NORMAL_TEMPORARY_FAILURE", LegEnd("NORMAL_TEMPORARY_FAILURE", "recv_refuse", 503)),
        ("INCOMPATIBLE_DESTINATION", LegEnd("INCOMPATIBLE_DESTINATION", "recv_refuse", 488)),
    ],
)
def test_refusals_as_freeswitch_maps_them(switch, make_phone, refuse, end):
    phone = make_phone(behaviour=Behaviour(refuse=refuse))
    assert switch.dial(to(phone)).told.end() == end


def test_phone_rejects_a_ringing_call(switch, make_phone):
    phone = make_phone()
    dialled = switch.dial(to(phone))
    dialled.told.next("ringing")
    phone.wait_call(WAIT_S).hangup("CALL_REJECTED")
    assert dialled.told.end() == LegEnd("CALL_REJECTED", "recv_refuse", 603)


def test_nobody_listens_there(switch):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.monotonic()
    end = switch.dial(f"sofia/external/x@127.0.0.1:{port}").told.end()
    assert end == LegEnd("NORMAL_TEMPORARY_FAILURE", "recv_refuse", 503)
    assert time.monotonic() - started < 2


def test_nobody_answers_there(switch, plain, monkeypatch):
    monkeypatch.setattr("labswitch.sip_transport.NO_RESPONSE_S", 0.3)
    end = switch.dial(f"sofia/external/x@127.0.0.1:{plain.getsockname()[1]}").told.end()
    assert end == LegEnd("RECOVERY_ON_TIMER_EXPIRE", "recv_refuse", 408)


def test_hold_by_the_called_party(switch, make_phone):
    phone = make_phone(behaviour=Behaviour.answering())
    dialled = switch.dial(to(phone))
    call = phone.wait_call(WAIT_S)
    call.wait_answered(WAIT_S)
    call.hold()
    call.resume()
    assert dialled.told.next("ringing")
    assert [dialled.told.next(kind) for kind in ("answered", "hold", "hold")][1:] == [("hold", True), ("hold", False)]


def test_registered_agent(switch, agent):
    agent.behaviour = Behaviour.answering()
    dialled = switch.dial("sofia/internal/alice%lab.example")
    assert agent.wait_call(WAIT_S).number == "alice"
    dialled.told.next("ringing")
    dialled.told.next("answered")


def test_gateway(make_switch, make_phone):
    trunk = make_phone("trunk", Behaviour.answering())
    switch = make_switch(gateways=(Gateway("carrier", *trunk.address),))
    dialled = switch.dial("sofia/gateway/carrier/+420222333444")
    assert trunk.wait_call(WAIT_S).number == "+420222333444"
    dialled.told.next("ringing")
    dialled.told.next("answered")


@pytest.mark.parametrize(
    ("target", "cause"),
    [
        ("sofia/internal/nobody%lab.example", "USER_NOT_REGISTERED"),
        ("sofia/internal/alice%other.example", "USER_NOT_REGISTERED"),
        ("sofia/gateway/none/123", "INVALID_GATEWAY"),
        ("sofia/nowhere/1@127.0.0.1:5060", "INVALID_PROFILE"),
        ("sofia/external/1@some.host.example:5060", "DESTINATION_OUT_OF_ORDER"),
        ("sofia/external/1@127.0.0.1:99999", "DESTINATION_OUT_OF_ORDER"),
        ("sofia/external/", "INVALID_URL"),
        ("loopback/100", "CHAN_NOT_IMPLEMENTED"),
        ("", "CHAN_NOT_IMPLEMENTED"),
    ],
)
def test_targets_that_cannot_be_called(switch, target, cause):
    with pytest.raises(DialError) as caught:
        switch.dial(target)
    assert caught.value.cause == cause


def test_hostile_caller_name_begins_no_header(switch, make_phone):
    phone = make_phone()
    name = 'x"\r\nX-Evil: 1\r\n\r\n\\" <sip:evil@evil>'
    dialled = switch.dial(to(phone), '1">\r\nX-Evil: 2', name)
    call = phone.wait_call(WAIT_S)
    assert call.caller_name.replace("\\", "") == 'x"  X-Evil: 1    " <sip:evil@evil>'
    assert "\n" not in call.caller_number
    dialled.do("hangup", "NORMAL_CLEARING")
    assert call.wait_ended(WAIT_S).disposition == "recv_cancel"


def test_a_phone_answers_by_itself_what_asks_for_it(switch, make_phone):
    phone = make_phone(behaviour=Behaviour.auto_answering())
    extras = Extras((("Call-Info", "<sip:127.0.0.1>;answer-after=0"),), ("intercom=true",))
    dialled = switch.dial(to(phone), extras=extras)
    dialled.told.next("answered")
    invite = phone.wait_call(WAIT_S).invite
    assert invite.first_line.endswith(";intercom=true SIP/2.0")
    assert invite.answer_after_s() == 0


@pytest.mark.parametrize(
    ("name", "value", "after_s"),
    [
        ("Answer-Mode", "Auto", 0),
        ("Answer-Mode", "auto;require", 0),
        ("Answer-Mode", "Manual", None),
        ("Call-Info", "<sip:a>; Answer-After = 3", 3),
        ("Call-Info", "<sip:a>;purpose=icon", None),
        ("Subject", "x", None),
    ],
)
def test_what_asks_a_phone_to_answer(name, value, after_s):
    assert Headers(f"INVITE sip:x SIP/2.0\r\n{name}: {value}\r\n\r\n").answer_after_s() == after_s
