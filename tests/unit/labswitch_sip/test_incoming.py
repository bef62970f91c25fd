"""Calls to the switch: answer, refusal, cancel, hangup from either side, audio and keys."""

from __future__ import annotations

import pytest

from labswitch.leg import LegEnd
from labswitch.rtp import PortRange

WAIT_S = 8.0


def test_call_is_offered_with_what_the_caller_said(switch, external, make_phone):
    phone = make_phone("+420601234567")
    call = phone.call("100", external, caller_name="Jan Novák", headers=(("X-Trace", "7"), ("x-other", "a b")))
    invitation = switch.taken().invitation
    assert (invitation.from_user, invitation.from_display) == ("+420601234567", "Jan Novák")
    assert (invitation.to_user, invitation.to_host, invitation.to_port) == ("100", *external)
    assert (invitation.network_ip, invitation.network_port) == phone.address
    assert (invitation.profile, invitation.authenticated_user, invitation.codec) == ("external", None, "PCMA")
    assert invitation.headers == (("X-trace", "7"), ("X-other", "a b"))
    assert invitation.contact_uri == f"+420601234567@127.0.0.1:{phone.address[1]}"
    assert invitation.user_agent == "callwright-phone"
    assert "m=audio" in invitation.remote_sdp
    call.hangup()


def test_ring_answer_and_audio_both_ways(switch, external, make_phone):
    call = make_phone().call("100", external)
    taken = switch.taken()
    taken.do("ring")
    call.wait_ringing(WAIT_S)
    assert not call.answered
    taken.answer()
    call.wait_answered(WAIT_S)
    taken.echo()
    call.talk(700)
    call.wait_heard_tone(700, WAIT_S)
    call.talk(None)
    call.wait_heard_silence(WAIT_S)
    assert call.tone_level(700) > 0.01


def test_early_media_is_heard_before_the_answer(switch, external, make_phone):
    call = make_phone().call("100", external)
    taken = switch.taken()
    taken.do("early_media")
    call.wait_early_media(WAIT_S)
    taken.echo()
    call.talk(500)
    call.wait_heard_tone(500, WAIT_S)
    assert not call.answered
    taken.answer()
    call.wait_answered(WAIT_S)
    call.wait_heard_tone(500, WAIT_S)


def test_mu_law_only(switch, external, make_phone):
    call = make_phone().call("100", external, codecs=("PCMU",))
    taken = switch.taken()
    assert taken.invitation.codec == "PCMU"
    taken.answer()
    taken.echo()
    call.talk(900)
    call.wait_heard_tone(900, WAIT_S)


def test_caller_hangs_up(switch, external, make_phone):
    call = make_phone().call("100", external)
    taken = switch.taken()
    taken.answer()
    call.wait_answered(WAIT_S)
    call.hangup()
    assert taken.told.end() == LegEnd("NORMAL_CLEARING", "recv_bye", 200)
    assert (call.end.by, call.end.disposition) == ("us", "send_bye")


@pytest.mark.parametrize("cause", ["NORMAL_CLEARING", "USER_BUSY", "NO_ANSWER"])
def test_switch_hangs_up_and_says_why(switch, external, make_phone, cause):
    call = make_phone().call("100", external)
    taken = switch.taken()
    taken.answer()
    call.wait_answered(WAIT_S)
    taken.do("hangup", cause)
    taken.do("hangup", "CALL_REJECTED")
    assert taken.told.end() == LegEnd(cause, "send_bye", 200)
    end = call.wait_ended(WAIT_S)
    assert (end.by, end.disposition, end.cause) == ("them", "recv_bye", cause)
    assert taken.told.queue.empty()


def test_hangup_right_behind_the_answer(switch, external, make_phone):
    call = make_phone().call("100", external)
    taken = switch.taken()
    taken.do("answer")
    taken.do("hangup", "NORMAL_CLEARING")
    assert call.wait_ended(WAIT_S).disposition == "recv_bye"
    assert taken.told.end().disposition == "send_bye"


