"""What the switch port promises of agents and their phones: who is registered, questions to a parked leg, phones that
answer by themselves."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from gevent.queue import Queue

from engine.switch.control import SwitchControl
from engine.switch.frames import Frame
from engine.switch.port import ChannelGone, Interrupted, Originated, Played
from labswitch.phone import Behaviour, Phone, PhoneCall, RegistrationFailed
from tests.contract.switch.conftest import WITHIN_S, Ground, at_once, off
from tests.contract.switch.test_adapter import new_id
from tests.unit.freeswitch_conf.real_switch import DOMAIN, PASSWORD

SOON_S = 2.0
"""FreeSWITCH looks every 20 ms whether there are events to send."""


class Listening(SwitchControl):
    """Another engine's control connection, with all that comes in on it."""

    seen: list[tuple[str, str]]

    def _on_event(self, frame: Frame) -> None:
        self.seen.append((frame.name, frame.get("Event-Subclass") or ""))
        super()._on_event(frame)


@pytest.fixture
def listening(ground: Ground) -> Iterator[Listening]:
    control = Listening("127.0.0.1", ground.settings.event_socket.port, PASSWORD)
    control.seen = []
    control.start()
    assert control.wait_connected(WITHIN_S), control.fault
    yield control
    control.close()


def test_no_other_events_come(ground: Ground, listening: Listening) -> None:
    """Registrations, and the ends of managed channels: no jobs of others, no other things that happen."""
    inside = (ground.settings.sip_internal.ip, ground.settings.sip_internal.port)
    with pytest.raises(RegistrationFailed):
        off(ground.phone("jana", domain=DOMAIN, registrar=inside, password="wrong").register)
    leg, agent = answered(ground)
    caller, channel = ground.call()
    channel.answer()
    assert channel.play([ground.short]) == Played()
    off(caller.press, "1")
    ended: Queue = Queue()
    listening.on_channel_end(ended.put)
    off(agent.hangup)
    channel.hangup("NORMAL_CLEARING")
    assert {ended.get(timeout=WITHIN_S).uuid for _ in range(2)} == {leg, channel.info.uuid}
    assert listening.seen == [("CUSTOM", "sofia::register"), *[("CHANNEL_HANGUP_COMPLETE", "")] * 2]


def test_who_is_registered(ground: Ground) -> None:
    assert ground.control.registered() == frozenset()
    jana = ground.agent(Behaviour.silent())
    assert ground.registrations.get(timeout=SOON_S) == ("jana", True)
    assert ground.control.registered() == {"jana"}
    petr = ground.agent(Behaviour.silent(), "petr")
    assert ground.registrations.get(timeout=SOON_S) == ("petr", True)
    assert ground.control.registered() == {"jana", "petr"}
    off(jana.unregister)
    assert ground.registrations.get(timeout=SOON_S) == ("jana", False)
    assert ground.control.registered() == {"petr"}
    off(petr.register)
    assert ground.registrations.get(timeout=SOON_S) == ("petr", True), "refreshed"


def test_a_registration_that_ends_without_the_phone(ground: Ground) -> None:
    ground.agent(Behaviour.silent())
    assert ground.registrations.get(timeout=SOON_S) == ("jana", True)
    ground.api(f"sofia profile internal flush_inbound_reg jana@{DOMAIN}")
    assert ground.registrations.get(timeout=SOON_S) == ("jana", False)
    assert ground.control.registered() == frozenset()


def test_a_wrong_password_registers_nobody(ground: Ground) -> None:
    inside = (ground.settings.sip_internal.ip, ground.settings.sip_internal.port)
    phone = ground.phone("jana", domain=DOMAIN, registrar=inside, password="wrong")
    with pytest.raises(RegistrationFailed):
        off(phone.register)
    assert ground.control.registered() == frozenset()
    ground.agent(Behaviour.silent(), "petr")
    assert ground.registrations.get(timeout=SOON_S) == ("petr", True), "and nothing before"


def test_a_new_phone_takes_the_place_of_the_old(ground: Ground) -> None:
    ground.agent(Behaviour.silent())
    second = ground.agent(Behaviour.silent())
    assert [ground.registrations.get(timeout=SOON_S) for _ in range(2)] == [("jana", True), ("jana", True)]
    leg = new_id()
    ringing = ground.ring(leg)
    off(second.wait_call, WITHIN_S)
    ringing.cancel()


def answered(ground: Ground) -> tuple[str, PhoneCall]:
    """An agent's parked leg, and his end of it."""
    phone = ground.agent(Behaviour.answering(tone_hz=660))
    leg = new_id()
    assert ground.ring(leg).wait(WITHIN_S) == Originated("answered")
    return leg, off(phone.wait_call, WITHIN_S)


@pytest.mark.parametrize("by_info", [False, True], ids=["rfc2833", "info"])
def test_a_key_while_the_question_plays(ground: Ground, by_info: bool) -> None:
    leg, agent = answered(ground)
    asking = at_once(ground.control.ask, leg, [ground.long, ground.long], "12", 5000)
    off(agent.wait_heard_tone, 425, WITHIN_S)
    press = agent.press_info if by_info else agent.press
    off(press, "9")
    off(press, "2")
    pressed = time.monotonic()
    assert asking.get(timeout=WITHIN_S) == "2"
    assert time.monotonic() - pressed < 0.5
    assert ground.control.play_to(leg, [ground.short]) is True, "it does not play on"


