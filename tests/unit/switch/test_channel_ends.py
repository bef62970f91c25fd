"""`SwitchChannel` against a scripted switch: hangups, lost connections, letting go."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent
import pytest

from engine.switch.port import (
    ChannelEnd,
    ChannelGone,
    CommandRefused,
    DeadlinePassed,
    Digits,
    NotPlayed,
    Played,
    SwitchLost,
    UnsafeArgument,
)
from tests.unit.switch.channel_bench import OPTIONS, A, B, Bench, bench_of
from tests.unit.switch.peer import (
    UUID,
    api,
    complete,
    event,
    hangup,
    key,
    notice,
)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of({}) as made:
        yield made


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
    assert [c.app or c.line for c in bench.call.commands[4:]] == [
        f"api uuid_answer {UUID}",
        f"api uuid_kill {UUID} USER_BUSY",
    ]


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
    bench.call.refused.add("playback")
    with pytest.raises(CommandRefused):
        bench.channel.play([A])


def test_keys_beyond_the_limit_and_odd_ones_are_dropped(bench: Bench) -> None:
    bench.call.send(*(key(digit) for digit in ["1"] * 200), event("DTMF", {"DTMF-Digit": "x"}), event("DTMF"))
    bench.sync()
    got = bench.channel.collect([], **{**OPTIONS, "max_digits": 128})
    assert isinstance(got, Digits)
    assert got.digits == "1" * 64
