"""`SwitchChannel` against a scripted switch: what is sent, what comes back, how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import pytest
from gevent.event import Event

from engine.switch.adapter import PIECE_MS, SwitchChannel
from engine.switch.outbound import OutboundSession
from engine.switch.port import (
    ChannelEnd,
    ChannelGone,
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
from tests.unit.switch.peer import (
    OTHER,
    UUID,
    Command,
    FakeCall,
    api,
    complete,
    connect_block,
    event,
    hangup,
    key,
    notice,
    pair,
    reply,
)

A, B, C = "/srv/a.wav", "/srv/b.wav", "/srv/c.wav"
OPTIONS: dict[str, Any] = {"max_digits": 4, "timeout_ms": 100, "interdigit_timeout_ms": 60, "terminators": "#"}


class Bench:
    """A channel and the switch behind it."""

    def __init__(self, call: FakeCall, channel: SwitchChannel) -> None:
        self.call = call
        self.channel = channel
        self.breaks = 0
        self._holding: Command | None = None
        call.apps["playback"] = self.play
        call.apis["uuid_break"] = self.break_off
        self.missing: set[str] = set()
        self.endless: set[str] = set()
        self.started = Event()

    def play(self, command: Command) -> bytes:
        self.started.set()
        if command.arg in self.missing:
            return complete(command, "FILE NOT FOUND")
        if command.arg in self.endless:
            self._holding = command
            return b""
        return complete(command, "FILE PLAYED")

    def break_off(self, rest: str) -> bytes:
        self.breaks += 1
        held, self._holding = self._holding, None
        return api("+OK\n") + (complete(held, "FILE PLAYED") if held else b"")

    def press(self, *digits: str) -> None:
        """Keys; what plays is broken off by the first of them, as FreeSWITCH does for its terminators."""
        held, self._holding = self._holding, None
        self.call.send(key(digits[0]), complete(held, "FILE PLAYED") if held else b"", *(key(d) for d in digits[1:]))

    def sync(self) -> None:
        """Return when everything that the switch sent so far has been read."""
        self.channel._session.send("api sync")

    @property
    def played(self) -> list[str]:
        return [command.arg for command in self.call.said("playback")]


@contextmanager
def bench_of(headers: dict[str, str]) -> Iterator[Bench]:
    with pair() as (sock, peer):
        call = FakeCall(peer, headers)
        channel = SwitchChannel(OutboundSession(("127.0.0.1", 1), sock))
        yield Bench(call, channel)
        channel.close()
        call.stop()


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
        ("sendmsg", "answer"),
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


@pytest.mark.req("R30")
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
    assert bench.call.said("answer"), "media must be there before the recording begins"
    lines = [command.line for command in bench.call.commands]
    assert lines[-2:] == [
        f"api uuid_setvar_multi {UUID} RECORD_STEREO=true",
        f"api uuid_record {UUID} start /srv/r/a.flac",
    ]
    bench.channel.mask_recording("/srv/r/a.flac")
    bench.channel.unmask_recording("/srv/r/a.flac")
    with pytest.raises(CommandRefused):
        bench.channel.stop_recording("/srv/r/a.flac")
    with pytest.raises(UnsafeArgument):
        bench.channel.start_recording("/srv/r/${x}.flac")


def ways_to_wait(bench: Bench) -> dict[str, Callable[[], object]]:
    bench.endless.add(A)
    return {
        "play": lambda: bench.channel.play([A]),
        "collect": lambda: bench.channel.collect([A], **OPTIONS),
        "gather": lambda: bench.channel.collect([], **{**OPTIONS, "timeout_ms": 60_000}),
        "wait_end": lambda: bench.channel.wait_end(None),
    }


@pytest.mark.req("R90")
@pytest.mark.parametrize("way", ["play", "collect", "gather"])
def test_a_hangup_ends_every_wait(bench: Bench, way: str) -> None:
    waiting = gevent.spawn(ways_to_wait(bench)[way])
    told: list[ChannelEnd | None] = []
    bench.channel.on_end(told.append)
    bench.sync()
    held = bench._holding
    failed = complete(held, "PLAYBACK ERROR", Answer_State="hangup", Hangup_Cause="NORMAL_CLEARING") if held else b""
    bench.call.send(failed, notice("linger"), hangup("NORMAL_CLEARING", "recv_bye", variable_billsec="3"))
    with pytest.raises(ChannelGone) as gone:
        waiting.get(timeout=5)
    end = gone.value.end
    assert (end.uuid, end.cause, end.by_remote, end.variables["billsec"]) == (UUID, "NORMAL_CLEARING", True, "3")
    assert told == [end] == [bench.channel.end]
    assert bench.channel.wait_end(None) is end
    assert bench.channel.hangup("NORMAL_CLEARING") is end
    for use in (bench.channel.answer, bench.channel.stop_playing, lambda: bench.channel.play([B])):
        with pytest.raises(ChannelGone):
            use()


@pytest.mark.parametrize("way", ["play", "collect", "gather", "wait_end"])
def test_a_lost_connection_ends_every_wait(bench: Bench, way: str) -> None:
    waiting = gevent.spawn(ways_to_wait(bench)[way])
    told: list[ChannelEnd | None] = []
    bench.channel.on_end(told.append)
    bench.sync()
    bench.call.peer.close()
    with pytest.raises(SwitchLost):
        waiting.get(timeout=5)
    assert told == [None]
    assert bench.channel.end is None
    with pytest.raises(SwitchLost):
        bench.channel.hangup("NORMAL_CLEARING")


@pytest.mark.parametrize("way", ["play", "collect", "gather", "wait_end"])
def test_a_bridge_takes_the_call_off_this_socket(bench: Bench, way: str) -> None:
    waiting = gevent.spawn(ways_to_wait(bench)[way])
    bench.sync()
    held = bench._holding
    left = {"Application": "socket", "Answer-State": "answered", "Application-UUID": "x", "Event-Sequence": "600"}
    bench.call.send(complete(held, "PLAYBACK ERROR") if held else b"", event("CHANNEL_EXECUTE_COMPLETE", left))
    with pytest.raises(SwitchLost):
        waiting.get(timeout=5)
    bench.call._greenlet.join(timeout=5)
    assert bench.call._greenlet.ready(), "the socket must be closed at once"


def test_the_end_of_the_socket_action_before_ours_is_old_news(bench: Bench) -> None:
    old = {"Application": "socket", "Answer-State": "answered", "Application-UUID": "x", "Event-Sequence": "487"}
    bench.call.send(event("CHANNEL_EXECUTE_COMPLETE", old))
    assert bench.channel.play([A]) == Played()


def test_a_playback_error_that_nothing_follows_is_a_file_that_can_not_be_played(bench: Bench) -> None:
    bench.call.apps["playback"] = lambda command: complete(command, "PLAYBACK ERROR")
    assert bench.channel.play([A]) == NotPlayed(f"{A}: PLAYBACK ERROR")


@pytest.mark.req("R90")
def test_hanging_up(bench: Bench) -> None:
    bench.call.apis["uuid_kill"] = lambda rest: api("+OK\n") + hangup(rest.split()[1], "send_bye")
    bench.channel.answer()
    end = bench.channel.hangup("USER_BUSY")
    assert (end.cause, end.by_remote) == ("USER_BUSY", False)
    assert [c.app or c.line for c in bench.call.commands[4:]] == ["answer", f"api uuid_kill {UUID} USER_BUSY"]


def test_hanging_up_twice_at_once(bench: Bench) -> None:
    bench.call.apis["uuid_kill"] = lambda rest: hangup("NORMAL_CLEARING", "recv_bye") + api("-ERR No such channel!\n")
    assert bench.channel.hangup("USER_BUSY").by_remote is True


def test_a_hangup_that_is_not_confirmed_has_a_deadline(bench: Bench) -> None:
    with pytest.raises(DeadlinePassed):
        bench.channel.hangup("NORMAL_CLEARING", deadline_s=0.05)
    with pytest.raises(UnsafeArgument):
        bench.channel.hangup("normal clearing")


@pytest.mark.parametrize(
    ("disposition", "by_remote"),
    [("recv_bye", True), ("recv_cancel", True), ("recv_refuse", True), ("send_bye", False), ("", False)],
)
@pytest.mark.req("R90")
def test_who_hung_up(bench: Bench, disposition: str, by_remote: bool) -> None:
    bench.call.send(hangup("NORMAL_CLEARING", disposition))
    end = bench.channel.wait_end(5)
    assert end is not None
    assert end.by_remote is by_remote


def test_a_goodbye_without_the_last_event_is_a_hangup_still(bench: Bench) -> None:
    bench.call.send(notice("linger"))
    bench.call.peer.close()
    end = bench.channel.wait_end(5)
    assert end is not None
    assert end.cause == "NORMAL_UNSPECIFIED"


def test_a_completion_that_tells_of_the_hangup_is_enough(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.switch.session.HANGUP_S", 0.05)
    bench.call.apps["playback"] = lambda c: complete(c, "x", Answer_State="hangup", Hangup_Cause="USER_BUSY")
    with pytest.raises(ChannelGone) as gone:
        bench.channel.play([A])
    assert gone.value.end.cause == "USER_BUSY"


def test_on_end_called_at_once_when_it_is_over_and_not_when_taken_back(bench: Bench) -> None:
    told: list[object] = []
    bench.channel.on_end(lambda end: told.append("kept"))
    bench.channel.on_end(lambda end: told.append("taken back"))()
    bench.call.send(hangup())
    bench.channel.wait_end(5)
    bench.channel.on_end(lambda end: told.append("late"))
    assert told == ["kept", "late"]


def test_letting_go_waits_until_the_switch_has_taken_the_channel_in(bench: Bench) -> None:
    """A socket closed before that leaves the caller in silence for ever."""
    bench.channel.close()
    assert bench.call.wait_for("set").arg == "cw_released=true"
    with pytest.raises(SwitchLost):
        bench.channel.play([A])


def test_letting_go_sends_what_was_posted(bench: Bench) -> None:
    bench.channel.play([A])
    bench.channel.set_variables({"a": "1"})
    bench.channel.close()
    bench.call.wait_for(f"api uuid_setvar_multi {UUID} a=1")
    assert not bench.call.said("set")


def test_more_than_the_switch_takes_at_once_is_split(bench: Bench) -> None:
    bench.channel.set_variables({f"a{number}": "1" for number in range(100)})
    bench.channel.play([A])
    assert len(bench.call.said("api uuid_setvar_multi")) == 3


def test_an_application_that_is_refused(bench: Bench) -> None:
    bench.call.apps["playback"] = lambda command: b""
    original = bench.call._answer
    bench.call._answer = lambda c: reply("-ERR invalid session id") if c.app == "playback" else original(c)  # type: ignore[method-assign]
    with pytest.raises(CommandRefused):
        bench.channel.play([A])


def test_keys_beyond_the_limit_and_odd_ones_are_dropped(bench: Bench) -> None:
    bench.call.send(*(key(digit) for digit in ["1"] * 200), event("DTMF", {"DTMF-Digit": "x"}), event("DTMF"))
    bench.sync()
    got = bench.channel.collect([], **{**OPTIONS, "max_digits": 128})
    assert isinstance(got, Digits)
    assert got.digits == "1" * 64
