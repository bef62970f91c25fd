"""The event socket's protocol. The texts are those of FreeSWITCH 1.11.3-dev, asked with the same commands."""

from __future__ import annotations

import asyncio
import json

import pytest

from labswitch.controller import Controller
from labswitch.esl import ControlServer
from labswitch.event import Event, encode
from labswitch.virtual import VirtualParty, local_pair
from tests.unit.labswitch_core.stage import Stage, run, talks


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("plain-text_1.0/2,3!~*()'$", "plain-text_1.0/2,3!~*()'$"),
        ("+420 601", "%2B420%20601"),
        ("x%0Avariable_ua: evil", "x%0Avariable_ua%3A%20evil"),
        ("100%", "100%25"),
        ("%zz %0g %4", "%25zz%20%250g%20%254"),
        ("%0a", "%250a"),
        ("Žluť", "%C5%BDlu%C5%A5"),
        ("a\r\nb", "a%0D%0Ab"),
        ('<"&[]{}|\\^`>', "%3C%22%26%5B%5D%7B%7D%7C%5C%5E%60%3E"),
    ],
)
def test_encoding_leaves_alone_what_is_encoded_already(value: str, encoded: str) -> None:
    assert encode(value) == encoded


def test_an_event_as_plain_text_and_as_json() -> None:
    event = Event("BACKGROUND_JOB", [("Event-Name", "BACKGROUND_JOB"), ("Empty", ""), ("Job-Command", "a b")], "+OK\n")
    assert event.plain() == (
        b"Event-Name: BACKGROUND_JOB\nEmpty: _undef_\nJob-Command: a%20b\nContent-Length: 4\n\n+OK\n"
    )
    assert json.loads(event.json()) == {
        "Event-Name": "BACKGROUND_JOB",
        "Empty": "",
        "Job-Command": "a b",
        "Content-Length": "4",
        "_body": "+OK\n",
    }
    assert Event("DTMF", [("Event-Name", "DTMF")]).plain() == b"Event-Name: DTMF\n\n"


ON_A_CALL = [
    ("nosuch", "-ERR command not found"),
    ("event", "-ERR no keywords supplied"),
    ("event plain", "-ERR no keywords supplied"),
    ("event plain NOSUCH", "-ERR no keywords supplied"),
    ("event plain CUSTOM a b", "+OK event listener enabled plain"),
    ("nixevent", "-ERR no keywords supplied"),
    ("nixevent CUSTOM a", "+OK events nixed"),
    ("nixevent ALL", "+OK events nixed"),
    ("noevents", "+OK no longer listening for events"),
    ("noevents", "-ERR not listening for events"),
    ("filter", "-ERR command not found"),
    ("filter x", "-ERR invalid syntax"),
    ("filter delete all", "+OK filter deleted. [all][]"),
    ("filter delete Unique-ID", "+OK filter deleted. [Unique-ID][]"),
    ("filter Unique-ID 1", "+OK filter added. [Unique-ID]=[1]"),
    ("linger", "+OK will linger"),
    ("linger 5", "+OK will linger 5 seconds"),
    ("nolinger", "+OK will not linger"),
    ("getvar direction", "inbound"),
    ("getvar nosuch", "-ERR command not found"),
    ("myevents", "+OK Events Enabled"),
    ("myevents", "-ERR aready enabled."),
    ("divert_events", "-ERR missing value."),
    ("divert_events on", "+OK events diverted"),
    ("sendmsg nosuch\ncall-command: hangup", "-ERR invalid session id [nosuch]"),
    ("log", "+OK log level  [7]"),
    ("log 3", "+OK log level 3 [3]"),
    ("nolog", "+OK no longer logging"),
    ("resume", "+OK"),
    ("auth x", "-ERR command not found"),
    ("exit", "+OK bye"),
]


def test_what_an_outbound_socket_answers() -> None:
    async def test(stage: Stage) -> None:
        _, _, engine = await stage.call()
        for command, reply in ON_A_CALL:
            assert (await engine.ask(command)).headers["Reply-Text"] == reply, command

    run(test)


def test_what_a_control_connection_answers() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control()
        for command, reply in [
            ("connect", "-ERR command not found"),
            ("getvar x", "-ERR command not found"),
            ("resume", "-ERR command not found"),
            ("linger", "-ERR not controlling a session"),
            ("nolinger", "-ERR not controlling a session"),
            ("divert_events on", "-ERR not controlling a session."),
            ("myevents nosuch", "+OK Events Enabled"),
            ("bgapi status\nJob-UUID: j", "+OK Job-UUID: j"),
        ]:
            assert (await control.ask(command)).headers["Reply-Text"] == reply, command

    run(test)


