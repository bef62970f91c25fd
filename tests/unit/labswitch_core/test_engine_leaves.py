"""What becomes of a call whose engine goes away, refuses, or never speaks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import soundfile

from tests.unit.labswitch_core.stage import Stage, executed, run


def test_hosts_are_tried_in_turn() -> None:
    async def test(stage: Stage) -> None:
        stage.refuse = {"one", "two"}
        _, channel = stage.ring()
        engine = await stage.take(channel.uuid)
        assert engine.frames[0].value("variable_socket_host") == "three"

    run(test, dialplan=_calls('<action application="socket" data="one:1|two:2|three:3 async full"/>'))


def test_when_all_refuse_the_dialplan_goes_on_with_the_call_unanswered() -> None:
    async def test(stage: Stage) -> None:
        stage.refuse = {"engine", "second"}
        control = await stage.control()
        caller, channel = stage.ring()
        ended = await stage.over(control, channel.uuid)
        assert ended.value("Hangup-Cause") == "USER_BUSY"
        assert ended.value("variable_sip_hangup_disposition") == "send_refuse"
        assert caller.end is not None

    run(test)


def test_an_engine_that_leaves_while_a_prompt_plays(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.zeros(6 * 8000, np.int16), 8000)

    async def test(stage: Stage) -> None:
        control = await stage.control()
        _, channel, engine = await stage.call()
        engine.execute("playback", "long.wav")
        began = await control.event("PLAYBACK_START")
        await asyncio.sleep(1)
        await engine.close()
        second = await stage.take(channel.uuid)
        assert 5.9 < second.frames[0].at_s - began.at_s < 6.2
        assert channel.get("after") == "socket"

    run(test, sounds=tmp_path)


def test_with_socket_resume_the_prompt_is_broken_off(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.zeros(6 * 8000, np.int16), 8000)

    async def test(stage: Stage) -> None:
        control = await stage.control()
        _, channel, engine = await stage.call()
        await engine.ask("resume")
        engine.execute("playback", "long.wav")
        began = await control.event("PLAYBACK_START")
        await engine.close()
        second = await stage.take(channel.uuid)
        assert second.frames[0].at_s - began.at_s < 0.2

    run(test, sounds=tmp_path)


def test_what_was_queued_under_a_lock_is_still_done(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.zeros(8000, np.int16), 8000)

    async def test(stage: Stage) -> None:
        _, channel, engine = await stage.call()
        engine.execute("playback", "long.wav", lock=True)
        engine.execute("set", "late=1", lock=True)
        await engine.event("PLAYBACK_START")
        await engine.close()
        await stage.take(channel.uuid)
        assert channel.get("late") == "1"

    run(test, sounds=tmp_path)


def test_an_engine_that_leaves_before_it_connects_leaves_the_caller_parked_for_ever() -> None:
    """As a real FreeSWITCH does (tried): the park begins after the listener is gone, and nothing ends it."""

    async def test(stage: Stage) -> None:
        control = await stage.control()
        _, channel = stage.ring()
        await (await stage.engines.get()).close()
        await control.event("CHANNEL_PARK")
        await asyncio.sleep(300)
        assert channel.up
        assert executed(control) == ["socket"]

    run(test)


def test_an_engine_that_leaves_right_after_it_connected_lets_the_dialplan_go_on() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control()
        _, channel = stage.ring()
        engine = await stage.engines.get()
        await engine.ask("connect")
        await control.event("CHANNEL_PARK")
        await engine.close()
        await stage.take(channel.uuid)
        assert channel.get("after") == "socket"

    run(test)


def test_an_old_socket_that_closes_ends_the_park_of_the_new_one() -> None:
    """As a real FreeSWITCH does (tried): a listener that ends lets go of the channel, whoever controls it by then."""

    async def test(stage: Stage) -> None:
        control = await stage.control()
        _, channel, old = await stage.call()
        await control.ask(f"api uuid_transfer {channel.uuid} back XML public")
        new = await stage.take(channel.uuid)
        await control.wait_for(lambda frame: frame.name == "CHANNEL_PARK", count=2)
        await old.close()
        ended = await stage.over(new, channel.uuid)
        assert ended.value("Hangup-Cause") == "CALL_REJECTED"

    run(test)


def test_an_engine_that_says_nothing_is_cut_off_after_25_s() -> None:
    async def test(stage: Stage) -> None:
        stage.ring()
        engine = await stage.engines.get()
        await engine.ended()
        assert [frame.kind for frame in engine.frames] == ["text/disconnect-notice"]
        assert 24.9 < engine.frames[0].at_s < 25.5

    run(test)


def test_linger_holds_the_channel_and_no_linger_hides_the_last_event() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control()
        _, channel, engine = await stage.call()
        await engine.ask("linger")
        channel.hangup("NORMAL_CLEARING")
        await stage.over(engine, channel.uuid)
        await asyncio.sleep(100)
        assert channel.uuid in stage.switch.channels
        assert (await control.ask(f"api uuid_exists {channel.uuid}")).body == "false"
        engine.execute("set", "late=1")
        engine.send("exit")
        await engine.ended()
        assert [f.headers.get("Reply-Text") for f in engine.frames[-3:-1]] == ["+OK", "+OK bye"]
        await control.event("CHANNEL_DESTROY")

        _, second, engine = await stage.call()
        await engine.ask("nolinger")
        second.hangup("NORMAL_CLEARING")
        await engine.ended()
        assert [f.name or f.value("Content-Disposition") for f in engine.frames][-2:] == ["CHANNEL_STATE", "disconnect"]

    run(test)


_WATCHED = """<context name="public">
  <extension name="call"><condition field="destination_number" expression="^100$">
    <action application="sched_transfer" data="+8 again XML public"/>
    <action application="socket" data="engine:1 async full"/>
    <action application="sched_cancel"/>
    <action application="set" data="after=socket"/>
    <action application="sleep" data="20000"/>
    <action application="hangup" data="CALL_REJECTED"/>
  </condition></extension>
  <extension name="again"><condition field="destination_number" expression="^again$">
    <action application="socket" data="second:2 async full"/>
  </condition></extension>