@pytest.mark.parametrize("ring", [True, False])
def test_caller_cancels(switch, external, make_phone, ring):
    call = make_phone().call("100", external)
    taken = switch.taken()
    if ring:
        taken.do("ring")
        call.wait_ringing(WAIT_S)
    call.hangup()
    assert taken.told.end() == LegEnd("ORIGINATOR_CANCEL", "recv_cancel", 487)
    assert call.end.disposition == "send_cancel"


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        ("USER_BUSY", 486),
        ("NO_ANSWER", 480),
        ("CALL_REJECTED", 603),
        ("NORMAL_TEMPORARY_FAILURE", 503),
        ("UNALLOCATED_NUMBER", 404),
        ("NO_ROUTE_DESTINATION", 404),
        ("NORMAL_CLEARING", 480),
        ("INCOMPATIBLE_DESTINATION", 488),
        ("RECOVERY_ON_TIMER_EXPIRE", 504),
        ("NO_USER_RESPONSE", 408),
    ],
)
def test_refusal(switch, external, make_phone, cause, code):
    call = make_phone().call("100", external)
    taken = switch.taken()
    taken.do("hangup", cause)
    assert taken.told.end() == LegEnd(cause, "send_refuse", code)
    end = call.wait_ended(WAIT_S)
    assert (end.sip_code, end.disposition, end.by) == (code, "recv_refuse", "them")


def test_keys_by_rfc2833_and_info(switch, external, make_phone):
    call = make_phone().call("100", external)
    taken = switch.taken()
    taken.answer()
    call.wait_answered(WAIT_S)
    call.press("1#", duration_ms=60)
    call.press_info("*", duration_ms=200)
    keys = [taken.told.next("dtmf") for _ in range(3)]
    assert keys == [("dtmf", "1", 60, "rfc2833"), ("dtmf", "#", 60, "rfc2833"), ("dtmf", "*", 200, "info")]
    taken.do("send_dtmf", "5", 80)
    taken.do("send_dtmf", "6", 80)
    assert call.wait_keys(2, WAIT_S) == "56"
    assert [key.duration_ms for key in call.keys] == [80, 80]


def test_keys_before_the_answer(switch, external, make_phone):
    call = make_phone().call("100", external)
    taken = switch.taken()
    taken.do("early_media")
    call.wait_early_media(WAIT_S)
    call.press("9")
    assert taken.told.next("dtmf")[1] == "9"


def test_hold_and_resume(switch, external, make_phone):
    call = make_phone().call("100", external)
    taken = switch.taken()
    taken.answer()
    call.wait_answered(WAIT_S)
    taken.echo()
    call.talk(600)
    call.wait_heard_tone(600, WAIT_S)
    call.hold()
    assert taken.told.next("hold") == ("hold", True)
    call.wait_heard_silence(WAIT_S, 0.3)
    call.resume()
    assert taken.told.next("hold") == ("hold", False)
    call.wait_heard_tone(600, WAIT_S)
    call.hangup()
    assert taken.told.end().disposition == "recv_bye"


def test_twenty_calls_at_once(switch, external, make_phone):
    phones = [make_phone(f"20{number:02}") for number in range(20)]
    calls = [phone.call("100", external) for phone in phones]
    taken = [switch.taken() for _ in phones]
    for one in taken:
        one.do("answer")
    for one in taken:
        one.told.next("answered")
        one.echo()
    for number, call in enumerate(calls):
        call.wait_answered(WAIT_S)
        call.talk(400 + 50 * number)
    for number, call in enumerate(calls):
        call.wait_heard_tone(400 + 50 * number, WAIT_S)
        call.press("4", 60)
    for one in taken:
        assert one.told.next("dtmf")[1] == "4"
    for call in calls:
        call.hangup()
    assert {one.told.end().disposition for one in taken} == {"recv_bye"}


def test_ports_are_freed_and_none_left_is_503(make_switch, make_phone):
    base = PortRange().bind("127.0.0.1")
    first = base.getsockname()[1] // 2 * 2
    base.close()
    switch = make_switch(ports=PortRange(first, first))
    phone = make_phone()
    for _ in range(3):
        call = phone.call("100", switch.stack.address("external"))
        taken = switch.taken()
        refused = phone.call("100", switch.stack.address("external"))
        assert refused.wait_ended(WAIT_S).sip_code == 503
        call.hangup()
        taken.told.end()
