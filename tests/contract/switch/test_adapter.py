"""What the switch port promises, on a running switch with real SIP and RTP."""

from __future__ import annotations

import time
import uuid

import gevent
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialplan.contexts import RESUME_EXTENSION
from dialplan.xml import TRUNK_CONTEXT
from engine.switch import quoting
from engine.switch.adapter import SwitchChannel
from engine.switch.port import (
    ChannelGone,
    CommandRefused,
    DeadlinePassed,
    Digits,
    Interrupted,
    NotPlayed,
    Originated,
    Played,
    SwitchLost,
    TimedOut,
    UnsafeArgument,
)
from labswitch.phone import Behaviour, PhoneCall
from tests.contract.switch.conftest import CALLER, WITHIN_S, Ground, at_once, off

KEYS = {"max_digits": 4, "timeout_ms": 1500, "interdigit_timeout_ms": 800, "terminators": "#"}
RINGBACK = "tone_stream://%(1000,4000,425);loops=-1"


def new_id() -> str:
    return str(uuid.uuid4())


@pytest.mark.req("R11")
def test_what_is_known_of_a_call(ground: Ground) -> None:
    _, channel = ground.call()
    info = channel.info
    assert (info.ani, info.did, info.profile, info.answered, info.attempt) == (
        CALLER,
        "+420221111000",
        "external",
        False,
        1,
    )
    assert info.switch == "switch-1"
    assert info.variables["cw_managed"] == "true"
    assert ground.control.exists(info.uuid)
    ground.until(lambda: info.uuid in ground.control.channels())  # FreeSWITCH's list is late by up to a second


@pytest.mark.req("R20", "R90")
def test_answer_play_hang_up(ground: Ground) -> None:
    caller, channel = ground.call()
    channel.ring()
    off(caller.wait_ringing, WITHIN_S)
    channel.answer()
    assert channel.play([ground.short, ground.short]) == Played()
    off(caller.wait_answered, WITHIN_S)
    off(caller.wait_heard_tone, 425, WITHIN_S)
    end = channel.hangup("NORMAL_CLEARING")
    assert (end.uuid, end.cause, end.by_remote) == (channel.info.uuid, "NORMAL_CLEARING", False)
    off(caller.wait_ended, WITHIN_S)
    ground.until(lambda: channel.info.uuid in [each.uuid for each in ground.ends])


def test_early_media_and_a_refusal(ground: Ground) -> None:
    caller, channel = ground.call()
    channel.pre_answer()
    assert channel.play([ground.short]) == Played()
    assert channel.hangup("USER_BUSY").cause == "USER_BUSY"
    assert off(caller.wait_ended, WITHIN_S).cause == "USER_BUSY"


def test_variables_come_through(ground: Ground) -> None:
    _, channel = ground.call()
    channel.set_variables({"cw_a": "Žluťoučký kůň", "cw_b": "1,2:3", "cw_c": "x=y"})
    end = channel.hangup("NORMAL_CLEARING")
    assert [end.variables[name] for name in ("cw_a", "cw_b", "cw_c")] == ["Žluťoučký kůň", "1,2:3", "x=y"]


@pytest.mark.freeswitch_only
def test_any_value_comes_through_unchanged(ground: Ground) -> None:
    _, channel = ground.call()

    @given(st.lists(st.text(st.sampled_from("ab =;|~:!/'\\\"ns,Ž"), min_size=1, max_size=15), min_size=1, max_size=5))
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    def check(values: list[str]) -> None:
        variables = {f"cw_v{number}": value for number, value in enumerate(values)}
        channel._session.send(f"api uuid_setvar_multi {channel.info.uuid} {quoting.assignments(variables)}")
        for name, value in variables.items():
            assert channel._session.send(f"api uuid_getvar {channel.info.uuid} {name}").body == value

    check()


def test_a_missing_prompt_is_told_at_once(ground: Ground) -> None:
    _, channel = ground.call()
    channel.answer()
    assert isinstance(channel.play([ground.missing, ground.long], deadline_s=3), NotPlayed)
    assert isinstance(channel.play([ground.short, ground.missing, ground.long], deadline_s=3), NotPlayed)
    assert isinstance(channel.collect([ground.missing], **KEYS), NotPlayed)  # type: ignore[arg-type]


@pytest.mark.req("R20")
def test_keys_are_sent_and_what_follows_waits_for_them(ground: Ground) -> None:
    caller, channel = ground.call()
    channel.answer()
    began = time.monotonic()
    channel.send_keys("12w#", 100)
    assert time.monotonic() - began >= 0.8
    assert channel.play([ground.short]) == Played()
    assert off(caller.wait_keys, 3, WITHIN_S) == "12#"


def test_hostile_keys_are_not_sent(ground: Ground) -> None:
    _, channel = ground.call()
    channel.answer()
    with pytest.raises(UnsafeArgument):
        channel.send_keys("1@100 ${system(id)}")
    assert channel.play([ground.short]) == Played()