API = [
    ("uuid_bridge U nosuch", "-ERR Invalid uuid\n"),
    ("uuid_bridge", "-USAGE: <uuid> <other_uuid>\n"),
    ("uuid_getvar nosuch x", "-ERR No such channel!\n"),
    ("uuid_getvar U nosuch", "_undef_"),
    ("uuid_getvar", "-USAGE: <uuid> <var>\n"),
    ("uuid_setvar nosuch a b", "-ERR No such channel!\n"),
    ("uuid_setvar U aa bb", "+OK\n"),
    ("uuid_getvar U aa", "bb"),
    ("uuid_setvar_multi U a=1;b=2", "+OK\n"),
    ("uuid_setvar_multi nosuch a=1", "-ERR No such channel!\n-USAGE: <uuid> <var>=<value>;<var>=<value>...\n"),
    ("uuid_break nosuch", "-ERR No such channel!\n"),
    ("uuid_break U all", "+OK\n"),
    ("uuid_hold nosuch", "+OK Success\n"),
    ("uuid_hold U", "+OK Success\n"),
    ("uuid_hold U", "-ERR Operation failed\n"),
    ("uuid_hold off U", "+OK Success\n"),
    ("uuid_hold toggle U", "+OK Success\n"),
    ("uuid_record U stop /x.flac", "-ERR Cannot stop record session!\n"),
    ("uuid_record U unmask /x.flac", "-ERR Cannot unmask recording session!\n"),
    ("uuid_record nosuch start /x.wav", "-ERR Cannot locate session!\n"),
    ("uuid_record", "-USAGE: <uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]\n"),
    ("uuid_transfer nosuch 100", "-ERR No such channel!\n"),
    ("uuid_transfer", "-USAGE: <uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]\n"),
    ("uuid_broadcast nosuch x", "-ERR invalid uuid\n"),
    ("uuid_broadcast U x both", "+OK Message sent\n"),
    ("uuid_kill nosuch", "-ERR No such channel!\n"),
    ("uuid_dump nosuch", "-ERR No such channel!\n"),
    ("uuid_exists", "false"),
    ("uuid_exists U", "true"),
    ("uuid_answer nosuch", "-ERROR\n"),
    ("uuid_ring_ready nosuch", "-ERROR\n"),
    ("uuid_ring_ready U", "+OK\n"),
    ("uuid_pre_answer nosuch", "-ERROR\n"),
    ("uuid_pre_answer U", "+OK\n"),
    ("uuid_answer U", "+OK\n"),
    ("uuid_send_dtmf U 1", "+OK U sent DTMF 1.\n"),
    ("uuid_send_dtmf nosuch 1", "-ERR Cannot locate session!\n"),
    ("uuid_recv_dtmf U 1", "+OK U received DTMF 1.\n"),
    ("uuid_park nosuch", "-ERR No such channel!\n"),
    ("show channels count", "\n1 total.\n"),
    ("fsctl sps", "+OK sessions per second: 1000\n"),
    ("fsctl max_sessions", "+OK max sessions: 1000\n"),
    ("fsctl pause", "+OK\n"),
    ("fsctl resume", "+OK\n"),
    ("sofia_contact alice@example.org", "error/user_not_registered"),
    ("global_getvar nosuch", "-ERR no reply\n"),
    ("echo hi", "hi"),
    ("nosuchapi", "-ERR nosuchapi Command not found!\n"),
    ("originate error/user_busy &park()", "-ERR USER_BUSY\n"),
    ("originate user/nobody@example.org &park()", "-ERR SUBSCRIBER_ABSENT\n"),
    ("originate sofia/internal/alice%example.org &park()", "-ERR USER_NOT_REGISTERED\n"),
    ("originate sofia/gateway/x/1 &park()", "-ERR INVALID_GATEWAY\n"),
    ("originate nosuch/1 &park()", "-ERR CHAN_NOT_IMPLEMENTED\n"),
    ("originate {originate_timeout=1}sofia/internal/ring@127.0.0.1 &park()", "-ERR NO_ANSWER\n"),
    ("originate sofia/internal/busy@127.0.0.1 &park()", "-ERR USER_BUSY\n"),
    ("originate {leg_timeout=5}sofia/internal/nowhere@127.0.0.1 &park()", "-ERR NORMAL_TEMPORARY_FAILURE\n"),
    ("hupall", "+OK hangup all channels with cause MANAGER_REQUEST\n"),
    ("uuid_exists U", "false"),
]


def test_what_api_commands_answer() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control("BACKGROUND_JOB")
        _, channel, _ = await stage.call()
        for command, text in API:
            answer = await control.ask(f"api {command.replace('U', channel.uuid)}")
            assert answer.body.replace(channel.uuid, "U") == text, command

    parties = {
        "ring": lambda: VirtualParty([("ring",)]),
        "busy": lambda: VirtualParty([("after_ms", 5), ("refuse", "USER_BUSY")]),
    }
    run(test, parties=parties)


def test_show_channels_and_calls_as_json() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control()
        assert (await control.ask("api show channels as json")).body == '{"row_count": 0}\n'
        _, channel, _ = await stage.call()
        await stage.agent(control)
        await control.ask(f"api uuid_bridge {channel.uuid} agent")
        await control.event("CHANNEL_BRIDGE")
        await asyncio.sleep(0.1)
        rows = json.loads((await control.ask("api show channels as json")).body)
        assert rows["row_count"] == 2
        member = next(row for row in rows["rows"] if row["uuid"] == channel.uuid)
        assert (member["state"], member["callstate"], member["application"]) == (
            "CS_SOFT_EXECUTE",
            "ACTIVE",
            "uuid_bridge",
        )
        calls = json.loads((await control.ask("api show calls as json")).body)["rows"]
        assert [(call["uuid"], call["b_uuid"]) for call in calls] == [(channel.uuid, "agent")]

    run(test, parties={"agent": talks()})