def test_a_key_after_the_question_and_no_key(ground: Ground) -> None:
    leg, agent = answered(ground)
    began = time.monotonic()
    assert ground.control.ask(leg, [ground.short], "1", 400) is None
    assert 0.6 < time.monotonic() - began < 1.5, "the time runs from the end of what is played"
    agent.skip_heard()
    asking = at_once(ground.control.ask, leg, [ground.short], "1", 5000)
    off(agent.wait_heard_tone, 425, WITHIN_S)
    off(agent.wait_heard_silence, WITHIN_S)
    off(agent.press, "1")
    assert asking.get(timeout=WITHIN_S) == "1"
    assert ground.control.ask(leg, [ground.missing, ground.short], "1", 200) is None, "what is missing is skipped"
    assert ground.control.ask(leg, [], "1", 100) is None, "without a question"


def test_asking_one_who_hangs_up(ground: Ground) -> None:
    leg, agent = answered(ground)
    asking = at_once(ground.control.ask, leg, [ground.long], "1", 5000)
    off(agent.wait_heard_tone, 425, WITHIN_S)
    off(agent.hangup)
    with pytest.raises(ChannelGone) as gone:
        asking.get(timeout=WITHIN_S)
    assert (gone.value.end.uuid, gone.value.end.cause, gone.value.end.by_remote) == (leg, "NORMAL_CLEARING", True)
    with pytest.raises(ChannelGone):
        ground.control.ask(leg, [], "1", 5000)


def test_asking_one_who_hangs_up_in_silence(ground: Ground) -> None:
    leg, agent = answered(ground)
    asking = at_once(ground.control.ask, leg, [ground.short], "1", 5000)
    off(agent.wait_heard_tone, 425, WITHIN_S)
    off(agent.wait_heard_silence, WITHIN_S)
    off(agent.hangup)
    with pytest.raises(ChannelGone):
        asking.get(timeout=SOON_S)


def test_a_greenlet_that_asks_no_longer_leaves_silence(ground: Ground) -> None:
    leg, agent = answered(ground)
    asking = at_once(ground.control.ask, leg, [ground.long], "1", 5000)
    off(agent.wait_heard_tone, 425, WITHIN_S)
    asking.kill()
    began = time.monotonic()
    assert ground.control.play_to(leg, [ground.short]) is True
    assert time.monotonic() - began < 2, "what played was stopped"


def test_a_conversation_begins_with_the_key(ground: Ground) -> None:
    """The break that stopped the question does not break what follows."""
    caller, channel = ground.call()
    channel.answer()
    leg, agent = answered(ground)
    asking = at_once(ground.control.ask, leg, [ground.long], "1", 5000)
    off(agent.wait_heard_tone, 425, WITHIN_S)
    off(agent.press, "1")
    assert asking.get(timeout=WITHIN_S) == "1"
    ground.control.bridge(channel.info.uuid, leg)
    off(caller.wait_heard_tone, 660, WITHIN_S)
    off(caller.talk, 880)
    off(agent.wait_heard_tone, 880, WITHIN_S)
    caller.skip_heard()
    off(caller.wait_heard_tone, 660, WITHIN_S)
    assert ground.control.exists(leg)
    assert agent.end is None


def auto(ground: Ground, auto_answer: bool) -> tuple[str, Phone, Originated | None]:
    phone = ground.agent(Behaviour.auto_answering())
    leg = new_id()
    ringing = ground.ring(leg, auto_answer=auto_answer)
    return leg, phone, ringing.wait(1.0)


def test_a_phone_that_answers_by_itself(ground: Ground) -> None:
    leg, phone, outcome = auto(ground, auto_answer=True)
    assert outcome == Originated("answered")
    invite = off(phone.wait_call, WITHIN_S).invite
    assert invite is not None
    assert ";intercom=true" in invite.first_line
    asked = (invite.get("call-info"), invite.get("answer-mode"))
    assert asked == (f"<sip:{ground.settings.sip_internal.ip}>;answer-after=0", "Auto")
    assert ground.control.ask(leg, [ground.short], "1", 100) is None


def test_a_phone_that_is_not_asked_to_rings(ground: Ground) -> None:
    _, phone, outcome = auto(ground, auto_answer=False)
    assert outcome is None
    invite = off(phone.wait_call, WITHIN_S).invite
    assert invite is not None
    assert invite.answer_after_s() is None


def test_keys_are_told_whatever_runs(ground: Ground) -> None:
    caller, channel = ground.call()
    channel.answer()
    first: Queue = Queue()
    second: Queue = Queue()
    channel.on_key(first.put)
    take_back = channel.on_key(second.put)
    playing = at_once(channel.play, [ground.long], "5")
    off(caller.wait_heard_any, WITHIN_S)
    off(caller.press, "1")
    assert (first.get(timeout=SOON_S), second.get(timeout=SOON_S)) == ("1", "1")
    take_back()
    off(caller.press, "5")
    assert playing.get(timeout=WITHIN_S) == Interrupted("5")
    assert first.get(timeout=SOON_S) == "5"
    off(caller.press, "7")
    assert first.get(timeout=SOON_S) == "7", "and where nothing runs"
    assert second.empty()
