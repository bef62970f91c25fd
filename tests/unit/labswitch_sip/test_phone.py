"""Phones among themselves, and the phone on the command line."""

from __future__ import annotations

import re
import threading
import wave

import pytest

from labswitch.phone import Behaviour, CallOver, PhoneTimeout
from labswitch.phone_cli import main

WAIT_S = 8.0


def connected(make_phone, behaviour=None):
    caller, called = make_phone("caller"), make_phone("called", behaviour or Behaviour.answering())
    call = caller.call("called", called.address)
    call.wait_answered(WAIT_S)
    taken = called.wait_call(WAIT_S)
    taken.wait_answered(WAIT_S)
    return call, taken


def test_talk_keys_and_hold_both_ways(make_phone):
    call, taken = connected(make_phone)
    call.say_tone(440, 0.4)
    taken.wait_heard_tone(440, WAIT_S)
    taken.talk(880)
    begin = call.wait_heard_tone(880, WAIT_S)
    call.wait_heard_s(begin + 0.7, WAIT_S)
    assert call.tone_level(880, begin + 0.2, 0.5) == pytest.approx(0.3, abs=0.1)
    assert call.tone_level(440, begin + 0.2, 0.5) < 0.02
    taken.press("0")
    assert call.wait_keys(1, WAIT_S) == "0"
    taken.hold()
    call.wait_held(WAIT_S)
    taken.resume()
    call.wait_held(WAIT_S, False)
    call.skip_heard()
    call.wait_heard_any(WAIT_S)


def test_behaviours(make_phone):
    caller = make_phone("caller")
    called = make_phone("called", Behaviour.busy())
    assert caller.call("x", called.address).wait_ended(WAIT_S).sip_code == 486
    called.behaviour = Behaviour.reject()
    assert caller.call("x", called.address).wait_ended(WAIT_S).sip_code == 603
    called.behaviour = Behaviour.answering(0, tone_hz=440, hangup_after_s=0.5)
    call = caller.call("x", called.address)
    call.wait_heard_tone(440, WAIT_S)
    end = call.wait_ended(WAIT_S)
    assert (end.by, end.cause, end.disposition) == ("them", "NORMAL_CLEARING", "recv_bye")
    called.behaviour = Behaviour(rings=False)
    call = caller.call("x", called.address)
    with pytest.raises(PhoneTimeout):
        call.wait_ringing(0.1)


def test_waits_end_with_the_call(make_phone):
    call, taken = connected(make_phone)
    threading.Timer(0.1, taken.hangup).start()
    with pytest.raises(CallOver) as caught:
        call.wait_heard_tone(440, WAIT_S)
    assert caught.value.end.by == "them"
    for action in (
        lambda: call.press("1"),
        lambda: call.say_tone(440, 1),
        lambda: call.wait_keys(1, WAIT_S),
        call.hold,
    ):
        with pytest.raises(CallOver):
            action()
    call.press_info("1")
    call.hangup()
    ringing = make_phone("c").call("d", make_phone("d").address)
    ringing.wait_ringing(WAIT_S)
    with pytest.raises(RuntimeError, match="no telephone events"):
        ringing.press("1")
    with pytest.raises(ValueError, match="not a key"):
        connected(make_phone)[0].press("x")


def test_answer_and_cancel_cross_on_the_wire(make_phone):
    """Whichever comes first, both sides end, and neither stays behind in a call."""
    caller, called = make_phone("caller"), make_phone("called", Behaviour.answering(0.02))
    for _ in range(10):
        call = caller.call("called", called.address)
        taken = called.wait_call(WAIT_S)
        threading.Timer(0.02, call.hangup).start()
        assert call.wait_ended(WAIT_S).by == "us"
        assert taken.wait_ended(WAIT_S).disposition in ("recv_cancel", "recv_bye")


def test_closing_a_phone_ends_its_calls(make_phone):
    call, taken = connected(make_phone)
    caller = make_phone("other")
    caller.close()
    caller.close()
    other, also_taken = connected(make_phone)
    assert other.end is None
    also_taken.hangup()
    assert other.wait_ended(WAIT_S).by == "them"
    assert (call.end, taken.end) == (None, None)


def test_command_line(make_phone, capsys, tmp_path):
    called = make_phone("called", Behaviour.answering(0, tone_hz=440))
    target = "{}:{}".format(*called.address)
    heard = tmp_path / "heard.wav"
    steps = "tone:440,12#,hold:0.1,wait:0.1,sound"
    assert main(["call", "called", "--to", target, "--then", steps, "--save", str(heard), "--name", "Jan"]) == 0
    assert called.wait_call(WAIT_S).wait_keys(3, WAIT_S) == "12#"
    assert "answered" in capsys.readouterr().out
    with wave.open(str(heard)) as file:
        assert file.getframerate() == 8000
        assert file.getnframes() > 8000 * 0.5
    called.behaviour = Behaviour.busy()
    assert main(["call", "called", "--to", target]) == 1
    assert "486" in capsys.readouterr().out


def test_command_line_agent(make_phone, capsys):
    ran = []
    thread = threading.Thread(
        target=lambda: ran.append(main(["agent", "alice", "--calls", "1", "--answer-after-s", "0", "--talk", "500"]))
    )
    thread.start()
    address = None
    while address is None:
        address = re.search(r"alice at ([\d.]+):(\d+)", capsys.readouterr().out)
        thread.join(0.05)
    call = make_phone().call("alice", (address[1], int(address[2])))
    call.wait_heard_tone(500, WAIT_S)
    call.hangup()
    thread.join(WAIT_S)
    assert ran == [0]


@pytest.mark.parametrize(
    "arguments", [[], ["call"], ["call", "1", "--to", "host"], ["call", "1", "--to", "127.0.0.1:1", "--then", "dance"]]
)
def test_command_line_faults(arguments, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert "usage" in capsys.readouterr().err