@pytest.mark.req("R20")
def test_a_stop_key(ground: Ground) -> None:
    caller, channel = ground.call()
    channel.answer()
    playing = at_once(channel.play, [ground.long, ground.long], "5#")
    off(caller.wait_heard_any, WITHIN_S)
    off(caller.press, "1")
    off(caller.press, "5")
    assert playing.get(timeout=WITHIN_S) == Interrupted("5")
    assert channel.collect([ground.long], **{**KEYS, "max_digits": 1}) == Digits("1"), "typed ahead"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("keys", "result"),
    [("1", Digits("1")), ("12#", Digits("12", "#")), ("1234", Digits("1234")), ("#", Digits("", "#"))],
)
@pytest.mark.req("R20")
def test_collecting(ground: Ground, keys: str, result: Digits) -> None:
    caller, channel = ground.call()
    channel.answer()
    collecting = at_once(channel.collect, [ground.long], **KEYS)
    off(caller.wait_heard_any, WITHIN_S)
    off(caller.press, keys)
    assert collecting.get(timeout=WITHIN_S) == result


def test_keys_between_and_after_the_prompts(ground: Ground) -> None:
    caller, channel = ground.call()
    channel.answer()
    assert channel.collect([ground.short], **{**KEYS, "timeout_ms": 300}) == TimedOut()  # type: ignore[arg-type]
    off(caller.press, "7")
    assert channel.play([ground.short]) == Played()
    assert channel.collect([], **{**KEYS, "max_digits": 1}) == Digits("7")  # type: ignore[arg-type]


def test_background_music_is_stopped_however_early(ground: Ground) -> None:
    caller, channel = ground.call()
    channel.answer()
    for wait_s in (0, 0.01, 0.03, 0.3):
        channel.start_playing([RINGBACK])
        gevent.sleep(wait_s)
        channel.stop_playing()
        assert channel.play([ground.short], deadline_s=3) == Played()
    channel.start_playing([ground.short])
    gevent.sleep(0.8)
    assert channel.play([ground.short], deadline_s=3) == Played()
    assert off(caller.heard_s) > 1


def test_a_deadline_silences_the_prompt(ground: Ground) -> None:
    _, channel = ground.call()
    channel.answer()
    with pytest.raises(DeadlinePassed):
        channel.play([ground.long], deadline_s=0.3)
    assert channel.play([ground.short], deadline_s=3) == Played()


@pytest.mark.req("R80")
def test_a_recording_has_two_channels(ground: Ground) -> None:
    caller, channel = ground.call()
    path = ground.recordings / f"{new_id()}.flac"
    channel.answer()
    channel.start_recording(str(path))
    off(caller.talk, 880)
    channel.play([ground.short, ground.short, ground.short])
    channel.mask_recording(str(path))
    channel.unmask_recording(str(path))
    channel.stop_recording(str(path))
    with pytest.raises(CommandRefused):
        channel.stop_recording(str(path))
    channel.hangup("NORMAL_CLEARING")
    ground.until(lambda: path.exists() and path.stat().st_size > 1000)
    info = soundfile.info(str(path))
    assert (info.channels, info.samplerate) == (2, 8000)


@pytest.mark.req("R80")
def test_a_recording_that_can_not_be_written_is_refused(ground: Ground) -> None:
    _, channel = ground.call()
    channel.answer()
    with pytest.raises(CommandRefused):
        channel.start_recording("/proc/nowhere/a.flac")
    assert channel.play([ground.short], deadline_s=3) == Played()


@pytest.mark.req("R90")
@pytest.mark.parametrize("what", ["play", "collect", "music"])
def test_the_caller_hangs_up(ground: Ground, what: str) -> None:
    caller, channel = ground.call()
    channel.answer()
    off(caller.wait_answered, WITHIN_S)
    if what == "play":
        waiting = at_once(channel.play, [ground.long])
    elif what == "collect":
        waiting = at_once(channel.collect, [], **{**KEYS, "timeout_ms": 60_000})
    else:
        channel.start_playing([ground.long])
        waiting = at_once(channel.wait_end, None)
    gevent.sleep(0.1)
    off(caller.hangup)
    if what == "music":
        assert waiting.get(timeout=WITHIN_S).by_remote is True
    else:
        with pytest.raises(ChannelGone) as gone:
            waiting.get(timeout=WITHIN_S)
        assert gone.value.end.by_remote is True
    assert channel.end is not None
    assert channel.end.cause == "NORMAL_CLEARING"


def test_the_caller_gives_up_before_the_answer(ground: Ground) -> None:
    caller, channel = ground.call()
    channel.ring()
    off(caller.wait_ringing, WITHIN_S)
    off(caller.hangup)
    end = channel.wait_end(WITHIN_S)
    assert end is not None
    assert (end.cause, end.by_remote) == ("ORIGINATOR_CANCEL", True)