</context>"""


def test_a_watchdog_takes_the_call_from_an_engine_that_left_before_it_connected() -> None:
    async def test(stage: Stage) -> None:
        _, channel = stage.ring()
        await (await stage.engines.get()).close()
        second = await stage.take(channel.uuid)
        assert 7.9 < second.frames[0].at_s < 8.5
        assert second.frames[0].value("Caller-Destination-Number") == "again"

    run(test, dialplan=_WATCHED)


def test_an_engine_that_took_the_call_ends_the_watchdog() -> None:
    async def test(stage: Stage) -> None:
        _, channel, engine = await stage.call()
        assert (await engine.ask(f"api sched_del {channel.uuid}")).body == "+OK Deleted: 1\n"
        assert (await engine.ask(f"api sched_del {channel.uuid}")).body == "+OK Deleted: 0\n"
        await asyncio.sleep(30)
        assert channel.up
        assert stage.engines.empty()

    run(test, dialplan=_WATCHED)


def test_the_dialplan_ends_the_watchdog_when_nobody_took_the_call() -> None:
    async def test(stage: Stage) -> None:
        stage.refuse = {"engine"}
        control = await stage.control()
        _, channel = stage.ring()
        ended = await stage.over(control, channel.uuid)
        assert ended.value("Hangup-Cause") == "CALL_REJECTED"
        assert stage.engines.empty()

    run(test, dialplan=_WATCHED)


def _calls(actions: str) -> str:
    return (
        '<context name="public"><extension name="call"><condition field="destination_number" expression="^100$">'
        f"{actions}</condition></extension></context>"
    )
