"""`SwitchChannel` against a scripted switch: playing, keys, recording, variables."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from engine.switch.adapter import PIECE_MS, SwitchChannel
from engine.switch.keys import MAX_KEYS_AHEAD
from engine.switch.outbound import OutboundSession
from engine.switch.port import (
    CommandRefused,
    DeadlinePassed,
    Digits,
    Interrupted,
    NotPlayed,
    Played,
    SwitchLost,
    TimedOut,
    UnsafeArgument,
)
from tests.unit.switch.channel_bench import OPTIONS, A, B, Bench, C, bench_of
from tests.unit.switch.peer import (
    OTHER,
    UUID,
    api,
    complete,
    connect_block,
    event,
    hangup,
    key,
    pair,
    reply,
)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of({}) as made:
        yield made


def test_what_the_switch_says_of_the_channel() -> None:
    headers = {
        "variable_cw_attempt": "2",
        "variable_cw_did": "+420221111000",
        "variable_last_bridge_to": "leg",
        "variable_last_bridge_hangup_cause": "NORMAL_CLEARING",
        "Caller-Privacy-Hide-Number": "true",
        "Caller-Caller-ID-Name": "x\nUnique-ID: victim",
        "Answer-State": "answered",
        "variable_x": "y",
    }
    with bench_of(headers) as made:
        info = made.channel.info
    assert (info.uuid, info.switch, info.did, info.ani) == (UUID, "vm", "+420221111000", "+420601234567")
    assert (info.profile, info.sip_call_id, info.answered, info.attempt) == ("internal", "1-10190@127.0.0.1", True, 2)
    assert (info.last_bridge_to, info.last_bridge_cause, info.privacy) == ("leg", "NORMAL_CLEARING", True)
    assert info.caller_name == "x\ufffdUnique-ID: victim"
    assert info.variables["x"] == "y"
    assert info.variables.get("nosuch") is None


@pytest.mark.parametrize("attempt", ["", "0", "-1", "x", "99999", "1\n2"])
def test_an_attempt_that_is_no_number_is_the_first(attempt: str) -> None:
    with bench_of({"variable_cw_attempt": attempt, "Caller-Destination-Number": "100"}) as made:
        assert made.channel.info.attempt == 1
        assert made.channel.info.did == "100"


def test_subscribes_to_little_and_filters_before(bench: Bench) -> None:
    bench.call.wait_for("event plain")
    said = [command.line for command in bench.call.commands]
    assert said == [
        "connect",
        "linger 5",
        f"filter Unique-ID {UUID}",
        "event plain CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP_COMPLETE DTMF",
    ]


def test_a_watchdog_of_the_dialplan_is_taken_back() -> None:
    with bench_of({"variable_cw_watchdog": "true"}) as made:
        made.call.wait_for(f"api sched_del {UUID}")


def test_a_refused_subscription_gives_the_call_away() -> None:
    with pair() as (sock, peer):
        session = OutboundSession(("127.0.0.1", 1), sock)
        making = gevent.spawn(SwitchChannel, session)
        peer.expect("connect")
        peer.send(connect_block())
        channel = making.get(timeout=5)
        for line in ("linger", "filter", "event"):
            peer.expect(line)
        peer.send(reply(), reply(), reply("-ERR no keywords supplied"))
        with pytest.raises(SwitchLost):
            channel.wait_end(5)


@pytest.mark.req("R20")
def test_plays_one_after_the_other(bench: Bench) -> None:
    assert bench.channel.play([A, B]) == Played()
    assert bench.played == [A, B]
    assert all(command.headers["event-lock"] == "true" for command in bench.call.said("playback"))


def test_commands_without_answer_go_out_with_the_next(bench: Bench) -> None:
    bench.call.wait_for("event plain")
    before = len(bench.call.peer.received)
    bench.channel.answer()
    bench.channel.answer()
    bench.channel.set_variables({"a": "1", "b": "x y"})
    assert len(bench.call.peer.received) == before
    bench.channel.play([A])
    said = [(c.line, c.app) for c in bench.call.commands[4:]]
    assert said == [
        (f"api uuid_answer {UUID}", ""),
        (f"api uuid_setvar_multi {UUID} a=1;b=x y", ""),
        (f"api uuid_setvar_multi {UUID} playback_terminators=none", ""),
        ("sendmsg", "playback"),
    ]


def test_a_missing_file_ends_the_playing(bench: Bench) -> None:
    bench.missing.add(B)
    assert bench.channel.play([A, B, C]) == NotPlayed(f"{B}: FILE NOT FOUND")
    assert bench.played == [A, B]


@pytest.mark.parametrize("source", ["relative.wav", "/srv/${x}.wav", "/a\nb.wav"])
def test_nothing_is_sent_of_what_is_unsafe(bench: Bench, source: str) -> None:
    with pytest.raises(UnsafeArgument):
        bench.channel.play([A, source])
    with pytest.raises(UnsafeArgument):
        bench.channel.set_variables({"a": "1", "b": "${x}"})
    with pytest.raises(UnsafeArgument):
        bench.channel.play([A], stop_keys="x")
    bench.sync()
    assert bench.played == []


@pytest.mark.req("R20")
def test_a_stop_key_stops(bench: Bench) -> None:
    bench.endless.add(A)
    playing = gevent.spawn(bench.channel.play, [A, B], "5#")
    bench.call.wait_for("playback")
    bench.press("5")
    assert playing.get(timeout=5) == Interrupted("5")
    assert bench.played == [A]
    assert f"api uuid_setvar_multi {UUID} playback_terminators=5#" in [c.line for c in bench.call.commands]


def test_a_key_that_stops_nothing_is_kept_for_the_collection(bench: Bench) -> None:
    bench.call.apps["playback"] = lambda command: key("7") + complete(command, "FILE PLAYED")
    assert bench.channel.play([A], "5#") == Played()
    assert bench.channel.collect([A], **{**OPTIONS, "max_digits": 1}) == Digits("7")
    assert bench.played == [A], "keys typed ahead spare the prompt"


def test_a_stop_key_between_two_prompts_stops_the_second(bench: Bench) -> None:
    bench.call.wait_for("event plain")
    bench.call.send(key("5"))
    bench.sync()
    assert bench.channel.play([A], "5") == Interrupted("5")
    assert bench.played == []


@pytest.mark.parametrize(
    ("digits", "result"),
    [
        ("1", Digits("1")),
        ("12", Digits("12")),
        ("1234", Digits("1234")),
        ("12#", Digits("12", "#")),
        ("#", Digits("", "#")),
        ("*0", Digits("*0")),
    ],
)
@pytest.mark.req("R20")
def test_collects(bench: Bench, digits: str, result: Digits) -> None:
    bench.endless.add(A)
    collecting = gevent.spawn(bench.channel.collect, [A, B], **OPTIONS)
    bench.call.wait_for("playback")
    bench.press(*digits)
    assert collecting.get(timeout=5) == result
    assert bench.played == [A]


def test_more_keys_than_wanted_stay_for_the_next(bench: Bench) -> None:
    bench.endless.add(A)
    collecting = gevent.spawn(bench.channel.collect, [A], **{**OPTIONS, "max_digits": 2})
    bench.call.wait_for("playback")
    bench.press("1", "2", "3")
    assert collecting.get(timeout=5) == Digits("12")
    assert bench.channel.collect([A], **{**OPTIONS, "max_digits": 1}) == Digits("3")


def test_no_key_times_out_after_the_prompt(bench: Bench) -> None:
    assert bench.channel.collect([A], **OPTIONS) == TimedOut()
    assert bench.played == [A]


def test_keys_after_the_prompt(bench: Bench) -> None:
    collecting = gevent.spawn(bench.channel.collect, [A], **{**OPTIONS, "timeout_ms": 5000})
    bench.call.wait_for("playback")
    bench.sync()
    bench.press("1", "2")
    assert collecting.get(timeout=5) == Digits("12")


def test_a_collection_whose_prompt_is_missing_says_so(bench: Bench) -> None:
    bench.missing.add(A)
    assert bench.channel.collect([A], **OPTIONS) == NotPlayed(f"{A}: FILE NOT FOUND")


def test_another_channels_key_and_completion_are_not_ours(bench: Bench) -> None:
    bench.endless.add(A)
    playing = gevent.spawn(bench.channel.play, [A], "5")
    command = bench.call.wait_for("playback")
    foreign = event(
        "CHANNEL_EXECUTE_COMPLETE", {"Application": "playback", "Application-UUID": command.event_uuid}, uuid=OTHER
    )
    bench.call.send(key("5", OTHER), foreign, hangup(uuid=OTHER))
    bench.sync()
    assert not playing.ready()
    bench.press("5")
    assert playing.get(timeout=5) == Interrupted("5")


def test_background_music_repeats_until_stopped(bench: Bench) -> None:
    bench.channel.start_playing([A, B])
    for count in range(1, 3):
        bench.call.wait_for("playback", count)
    bench.endless.add(A)
    bench.endless.add(B)
    bench.channel.stop_playing()
    count = len(bench.played)
    assert bench.channel.play([C]) == Played()
    assert bench.played[count:] == [C]


def test_what_begins_to_play_is_stopped_even_when_the_first_break_came_too_early(bench: Bench) -> None:
    bench.endless.add(A)
    early = bench.break_off

    def forgets_the_first(rest: str) -> bytes:
        bench.breaks += 1
        return early(rest) if bench.breaks > 2 else api("+OK\n")

    bench.call.apis["uuid_break"] = forgets_the_first
    bench.channel.start_playing([A])
    bench.call.wait_for("playback")
    bench.channel.stop_playing()
    assert bench.breaks > 2


def test_stop_playing_ends_a_play_elsewhere(bench: Bench) -> None:
    bench.endless.add(A)
    playing = gevent.spawn(bench.channel.play, [A, B])
    bench.call.wait_for("playback")
    bench.channel.stop_playing()
    assert playing.get(timeout=5) == Played()
    assert bench.played == [A]


def test_keys_are_told_beside_what_is_done_with_them(bench: Bench) -> None:
    told: list[str] = []
    also: list[str] = []

    def failing(key: str) -> None:
        raise RuntimeError(key)

    bench.channel.on_key(failing)
    bench.channel.on_key(told.append)
    take_back = bench.channel.on_key(also.append)
    bench.call.send(*[key(digit) for digit in "1A?2"])
    assert bench.channel.collect([A], **{**OPTIONS, "max_digits": 3}) == Digits("1A2")
    assert told == also == ["1", "A", "2"]
    take_back()
    take_back()
    bench.call.send(key("3"))
    assert bench.channel.collect([], **{**OPTIONS, "max_digits": 1}) == Digits("3")
    assert (told[-1], also[-1]) == ("3", "2")


def test_keys_beyond_those_that_are_kept_are_told(bench: Bench) -> None:
    told: list[str] = []
    bench.channel.on_key(told.append)
    bench.call.send(*[key("1")] * (MAX_KEYS_AHEAD + 5))
    bench.sync()
    assert len(told) == MAX_KEYS_AHEAD + 5


def test_an_endless_tone_is_played_in_pieces(bench: Bench) -> None:
    """What plays when an engine dies must end by itself, or the switch never gives the call to another."""
    tone = "tone_stream://%(1000,4000,425);loops=-1"
    piece = f"tone_stream://%(1000,4000,425);loops={PIECE_MS // 5000}"
    playing = gevent.spawn(bench.channel.play, [tone], "5")
    bench.call.wait_for("playback", 3)
    bench.endless.add(piece)
    bench.call.wait_for("playback", len(bench.played) + 1)
    bench.press("5")
    assert playing.get(timeout=5) == Interrupted("5")
    assert set(bench.played) == {piece}


def test_a_deadline_stops_what_plays(bench: Bench) -> None:
    bench.endless.add(A)
    with pytest.raises(DeadlinePassed):
        bench.channel.play([A], deadline_s=0.05)
    bench.call.wait_for("api uuid_break")
    assert bench.channel.play([B]) == Played()


def test_a_greenlet_taken_off_the_call_leaves_no_prompt_behind(bench: Bench) -> None:
    bench.endless.add(A)
    playing = gevent.spawn(bench.channel.play, [A])
    bench.call.wait_for("playback")
    playing.kill()
    bench.call.wait_for("api uuid_break")


@pytest.mark.req("R80")
def test_recording(bench: Bench) -> None:
    bench.call.apis["uuid_record"] = lambda rest: api("-ERR no\n" if "stop" in rest else "+OK Success\n")
    bench.channel.answer()
    bench.channel.start_recording("/srv/r/a.flac")
    assert bench.call.said("api uuid_answer"), "media must be there before the recording begins"
    lines = [command.line for command in bench.call.commands]
    assert f"api uuid_setvar_multi {UUID} RECORD_STEREO=true" in lines
    # In the channel's own thread; whether it runs is asked for then.
    (started,) = [
        command for command in bench.call.commands if command.headers.get("execute-app-name") == "record_session"
    ]
    assert bench.call.commands.index(started) < lines.index(f"api uuid_record {UUID} unmask /srv/r/a.flac")
    bench.channel.start_recording("/srv/r/a.flac", masked=True)
    assert bench.call.commands[-1].line == f"api uuid_record {UUID} mask /srv/r/a.flac"
    bench.channel.mask_recording("/srv/r/a.flac")
    bench.channel.unmask_recording("/srv/r/a.flac")
    with pytest.raises(CommandRefused):
        bench.channel.stop_recording("/srv/r/a.flac")
    with pytest.raises(UnsafeArgument):
        bench.channel.start_recording("/srv/r/${x}.flac")
