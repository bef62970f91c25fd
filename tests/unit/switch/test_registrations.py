"""Who is registered, as the control connection tells it; FreeSWITCH's side captured."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gevent.queue import Queue

from engine.switch.control import SwitchControl
from engine.switch.port import CommandRefused, SwitchLost
from tests.captured.conversation import Turn, conversation
from tests.unit.switch.fake_event_socket import FakeSwitch, control_of
from tests.unit.switch.peer import DEADLINE_S, api, event

TURNS = conversation("control_registrations")
LIST = "api sofia xmlstatus profile internal"


def answers(command: str) -> list[Turn]:
    """The captured answers to a command."""
    return [
        next(turn for turn in TURNS[number:] if turn.value("Content-Type") == "api/response")
        for number, turn in enumerate(TURNS)
        if turn.head.decode() == command
    ]


def row(user: str, call_id: str = "a", domain: str = "test.example") -> str:
    return f"    <registration>\n        <call-id>{call_id}</call-id>\n        <user>{user}@{domain}</user>\n"


class Watched:
    """A scripted switch, a control connection, and what it tells."""

    def __init__(self, switch: FakeSwitch, control: SwitchControl) -> None:
        self.switch = switch
        self.control = control
        self.told: Queue = Queue()
        self.rows = ""
        control.on_registration(lambda user, registered: self.told.put((user, registered)))
        switch.apis["sofia"] = lambda arguments: api(f"<profile>\n{self.rows}</profile>\n")

    def next(self) -> tuple[str, bool]:
        told: tuple[str, bool] = self.told.get(timeout=DEADLINE_S)
        return told

    def say(self, what: str, user: str = "jana", **more: str) -> None:
        """The switch tells of a telephone."""
        headers = {"Event-Subclass": f"sofia::{what}", "profile-name": "internal", "call-id": "a"}
        names = ("user", "host") if what == "expire" else ("from-user", "from-host")
        known = {**headers, **dict(zip(names, (user, "test.example"), strict=True)), **more}
        self.switch.lines[0].send(event("CUSTOM", known))


@pytest.fixture
def watched() -> Iterator[Watched]:
    switch = FakeSwitch()
    try:
        with control_of(switch) as control:
            assert control.wait_connected(DEADLINE_S), control.fault
            yield Watched(switch, control)
    finally:
        switch.close()


def test_what_freeswitch_told(watched: Watched) -> None:
    told = []
    for turn in TURNS:
        if turn.value("Event-Name") == "CUSTOM":
            watched.switch.lines[0].send(turn.wire)
            told.append(watched.next())
    assert told == [("jana", True), ("petr", True), ("jana", True), ("jana", False), ("petr", False)]
    assert watched.switch.said("api sofia") == [f"{LIST} user {user}@test.example" for user in ("jana", "petr")]


def test_what_freeswitch_lists(watched: Watched) -> None:
    lists = []
    for answer in answers(f"{LIST} reg"):
        watched.switch.apis["sofia"] = lambda arguments, answer=answer: answer.wire  # type: ignore[misc]
        lists.append(watched.control.registered())
    assert lists == [frozenset(), {"jana"}, {"jana", "petr"}, {"petr"}]
    watched.switch.apis["sofia"] = lambda arguments: api("Invalid Profile!\n")
    with pytest.raises(CommandRefused, match="Invalid Profile"):
        watched.control.registered()


@pytest.mark.parametrize("what", ["unregister", "expire"])
def test_a_user_with_another_telephone_has_not_gone(watched: Watched, what: str) -> None:
    watched.rows = row("jana", "a") + row("jana", "b") + row("janap", "c")
    watched.say(what)
    watched.rows = row("jana", "b") + row("janap", "c")
    watched.say(what, **{"call-id": "b"})
    assert watched.next() == ("jana", False), "told once, of the last: an expired one is listed for a moment yet"
    assert watched.told.empty()


def test_a_telephone_that_calls_its_registration_as_it_likes_feigns_nobody(watched: Watched) -> None:
    watched.rows = row("jana", "x</call-id><user>petr@test.example</user>") + row("eva", "y")
    assert watched.control.registered() == {"jana", "eva"}


def test_other_profiles_users_and_events_are_not_told(watched: Watched) -> None:
    watched.say("register", **{"profile-name": "external"})
    watched.say("register", user="x@y\n")
    watched.say("register", user="")
    watched.switch.lines[0].send(event("CUSTOM", {"Event-Subclass": "other::register", "from-user": "jana"}))
    watched.say("register", "petr")
    assert watched.next() == ("petr", True)


def test_one_callback_that_fails_does_not_hinder_the_others(watched: Watched) -> None:
    def failing(user: str, registered: bool) -> None:
        raise RuntimeError(user)

    watched.control.on_registration(failing)
    also: Queue = Queue()
    watched.control.on_registration(lambda user, registered: also.put(user))
    watched.say("register")
    assert (watched.next(), also.get(timeout=DEADLINE_S)) == (("jana", True), "jana")


def test_when_the_switch_does_not_list_the_event_is_believed(watched: Watched) -> None:
    watched.switch.apis["sofia"] = lambda arguments: api("-ERR\n")
    watched.say("unregister")
    assert watched.next() == ("jana", False)


def test_without_a_connection_nobody_is_known(watched: Watched) -> None:
    watched.control.close()
    with pytest.raises(SwitchLost):
        watched.control.registered()