def test_two_calls_do_not_hear_of_each_other(ground: Ground) -> None:
    (one, first), (_, second) = ground.call(), ground.call()
    for channel in (first, second):
        channel.answer()
    waiting = at_once(second.collect, [ground.short], **{**KEYS, "timeout_ms": 500})
    first.play([ground.short])
    off(one.press, "1")
    assert first.collect([], **{**KEYS, "max_digits": 1}) == Digits("1")  # type: ignore[arg-type]
    assert waiting.get(timeout=WITHIN_S) == TimedOut()
    first.hangup("NORMAL_CLEARING")
    assert second.play([ground.short]) == Played()
    assert (first._session.foreign_events, second._session.foreign_events) == (0, 0)


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (Behaviour.busy(), Originated("busy", "USER_BUSY")),
        (Behaviour.reject(), Originated("rejected", "CALL_REJECTED")),
        (Behaviour.answering(), Originated("answered")),
    ],
    ids=["busy", "reject", "answer"],
)
def test_originating(ground: Ground, behaviour: Behaviour, outcome: Originated) -> None:
    ground.agent(behaviour)
    leg = new_id()
    assert ground.ring(leg).wait(WITHIN_S) == outcome
    assert ground.control.exists(leg) is (outcome.outcome == "answered")


def test_originating_to_nobody_and_to_one_who_does_not_answer(ground: Ground) -> None:
    absent = ground.ring(new_id(), "petr").wait(WITHIN_S)
    assert absent is not None
    assert absent.outcome == "not_registered"
    ground.agent(Behaviour.silent())
    unanswered = ground.ring(new_id(), ring_timeout_s=2).wait(WITHIN_S)
    assert unanswered is not None
    assert unanswered.outcome == "no_answer"


@pytest.mark.parametrize("after_s", [0, 0.5])
def test_cancelling(ground: Ground, after_s: float) -> None:
    ground.agent(Behaviour.silent())
    ringing = ground.ring(new_id())
    gevent.sleep(after_s)
    ringing.cancel()
    assert ringing.wait(WITHIN_S) == Originated("cancelled", "ORIGINATOR_CANCEL")
    ground.until(lambda: not ground.control.exists(ringing.leg))


def test_playing_to_an_answered_leg(ground: Ground) -> None:
    phone = ground.agent(Behaviour.answering())
    leg = new_id()
    assert ground.ring(leg).wait(WITHIN_S) == Originated("answered")
    assert ground.control.play_to(leg, [ground.short, ground.short]) is True
    assert ground.control.play_to(leg, [ground.missing]) is False
    assert ground.control.play_to(new_id(), [ground.short]) is False
    call = off(phone.wait_call, WITHIN_S)
    playing = at_once(ground.control.play_to, leg, [ground.long])
    off(call.wait_heard_tone, 425, WITHIN_S)
    off(call.hangup)
    assert playing.get(timeout=WITHIN_S) is False


def bridged(ground: Ground) -> tuple[PhoneCall, SwitchChannel, str]:
    """A caller and an agent who talk, and the agent's leg."""
    ground.agent(Behaviour.answering(tone_hz=660))
    caller, channel = ground.call()
    channel.answer()
    way_back = f"{RESUME_EXTENSION}:XML:{TRUNK_CONTEXT}"
    channel.set_variables({"hangup_after_bridge": "false", "transfer_after_bridge": way_back, "cw_seen": "true"})
    channel.start_playing([RINGBACK])
    leg = new_id()
    assert ground.ring(leg).wait(WITHIN_S) == Originated("answered")
    ground.control.bridge(channel.info.uuid, leg)
    with pytest.raises(SwitchLost):
        channel.wait_end(WITHIN_S)
    off(caller.wait_heard_tone, 660, WITHIN_S)
    return caller, channel, leg


@pytest.mark.req("R124")
def test_a_bridged_call_comes_back_when_the_agent_hangs_up(ground: Ground) -> None:
    _, channel, leg = bridged(ground)
    ground.control.kill(leg)
    again = ground.next_call()
    assert again.info.uuid == channel.info.uuid
    assert (again.info.last_bridge_to, again.info.last_bridge_cause) == (leg, "NORMAL_CLEARING")
    assert again.info.answered
    assert again.play([ground.short]) == Played()
    again.hangup("NORMAL_CLEARING")


@pytest.mark.req("R90")
def test_a_bridged_caller_hangs_up(ground: Ground) -> None:
    caller, channel, leg = bridged(ground)
    off(caller.hangup)
    ids = {channel.info.uuid, leg}
    ground.until(lambda: {end.uuid for end in ground.ends} >= ids)
    ends = {end.uuid: end for end in ground.ends}
    assert ends[channel.info.uuid].by_remote is True
    assert ground.calls.empty()


@pytest.mark.req("R124")
def test_a_call_let_go_or_refused_goes_to_the_next_round(ground: Ground) -> None:
    other = ground.serve(1, lambda channel: None, max_sessions=0)
    try:
        _, channel = ground.call()
        channel.close()
        again = ground.next_call()
        assert again.info.uuid == channel.info.uuid
        assert again.info.attempt == 2
        assert again.play([ground.short]) == Played()
    finally:
        other.close()