def test_a_filter_lets_through_what_it_names_and_minus_keeps_out() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control("CHANNEL_CREATE CHANNEL_ANSWER")
        await control.ask("filter Call-Direction inbound")
        await control.ask("filter Event-Name -CHANNEL_ANSWER")
        await stage.control()
        await stage.call()
        await control.ask("api originate sofia/internal/agent@127.0.0.1 &park()")
        assert [frame.name for frame in control.frames if frame.name] == ["CHANNEL_CREATE"]
        await control.ask("filter delete all")
        await control.ask("filter Caller-Destination-Number /^age/")
        await control.ask("api originate sofia/internal/agent@127.0.0.1 &park()")
        assert [frame.name for frame in control.frames if frame.name] == ["CHANNEL_CREATE"] * 2 + ["CHANNEL_ANSWER"]

    run(test, parties={"agent": talks()})


def test_myevents_shows_one_channel_and_its_jobs() -> None:
    async def test(stage: Stage) -> None:
        await stage.call()
        _, channel = stage.ring()
        engine = await stage.engines.get()
        await engine.ask("connect")
        await engine.ask("myevents")
        await engine.ask("event plain BACKGROUND_JOB PLAYBACK_START")
        stage.ring()
        await engine.ask("bgapi status")
        await engine.event("BACKGROUND_JOB", Job_Owner_UUID=channel.uuid)
        await asyncio.sleep(1)
        assert {frame.value("Unique-ID") for frame in engine.frames if frame.name} <= {channel.uuid, ""}

    run(test)


def test_json_events() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control("CHANNEL_CREATE")
        assert (await control.ask("event json CHANNEL_CREATE")).headers[
            "Reply-Text"
        ] == "+OK event listener enabled json"
        stage.ring()
        frame = await control.wait_for(lambda f: f.kind == "text/event-json")
        assert json.loads(frame.body)["Caller-Caller-ID-Number"] == "+420601234567"

    run(test)


def test_nothing_goes_before_the_password_and_a_wrong_one_ends_it() -> None:
    async def test(stage: Stage) -> None:
        here, there = await local_pair()
        serving = asyncio.get_running_loop().create_task(ControlServer(stage.switch).serve(*here))
        control = Controller(there)
        assert (await control.ask("api hupall")).headers["Reply-Text"] == "-ERR invalid"
        await control.ended()
        await serving
        assert control.frames[-1].body.startswith("Disconnected, goodbye.")

    run(test)


def test_a_socket_without_full_knows_its_own_call_only() -> None:
    async def test(stage: Stage) -> None:
        stage.ring()
        engine = await stage.engines.get()
        await engine.ask("connect")
        for command in ("api status", "bgapi status", "event plain ALL", "linger 5"):
            assert (await engine.ask(command)).headers["Reply-Text"] == "-ERR command not found"
        assert (await engine.ask("myevents")).headers["Reply-Text"] == "+OK Events Enabled"

    dialplan = (
        '<context name="public"><extension name="a"><condition><action application="socket" data="engine:1 async"/>'
        "</condition></extension></context>"
    )
    run(test, dialplan=dialplan)


def test_a_body_is_the_argument_of_an_application() -> None:
    async def test(stage: Stage) -> None:
        _, channel, engine = await stage.call()
        block = "sendmsg\ncall-command: execute\nexecute-app-name: set\nEvent-UUID: s\ncontent-type: text/plain\n"
        engine.send(f"{block}content-length: 5\n\na=b c")
        await engine.completed("s")
        assert channel.get("a") == "b c"

    run(test)


def test_sendmsg_hangup_and_heartbeat() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control()
        _, channel, _ = await stage.call()
        assert (await control.ask(f"sendmsg {channel.uuid}\ncall-command: hangup\nhangup-cause: 21")).headers[
            "Reply-Text"
        ] == "+OK"
        assert (await stage.over(control, channel.uuid)).value("Hangup-Cause") == "CALL_REJECTED"
        stage.switch.start_heartbeat()
        assert (await control.event("HEARTBEAT")).value("Session-Since-Startup") == "1"

    run(test)


def test_hold_is_told_and_summed_up() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control()
        hold = (("wait_answer",), ("after_ms", 500), ("hold",), ("after_ms", 700), ("unhold",))
        _, channel, _ = await stage.call(*hold)
        assert (await control.event("CHANNEL_HOLD")).value("Channel-Call-State") == "HELD"
        assert (await control.event("CHANNEL_UNHOLD")).value("Channel-Call-State") == "UNHELD"
        channel.hangup("NORMAL_CLEARING")
        assert (await stage.over(control, channel.uuid)).value("variable_hold_accum_ms") == "700"

    run(test)
