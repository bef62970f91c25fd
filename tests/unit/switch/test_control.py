"""The control connection against a scripted switch: logging in, reconnecting, originating, losing the connection."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gevent
import pytest
from gevent.queue import Queue

from engine.switch.control import SwitchControl
from engine.switch.port import (
    ChannelEnd,
    CommandRefused,
    DeadlinePassed,
    DialTarget,
    Originated,
    SwitchLost,
    UnsafeArgument,
)
from tests.captured.conversation import conversation
from tests.unit.switch.fake_event_socket import GREETING, LEG, USER, FakeSwitch, control_of
from tests.unit.switch.peer import DEADLINE_S, UUID, Command, api, complete, hangup, reply


@pytest.fixture
def switch() -> Iterator[FakeSwitch]:
    made = FakeSwitch()
    yield made
    made.close()


@pytest.fixture
def control(switch: FakeSwitch) -> Iterator[SwitchControl]:
    with control_of(switch) as made:
        assert made.wait_connected(DEADLINE_S), made.fault
        yield made


def ring(control: SwitchControl, **changes: Any) -> Any:
    options = {"leg": LEG, "ring_timeout_s": 20, "caller_id_number": "+420601", "caller_id_name": "Jan Novák"}
    return control.originate(changes.pop("target", USER), **{**options, "variables": {}, **changes})


def until(true: Callable[[], bool]) -> None:
    with gevent.Timeout(DEADLINE_S):
        while not true():
            gevent.sleep(0.002)


def test_subscribes_to_managed_channels_own_jobs_and_registrations_only(
    switch: FakeSwitch, control: SwitchControl
) -> None:
    said = [command.line for command in switch.commands]
    assert said[0] == "auth secret"
    assert said[1] == "filter variable_cw_managed true"
    assert said[2].startswith("filter Job-UUID /^cw-")
    assert said[3] == "filter Event-Subclass /^sofia::(register|unregister|expire)$/"
    events = "BACKGROUND_JOB CHANNEL_HANGUP_COMPLETE CUSTOM sofia::register sofia::unregister sofia::expire"
    assert said[4] == f"event plain {events}"


def test_originate(switch: FakeSwitch, control: SwitchControl) -> None:
    ringing = ring(control, variables={"cw_leg_of": "call-1"})
    done: Queue = Queue()
    ringing.on_done(done.put)
    assert ringing.wait(0.01) is None
    asked = switch.finish(f"+OK {LEG}\n")
    assert asked == (
        f"originate {{origination_uuid={LEG},originate_timeout=20,ignore_early_media=true,"
        "origination_caller_id_name='Jan Novák',origination_caller_id_number=+420601,cw_managed=true,park_timeout=30,"
        "hangup_after_bridge=true,playback_terminators=none,cw_leg_of=call-1}sofia/internal/1001%lab.example &park()"
    )
    assert ringing.wait(DEADLINE_S) == Originated("answered") == done.get(timeout=DEADLINE_S)
    late: list[Originated] = []
    ringing.on_done(late.append)
    assert late == [Originated("answered")]


def test_a_telephone_is_asked_to_answer_by_itself(switch: FakeSwitch, control: SwitchControl) -> None:
    ring(control, auto_answer=True)
    assert ",sip_auto_answer=true,sip_h_Answer-Mode=Auto}" in switch.finish("+OK x")
    ring(control)
    assert "sip_" not in switch.finish("+OK x")


@pytest.mark.req("R9")
def test_a_telephone_is_told_more_in_headers(switch: FakeSwitch, control: SwitchControl) -> None:
    ring(control, headers={"X-Callwright-Queue": "sales", "X-Callwright-Attribute-campaign": "a, {b}"})
    told = "sip_h_X-Callwright-Queue=sales,sip_h_X-Callwright-Attribute-campaign=a%2C%20%7Bb%7D"
    assert f",{told}}}sofia/internal/" in switch.finish("+OK x")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("-ERR USER_BUSY\n", Originated("busy", "USER_BUSY")),
        ("-ERR NO_ANSWER\n", Originated("no_answer", "NO_ANSWER")),
        ("-ERR ALLOTTED_TIMEOUT\n", Originated("no_answer", "ALLOTTED_TIMEOUT")),
        ("-ERR CALL_REJECTED\n", Originated("rejected", "CALL_REJECTED")),
        ("-ERR USER_NOT_REGISTERED\n", Originated("not_registered", "USER_NOT_REGISTERED")),
        ("-ERR SUBSCRIBER_ABSENT\n", Originated("not_registered", "SUBSCRIBER_ABSENT")),
        ("-ERR NORMAL_TEMPORARY_FAILURE\n", Originated("failed", "NORMAL_TEMPORARY_FAILURE")),
        ("-ERR INVALID_GATEWAY\n", Originated("failed", "INVALID_GATEWAY")),
        ("-ERR ORIGINATOR_CANCEL\n", Originated("cancelled", "ORIGINATOR_CANCEL")),
        ("-USAGE: originate\n", Originated("failed", "NORMAL_UNSPECIFIED")),
        ("", Originated("failed", "NORMAL_UNSPECIFIED")),
    ],
)
def test_what_becomes_of_an_originate(
    switch: FakeSwitch, control: SwitchControl, text: str, result: Originated
) -> None:
    ringing = ring(control)
    switch.finish(text)
    assert ringing.wait(DEADLINE_S) == result


def test_captured_failures(switch: FakeSwitch, control: SwitchControl) -> None:
    jobs = [turn for turn in conversation("control_originate_failures") if turn.value("Event-Name") == "BACKGROUND_JOB"]
    got = []
    for turn in jobs:
        ringing = ring(control)
        peer, job, _ = switch.jobs.get(timeout=DEADLINE_S)
        peer.send(replace(turn, body=turn.body.replace(turn.value("Job-UUID").encode(), job.encode())).wire)
        got.append(ringing.wait(DEADLINE_S))
    temporary = Originated("failed", "NORMAL_TEMPORARY_FAILURE")
    absent = Originated("not_registered", "SUBSCRIBER_ABSENT")
    assert got == [temporary, absent, Originated("failed", "INVALID_GATEWAY"), temporary, temporary]


def test_a_caller_whose_number_is_no_number_is_rung_all_the_same(switch: FakeSwitch, control: SwitchControl) -> None:
    ring(control, caller_id_number="anonymous@x", caller_id_name="x\n'y',{z}")
    asked = switch.finish("+OK x")
    assert "origination_caller_id_name='x y z'" in asked
    assert "origination_caller_id_number=anonymous" in asked


@pytest.mark.parametrize(
    "changes",
    [
        {"leg": "a b"},
        {"target": DialTarget("user", "1001,x", "lab")},
        {"target": DialTarget("gateway", "12a", "trunk")},
        {"variables": {"a": "${x}"}},
        {"variables": {"api_hangup_hook": "x"}},
    ],
)
def test_nothing_unsafe_is_originated(switch: FakeSwitch, control: SwitchControl, changes: dict[str, Any]) -> None:
    with pytest.raises(UnsafeArgument):
        ring(control, **changes)
    assert switch.jobs.empty()


def test_cancel_while_ringing(switch: FakeSwitch, control: SwitchControl) -> None:
    ringing = ring(control)
    kills: list[str] = []
    switch.apis["uuid_kill"] = lambda rest: kills.append(rest) or api("+OK\n")  # type: ignore[func-returns-value]
    ringing.cancel()
    ringing.cancel()
    until(lambda: bool(kills))
    switch.finish("-ERR ORIGINATOR_CANCEL\n")
    assert ringing.wait(DEADLINE_S) == Originated("cancelled", "ORIGINATOR_CANCEL")
    assert kills == [f"{LEG} ORIGINATOR_CANCEL"]


def test_cancel_before_the_leg_exists_is_repeated(switch: FakeSwitch, control: SwitchControl) -> None:
    answers = [api("-ERR No such channel!\n"), api("+OK\n")]
    switch.apis["uuid_kill"] = lambda rest: answers.pop(0)
    ring(control).cancel()
    until(lambda: not answers)


def test_cancel_that_meets_the_answer_hangs_up(switch: FakeSwitch, control: SwitchControl) -> None:
    ringing = ring(control)
    switch.apis["uuid_kill"] = lambda rest: api("-ERR No such channel!\n" if "CANCEL" in rest else "+OK\n")
    ringing.cancel()
    switch.finish(f"+OK {LEG}\n")
    assert ringing.wait(DEADLINE_S) == Originated("cancelled", "ORIGINATOR_CANCEL")
    until(lambda: bool(switch.said(f"api uuid_kill {LEG} NORMAL_CLEARING")))


def test_cancel_after_the_answer_hangs_up(switch: FakeSwitch, control: SwitchControl) -> None:
    ringing = ring(control)
    switch.finish(f"+OK {LEG}\n")
    ringing.wait(DEADLINE_S)
    ringing.cancel()
    until(lambda: bool(switch.said(f"api uuid_kill {LEG} NORMAL_CLEARING")))


@pytest.mark.req("R124")
def test_a_broken_connection_is_opened_again_and_leaves_no_phone_ringing(
    switch: FakeSwitch, control: SwitchControl
) -> None:
    ups: Queue = Queue()
    control.on_connected(lambda: ups.put(True))
    ringing = ring(control)
    done: Queue = Queue()
    ringing.on_done(done.put)
    switch.drop()
    with pytest.raises(SwitchLost):
        ringing.wait(DEADLINE_S)
    assert done.get(timeout=DEADLINE_S).outcome == "failed"
    assert ups.get(timeout=DEADLINE_S)
    assert control.connected
    assert switch.said(f"api uuid_kill {LEG}") == [f"api uuid_kill {LEG} ORIGINATOR_CANCEL"]
    assert len(switch.said("event plain")) == 2, "subscribed again"


def test_without_a_connection_everything_raises_at_once() -> None:
    control = SwitchControl("127.0.0.1", 1, "secret")
    assert not control.connected
    for use in (
        lambda: ring(control),
        lambda: control.bridge(UUID, LEG),
        lambda: control.kill(UUID),
        lambda: control.exists(UUID),
        lambda: control.channels(),
        lambda: control.play_to(UUID, ["/srv/a.wav"]),
    ):
        with pytest.raises(SwitchLost):
            use()


def test_a_wrong_password_is_said_clearly_and_never_shown(switch: FakeSwitch, caplog: pytest.LogCaptureFixture) -> None:
    with control_of(switch, password="guessed-wrong") as control:
        until(lambda: "refuses the password" in control.fault)
        assert not control.connected
    assert "guessed-wrong" not in caplog.text + control.fault + repr(control.address)


def test_a_rejected_address_is_said_clearly(switch: FakeSwitch) -> None:
    switch.greeting = b"Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n"
    with control_of(switch) as control:
        until(lambda: "rejects our address" in control.fault)


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_peer_that_is_no_switch_is_given_up(switch: FakeSwitch, greeting: bytes) -> None:
    switch.greeting = greeting
    with control_of(switch, deadline_s=0.05) as control:
        until(lambda: "did not ask for a password" in control.fault)
        switch.greeting = GREETING
        assert control.wait_connected(DEADLINE_S)


def test_a_dead_peer_is_noticed(switch: FakeSwitch) -> None:
    with control_of(switch, keep_alive_s=0.02, deadline_s=0.05) as control:
        assert control.wait_connected(DEADLINE_S)
        switch.apis["uuid_exists"] = lambda rest: b""
        until(lambda: not control.connected)
        switch.apis["uuid_exists"] = lambda rest: api("false")
        assert control.wait_connected(DEADLINE_S)


def test_hangups_of_managed_channels_are_told(switch: FakeSwitch, control: SwitchControl) -> None:
    ends: Queue = Queue()

    def faulty(end: ChannelEnd) -> None:
        raise ValueError("a fault of the callback")

    control.on_channel_end(faulty)
    control.on_channel_end(ends.put)
    (line,) = switch.lines
    line.send(hangup("NORMAL_CLEARING", "send_bye", uuid="unmanaged"))
    line.send(hangup("USER_BUSY", "recv_refuse", uuid="managed", variable_cw_managed="true"))
    end = ends.get(timeout=DEADLINE_S)
    assert (end.uuid, end.cause, end.by_remote) == ("managed", "USER_BUSY", True)
    assert ends.empty()


def test_bridge_kill_exists_channels(switch: FakeSwitch, control: SwitchControl) -> None:
    control.bridge(UUID, LEG)
    switch.apis["uuid_bridge"] = lambda rest: api("-ERR Invalid uuid\n")
    with pytest.raises(CommandRefused):
        control.bridge(UUID, LEG)
    switch.apis["uuid_kill"] = lambda rest: api("-ERR No such channel!\n")
    control.kill(UUID)
    switch.apis["uuid_exists"] = lambda rest: api("true" if rest == UUID else "false")
    assert (control.exists(UUID), control.exists(LEG)) == (True, False)
    rows = {"row_count": 2, "rows": [{"uuid": UUID}, {"uuid": LEG}]}
    switch.apis["show"] = lambda rest: api(json.dumps(rows))
    assert control.channels() == [UUID, LEG]
    switch.apis["show"] = lambda rest: api('{"row_count":0}')
    assert control.channels() == []
    switch.apis["show"] = lambda rest: api("-ERR no")
    with pytest.raises(CommandRefused):
        control.channels()
    with pytest.raises(UnsafeArgument):
        control.kill("a b")
    with pytest.raises(UnsafeArgument):
        control.kill(UUID, "x y")
    with pytest.raises(UnsafeArgument):
        control.bridge("$", UUID)


def test_a_channel_is_fetched_unless_it_is_in_conversation(switch: FakeSwitch, control: SwitchControl) -> None:
    switch.apis["uuid_getvar"] = lambda rest: api("_undef_")
    switch.apis["uuid_transfer"] = lambda rest: api("+OK")
    assert control.fetch(UUID, "cw_again:XML:public")
    assert switch.said("api")[-1] == f"api uuid_transfer {UUID} cw_again XML public"
    switch.apis["uuid_getvar"] = lambda rest: api(LEG)
    assert not control.fetch(UUID, "cw_again:XML:public")
    switch.apis["uuid_getvar"] = lambda rest: api("-ERR No such channel!")
    assert not control.fetch(UUID, "cw_again:XML:public")
    assert len([said for said in switch.said("api") if "uuid_transfer" in said]) == 1


def test_beyond_the_port(switch: FakeSwitch, control: SwitchControl) -> None:
    control.record(UUID, "mask", "/srv/a.flac")
    control.set_variables(UUID, {"a": "1"})
    assert switch.said("api")[-2:] == [
        f"api uuid_record {UUID} mask /srv/a.flac",
        f"api uuid_setvar_multi {UUID} a=1",
    ]
    with pytest.raises(ValueError, match="pause"):
        control.record(UUID, "pause", "/srv/a.flac")


def test_playing_to_a_leg(switch: FakeSwitch, control: SwitchControl) -> None:
    def messages(command: Command) -> bytes:
        return reply() + complete(command, "FILE NOT FOUND" if "missing" in command.arg else "FILE PLAYED")

    switch.messages = messages
    assert control.play_to(UUID, ["/srv/a.wav", "/srv/b.wav"]) is True
    said = [command.line for command in switch.commands[5:]]
    assert said[:3] == [
        "auth secret",
        f"filter Unique-ID {UUID}",
        "event plain CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP_COMPLETE DTMF",
    ]
    assert [command.arg for command in switch.commands if command.line == f"sendmsg {UUID}"] == [
        "/srv/a.wav",
        "/srv/b.wav",
    ]
    assert control.play_to(UUID, ["/srv/missing.wav", "/srv/b.wav"]) is False
    switch.messages = lambda command: reply(f"-ERR invalid session id [{UUID}]")
    assert control.play_to(UUID, ["/srv/a.wav"]) is False
    switch.messages = lambda command: reply() + hangup()
    assert control.play_to(UUID, ["/srv/a.wav"]) is False
    switch.messages = lambda command: reply()
    with pytest.raises(DeadlinePassed):
        control.play_to(UUID, ["/srv/a.wav"], deadline_s=0.05)
    until(lambda: bool(switch.said("api uuid_break")))


def test_playing_to_a_leg_when_the_switch_goes(switch: FakeSwitch, control: SwitchControl) -> None:
    playing = gevent.spawn(control.play_to, UUID, ["/srv/a.wav"])
    until(lambda: bool(switch.said("sendmsg")))
    switch.lines[-1].close()
    with pytest.raises(SwitchLost):
        playing.get(timeout=DEADLINE_S)
