"""`SwitchControl.ask`, against a scripted switch: keys, time, hangups, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent
import pytest

from engine.switch.control import SwitchControl
from engine.switch.port import ChannelGone, DeadlinePassed, SwitchLost, UnsafeArgument
from tests.unit.switch.fake_event_socket import FakeSwitch, control_of
from tests.unit.switch.peer import DEADLINE_S, OTHER, UUID, Command, Peer, api, complete, hangup, key, reply

A, B = "/srv/a.wav", "/srv/b.wav"


class Leg:
    """A parked leg on a scripted switch. Sources of `endless` play until they are broken."""

    def __init__(self) -> None:
        self.switch = FakeSwitch()
        self.switch.messages = self._play
        self.switch.apis["uuid_exists"] = lambda uuid: api("true" if self.there else "false")
        self.switch.apis["uuid_break"] = self._break
        self.there = True
        self.endless: set[str] = set()
        self.breaks_needed = 1
        self.playing: Command | None = None

    @property
    def line(self) -> Peer:
        """The connection that was made last."""
        return self.switch.lines[-1]

    @property
    def played(self) -> list[str]:
        return [command.arg for command in self.switch.commands if command.app == "playback"]

    @property
    def breaks(self) -> int:
        return len(self.switch.said("api uuid_break"))

    def _play(self, command: Command) -> bytes:
        if command.arg in self.endless:
            self.playing = command
            return reply()
        return reply() + complete(command, "FILE NOT FOUND" if "missing" in command.arg else "FILE PLAYED")

    def _break(self, uuid: str) -> bytes:
        playing = self.playing
        if playing is None or self.breaks < self.breaks_needed:
            return api("+OK\n")
        self.playing = None
        return api("+OK\n") + complete(playing, "FILE PLAYED")


@pytest.fixture
def leg() -> Iterator[Leg]:
    made = Leg()
    yield made
    made.switch.close()


@pytest.fixture
def control(leg: Leg) -> Iterator[SwitchControl]:
    with control_of(leg.switch) as made:
        assert made.wait_connected(DEADLINE_S), made.fault
        yield made


def until(true: Callable[[], bool]) -> None:
    with gevent.Timeout(DEADLINE_S):
        while not true():
            gevent.sleep(0.002)


def test_a_key_stops_what_plays(leg: Leg, control: SwitchControl) -> None:
    leg.endless.add(A)
    leg.breaks_needed = 2
    asking = gevent.spawn(control.ask, UUID, [A, B], "12", 5000)
    until(lambda: leg.playing is not None)
    leg.line.send(key("1", uuid=OTHER), key("9"), key("2"), key("1"))
    assert asking.get(timeout=DEADLINE_S) == "2"
    assert (leg.played, leg.breaks) == ([A], 2)
    until(lambda: len(leg.switch.open) == 1)


def test_a_key_after_what_is_played(leg: Leg, control: SwitchControl) -> None:
    asking = gevent.spawn(control.ask, UUID, [A, "/srv/missing.wav", B], "1", 5000)
    until(lambda: len(leg.played) == 3)
    leg.line.send(key("1"))
    assert asking.get(timeout=DEADLINE_S) == "1"
    assert leg.breaks == 0


def test_no_key(leg: Leg, control: SwitchControl) -> None:
    assert control.ask(UUID, [A], "1", 30) is None
    assert control.ask(UUID, [], "1", 30) is None
    until(lambda: len(leg.switch.open) == 1)


def test_one_who_hangs_up(leg: Leg, control: SwitchControl) -> None:
    leg.endless.add(A)
    for sources in ([A], []):
        asking = gevent.spawn(control.ask, UUID, sources, "1", 5000)
        asked = len(leg.switch.said("api uuid_exists"))
        until(lambda asked=asked: len(leg.switch.said("api uuid_exists")) > asked)  # type: ignore[misc]
        leg.line.send(hangup("USER_BUSY", "recv_bye"))
        with pytest.raises(ChannelGone) as gone:
            asking.get(timeout=DEADLINE_S)
        assert (gone.value.end.uuid, gone.value.end.cause, gone.value.end.by_remote) == (UUID, "USER_BUSY", True)
        until(lambda: len(leg.switch.open) == 1)


def test_one_who_hung_up_just_when_a_source_ended(leg: Leg, control: SwitchControl) -> None:
    def ends(command: Command) -> bytes:
        return reply() + complete(command, "PLAYBACK ERROR", **{"Answer-State": "hangup"}) + hangup("NORMAL_CLEARING")

    leg.switch.messages = ends
    with pytest.raises(ChannelGone) as gone:
        control.ask(UUID, [A], "1", 5000)
    assert gone.value.end.cause == "NORMAL_CLEARING"


def test_one_who_is_not_there(leg: Leg, control: SwitchControl) -> None:
    leg.there = False
    with pytest.raises(ChannelGone) as gone:
        control.ask(UUID, [A], "1", 5000)
    assert (gone.value.end.uuid, gone.value.end.by_remote) == (UUID, False)
    assert leg.played == []


def test_the_switch_goes(leg: Leg, control: SwitchControl) -> None:
    leg.endless.add(A)
    for sources in ([A], []):
        asking = gevent.spawn(control.ask, UUID, sources, "1", 5000)
        asked = len(leg.switch.said("api uuid_exists"))
        until(lambda asked=asked: len(leg.switch.said("api uuid_exists")) > asked)  # type: ignore[misc]
        leg.line.close()
        with pytest.raises(SwitchLost):
            asking.get(timeout=DEADLINE_S)


def test_a_greenlet_that_is_stopped_leaves_no_sound_and_no_connection(leg: Leg, control: SwitchControl) -> None:
    leg.endless.add(A)
    asking = gevent.spawn(control.ask, UUID, [A], "1", 5000)
    until(lambda: leg.playing is not None)
    asking.kill()
    until(lambda: len(leg.switch.open) == 1)
    assert leg.breaks == 1
    silent = gevent.spawn(control.ask, UUID, [], "1", 5000)
    until(lambda: len(leg.switch.said("api uuid_exists")) == 2)
    silent.kill()
    until(lambda: len(leg.switch.open) == 1)


def test_playing_too_long(leg: Leg, control: SwitchControl) -> None:
    leg.endless.add(A)
    with pytest.raises(DeadlinePassed):
        control.ask(UUID, [A], "1", 5000, deadline_s=0.05)
    until(lambda: leg.breaks == 1)
    assert control.ask(UUID, [B], "1", 100, deadline_s=0.05) is None, "the time to press a key is not playing"


@pytest.mark.parametrize(("sources", "keys"), [(["$x"], "1"), ([A], "1\n2"), ([A], "w")])
def test_nothing_unsafe_is_asked(leg: Leg, control: SwitchControl, sources: list[str], keys: str) -> None:
    with pytest.raises(UnsafeArgument):
        control.ask(UUID, sources, keys, 100)
    assert len(leg.switch.lines) == 1
