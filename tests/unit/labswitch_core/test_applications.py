"""Applications as FreeSWITCH runs them: inside each other, under a lock, ended by keys."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
import soundfile

from labswitch.controller import Controller
from labswitch.virtual import VirtualParty
from tests.unit.labswitch_core.stage import Stage, executed, run, talks


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """`short.wav` (1 s) and `long.wav` (6 s), in a tone that can be told apart from silence."""
    for name, seconds in (("short", 1), ("long", 6)):
        tone = (8000 * np.sin(np.arange(8000 * seconds) / 3)).astype(np.int16)
        soundfile.write(tmp_path / f"{name}.wav", tone, 8000)
    return tmp_path


def order(engine: Controller) -> list[str]:
    """Beginnings and ends of what was executed, by Event-UUID."""
    found = []
    for frame in engine.frames:
        if frame.name in {"CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE"} and len(frame.value("Application-UUID")) < 20:
            found.append(("-" if frame.name.endswith("COMPLETE") else "+") + frame.value("Application-UUID"))
    return found[2:]


def test_without_a_lock_the_next_runs_inside_the_first(sounds: Path) -> None:
    async def test(stage: Stage) -> None:
        _, _, engine = await stage.call()
        for name in "abc":
            engine.execute("playback", "short.wav", name)
        await engine.completed("a")
        assert order(engine) == ["+a", "+b", "+c", "-c", "-b", "-a"]

    run(test, sounds=sounds)


def test_with_a_lock_they_wait_for_each_other(sounds: Path) -> None:
    async def test(stage: Stage) -> None:
        _, _, engine = await stage.call()
        for name in "abc":
            engine.execute("playback", "short.wav", name, lock=True)
        await engine.completed("c")
        assert order(engine) == ["+a", "-a", "+b", "-b", "+c", "-c"]

    run(test, sounds=sounds)


def test_a_hangup_behind_a_menu_ends_it_unless_locked(sounds: Path) -> None:
    async def test(stage: Stage) -> None:
        _, channel, engine = await stage.call()
        engine.execute("play_and_get_digits", "1 1 1 5000 # long.wav silence_stream://20 x [0-9]", "menu")
        engine.execute("hangup", "USER_BUSY", "end")
        assert (await stage.over(engine, channel.uuid)).value("Hangup-Cause") == "USER_BUSY"
        assert order(engine)[:4] == ["+menu", "+end", "-end", "-menu"]

    run(test, sounds=sounds)


def test_break_ends_the_application_around_it(sounds: Path) -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control()
        _, channel, engine = await stage.call()
        engine.execute("playback", "long.wav", "first")
        await engine.event("PLAYBACK_START")
        engine.execute("break", "", "stop")
        assert (await engine.completed("first")).value("Application-Response") == "FILE PLAYED"
        engine.execute("playback", "long.wav", "second")
        await engine.wait_for(lambda frame: frame.name == "PLAYBACK_START", count=2)
        assert (await control.ask(f"api uuid_break {channel.uuid} all")).body == "+OK\n"
        await engine.completed("second", 1)
        stopped = [f.value("Playback-Status") for f in engine.frames if f.name == "PLAYBACK_STOP"]
        assert stopped == ["break", "break"]

    run(test, sounds=sounds)


def test_loops_repeat_what_lasts(sounds: Path) -> None:
    async def test(stage: Stage) -> None:
        _, _, engine = await stage.call()
        engine.send("sendmsg\ncall-command: execute\nexecute-app-name: playback\nloops: 2\nexecute-app-arg: short.wav")
        await engine.wait_for(lambda f: f.name == "PLAYBACK_STOP", count=2)
        engine.send("sendmsg\ncall-command: execute\nexecute-app-name: set\nloops: 9\nexecute-app-arg: a=1")
        engine.execute("set", "b=1", "done")
        await engine.completed("done")
        assert executed(engine) == ["answer", "playback", "playback", "set", "set"]

    run(test, sounds=sounds)


@pytest.mark.parametrize(
    ("terminators", "keys", "used"),
    [(None, "5*", "*"), ("#", "*#", "#"), ("any", "7", "7"), ("none", "123*#", None)],
)
def test_playback_terminators(sounds: Path, terminators: str | None, keys: str, used: str | None) -> None:
    async def test(stage: Stage) -> None:
        _, channel, engine = await stage.call(("wait_answer",), ("after_ms", 500), ("press", keys))
        if terminators:
            engine.execute("set", f"playback_terminators={terminators}")
        engine.execute("playback", "short.wav", "prompt")
        began = await engine.event("PLAYBACK_START")
        ended = await engine.completed("prompt")
        assert channel.get("playback_terminator_used") == used
        assert (ended.at_s - began.at_s < 0.9) == (used is not None)
        assert [f.value("DTMF-Digit") for f in engine.frames if f.name == "DTMF"] == list(keys)

    run(test, sounds=sounds)


@pytest.mark.parametrize(
    ("arguments", "keys", "collected", "result"),
    [
        ("1 1 1 1000 # {p} silence_stream://20 x [0-9]", "3", "3", "success"),
        ("2 4 1 1000 # {p} silence_stream://20 x \\d+ 500", "12", "12", "timeout"),
        ("2 4 1 1000 # {p} silence_stream://20 x \\d+ 500", "123#4", "123", "success"),
        ("2 4 1 1000 # {p} silence_stream://20 x \\d+ 500", "1", "1", "failure"),
        ("1 1 1 1000 # {p} silence_stream://20 x ^[12]$", "3", None, "success"),
        ("0 4 1 1000 # {p} silence_stream://20 x \\d+", "#", None, "success"),
        ("1 3 1 1000 # silence_stream://20 silence_stream://20 x \\d+ 400", "", None, "failure"),
        ("1 1 1 1000 # /missing.wav silence_stream://20 x \\d", "", None, None),
    ],
)
def test_play_and_get_digits(
    sounds: Path, arguments: str, keys: str, collected: str | None, result: str | None
) -> None:
    async def test(stage: Stage) -> None:
        _, channel, engine = await stage.call(("wait_answer",), ("after_ms", 300), ("press", keys))
        engine.execute("play_and_get_digits", arguments.format(p="short.wav"), "menu")
        await engine.completed("menu")
        assert (channel.get("x"), channel.get("read_result")) == (collected, result)

    run(test, sounds=sounds)


def test_what_does_not_match_is_kept_apart_and_the_menu_repeats(sounds: Path) -> None:
    async def test(stage: Stage) -> None:
        keys = [("wait_answer",), ("after_ms", 300), ("press", "9"), ("after_ms", 1500), ("press", "1")]
        _, channel, engine = await stage.call(*keys)
        engine.execute("play_and_get_digits", "1 1 3 2000 # silence_stream://100 short.wav x ^1$", "menu")
        await engine.completed("menu")
        assert (channel.get("x"), channel.get("x_invalid")) == ("1", "9")
        played = [f.value("Playback-File-Path") for f in engine.frames if f.name == "PLAYBACK_START"]
        assert played == ["silence_stream://100", "short.wav", "silence_stream://100"]

    run(test, sounds=sounds)


def test_transfer_on_failure(sounds: Path) -> None:
    async def test(stage: Stage) -> None:
        _, channel, engine = await stage.call()
        engine.execute("play_and_get_digits", "1 1 1 1000 # silence silence_stream://20 x [0-9] 1000 'back XML public'")
        await stage.take(channel.uuid)
        assert channel.profile.destination_number == "back"

    run(test, sounds=sounds)


def test_keys_typed_ahead_wait_for_the_menu_and_end_a_sleep(sounds: Path) -> None:
    async def test(stage: Stage) -> None:
        _, channel, engine = await stage.call(("wait_answer",), ("after_ms", 300), ("press", "12"))
        engine.execute("sleep", "5000", "sleep", lock=True)
        engine.execute("play_and_get_digits", "2 2 1 1000 # long.wav silence_stream://20 x \\d\\d", "menu", lock=True)
        slept, done = await engine.completed("sleep"), await engine.completed("menu")
        assert channel.get("x") == "12"
        assert slept.at_s < 0.5
        assert done.at_s < 0.6

    run(test, sounds=sounds)


def test_park_timeout_ends_the_call_with_its_cause() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control()
        variables = "{park_timeout=30:ALLOTTED_TIMEOUT}"
        await control.ask(f"bgapi originate {variables}sofia/internal/agent@127.0.0.1 &park()")
        parked = await control.event("CHANNEL_PARK")
        ended = await control.event("CHANNEL_HANGUP", limit_s=60)
        assert ended.value("Hangup-Cause") == "ALLOTTED_TIMEOUT"
        assert 29.9 < ended.at_s - parked.at_s < 30.2

    run(test, parties={"agent": talks()})


def test_variables(sounds: Path) -> None:
    async def test(stage: Stage) -> None:
        _, channel, engine = await stage.call()
        engine.execute("multiset", "^^;a=1;b=x y;c=", "m")
        engine.execute("set", "d=${a}-${caller_id_number}-${b:2}-${nothing}", "d", lock=True)
        engine.execute("unset", "a", lock=True)
        engine.execute("export", "nolocal:e=5", lock=True)
        engine.execute("bridge", "[f=6]sofia/internal/agent@127.0.0.1", "bridge", lock=True)
        await engine.event("CHANNEL_BRIDGE")
        agent = stage.switch.channels[channel.get("bridge_uuid") or ""]
        assert channel.get("d") == "1-+420601234567-y-"
        assert (channel.get("a"), channel.get("b"), channel.get("c"), channel.get("e")) == (None, "x y", None, None)
        assert (agent.get("e"), agent.get("f")) == ("5", "6")

    run(test, sounds=sounds, parties={"agent": talks()})


def test_no_shell_is_ever_run() -> None:
    async def test(stage: Stage) -> None:
        _, channel, engine = await stage.call()
        engine.execute("set", "evil=x${system(touch /tmp/evil)}y", "evil")
        await engine.completed("evil")
        assert channel.get("evil") == "xy"

    run(test)


def test_send_dtmf_and_queue_dtmf() -> None:
    async def test(stage: Stage) -> None:
        caller, _, engine = await stage.call()
        engine.execute("send_dtmf", "1w2@60", "send")
        await engine.completed("send")
        assert caller.keys_heard == "12"
        engine.execute("queue_dtmf", "7")
        await engine.event("DTMF", DTMF_Digit="7", DTMF_Source="APP")

    run(test)


@pytest.mark.parametrize(
    ("rule", "goes_on"),
    [("", False), ("true", True), ("USER_BUSY,NO_ANSWER", True), ("17", True), ("NO_ANSWER", False)],
)
def test_continue_on_fail(rule: str, goes_on: bool) -> None:
    async def test(stage: Stage) -> None:
        stage.legs.parties["busy"] = lambda: VirtualParty([("after_ms", 5), ("refuse", "USER_BUSY")])
        _, channel, engine = await stage.call()
        engine.execute("set", f"continue_on_fail={rule}", "rule")
        engine.execute("bridge", "sofia/internal/busy@127.0.0.1", "bridge", lock=True)
        done = await engine.completed("bridge")
        assert done.value("variable_originate_disposition") == "USER_BUSY"
        assert channel.up == goes_on
        if not goes_on:
            assert channel.hangup_cause == "USER_BUSY"

    run(test)


def test_pre_answer_comes_by_itself_before_sound(sounds: Path) -> None:
    async def test(stage: Stage) -> None:
        caller, channel = stage.ring()
        engine = await stage.take(channel.uuid)
        engine.execute("ring_ready", "", "ring")
        await engine.completed("ring")
        engine.execute("playback", "short.wav", "play")
        await engine.completed("play")
        assert executed(engine) == ["ring_ready", "playback"]
        assert channel.answer_state == "early"
        assert [f.name for f in engine.frames if f.name.startswith("CHANNEL_PROGRESS")] == [
            "CHANNEL_PROGRESS",
            "CHANNEL_PROGRESS_MEDIA",
        ]
        assert any(frame.strip(b"\0") for frame in caller.heard)

    run(test, sounds=sounds)


def test_echo() -> None:
    async def test(stage: Stage) -> None:
        caller, _, engine = await stage.call(("wait_answer",), ("say_ms", 400))
        engine.execute("echo", "", "echo")
        await asyncio.sleep(1)
        engine.execute("break")
        await engine.completed("echo")
        assert 15 <= sum(loud([frame]) for frame in caller.heard) <= 20

    run(test)


def test_a_supervisor_hears_both_and_whispers_to_one() -> None:
    speaks = talks(("say_ms", 60_000))

    async def test(stage: Stage) -> None:
        control = await stage.control()
        caller, member, engine = await stage.call()
        await stage.agent(control)
        await control.ask(f"api uuid_bridge {member.uuid} agent")
        await control.event("CHANNEL_BRIDGE")
        boss_line = "{eavesdrop_enable_dtmf=true}sofia/internal/boss@127.0.0.1"
        await control.ask(f"bgapi originate {boss_line} &eavesdrop({member.uuid})")
        await control.event("CHANNEL_EXECUTE", Application="eavesdrop")
        agent, boss = (party for _, _, party in stage.legs.called)
        await asyncio.sleep(1)
        assert loud(boss.heard[-20:])
        assert loud(caller.heard[-20:])
        assert not loud(agent.heard[-20:])
        for key, agent_hears in (("2", True), ("1", False), ("3", True), ("0", False)):
            boss.listener.on_dtmf(key, 100, "rfc2833")
            await asyncio.sleep(1)
            assert loud(agent.heard[-20:]) == agent_hears
        await engine.close()

    run(test, parties={"agent": speaks, "boss": speaks})


def loud(frames: list[bytes]) -> bool:
    """Whether anything was said in these frames."""
    return any(frame.strip(b"\0") for frame in frames)
