"""What is heard, and what is recorded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
import soundfile

from labswitch.leg import SILENCE
from labswitch.sound import open_sound
from tests.unit.labswitch_core.stage import Stage, run, talks


def length_ms(name: str, base: Path) -> int:
    """How long a sound lasts."""
    sound = open_sound(name, base)
    count = 0
    while (frame := sound.read()) is not None:
        assert len(frame) == len(SILENCE)
        count += 1
    return count * 20


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """One second at three rates, one in stereo."""
    for name, rate, shape in (("a.wav", 8000, 8000), ("b.wav", 16000, 16000), ("c.flac", 48000, (48000, 2))):
        soundfile.write(tmp_path / name, np.full(shape, 0.25), rate)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "milliseconds"),
    [
        ("a.wav", 1000),
        ("b.wav", 1000),
        ("c.flac", 1000),
        ("{volume=1}a.wav", 1000),
        ("silence_stream://250", 260),
        ("tone_stream://%(200,100,400,450);loops=3", 900),
        ("tone_stream://%(100,0,400);%(50,50,500)", 200),
        ("file_string://a.wav!missing.wav!b.wav", 2000),
    ],
)
def test_sounds(files: Path, name: str, milliseconds: int) -> None:
    assert length_ms(name, files) == milliseconds


@pytest.mark.parametrize("name", ["missing.wav", "file_string://x!y", "local_stream://moh", "http://x/y.wav"])
def test_missing_sounds(files: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        open_sound(name, files)


def test_a_file_that_is_no_sound(files: Path) -> None:
    (files / "bad.wav").write_text("no sound")
    with pytest.raises(FileNotFoundError):
        open_sound("bad.wav", files)


def test_resampling_keeps_the_level(files: Path) -> None:
    for name in ("a.wav", "b.wav", "c.flac"):
        frame = open_sound(name, files).read()
        assert frame is not None
        assert np.frombuffer(frame, np.int16)[80] == pytest.approx(0.25 * 32768, abs=2)


def test_endless_ones_do_not_end() -> None:
    for name in ("silence_stream://-1", "tone_stream://%(100,100,440);loops=-1"):
        sound = open_sound(name, Path())
        assert all(sound.read() is not None for _ in range(1000))


def test_a_prompt_goes_on_where_it_was_left(files: Path) -> None:
    async def test(stage: Stage) -> None:
        _, channel, engine = await stage.call()
        engine.execute("playback", "a.wav@@6400", "rest")
        began = await engine.event("PLAYBACK_START")
        ended = await engine.completed("rest")
        assert ended.at_s - began.at_s == pytest.approx(0.2, abs=0.03)
        assert channel.get("playback_last_offset_pos") == "8000"

    run(test, sounds=files)


def levels(path: Path) -> tuple[np.ndarray, int]:
    """A recording's mean level in each tenth of a second and channel, and its number of channels."""
    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    assert rate == 8000
    whole = samples[: len(samples) // 800 * 800].astype(np.int32)
    return np.abs(whole).reshape(-1, 800, samples.shape[1]).mean(axis=1), samples.shape[1]


def test_stereo_has_the_caller_left_and_the_agent_right_over_a_bridge(tmp_path: Path) -> None:
    """And goes on over the bridge, the return and a mask, in one file."""
    path = tmp_path / "deep" / "r.flac"

    async def test(stage: Stage) -> None:
        script = (("wait_answer",), ("after_ms", 1000), ("say_ms", 500))
        _, member, engine = await stage.call(*script)
        engine.execute("multiset", "^^;RECORD_STEREO=true;hangup_after_bridge=false;park_after_bridge=true", lock=True)
        engine.execute("record_session", str(path), "r", lock=True)
        await engine.event("RECORD_START", Record_File_Path=str(path))
        control = await stage.control()
        await stage.agent(control)
        await control.ask(f"api uuid_bridge {member.uuid} agent")
        await engine.event("CHANNEL_UNBRIDGE")
        assert (await control.ask(f"api uuid_record {member.uuid} mask {path}")).body == "+OK Success\n"
        engine.execute("playback", "tone_stream://%(600,0,440)", "masked")
        await engine.completed("masked")
        await control.ask(f"api uuid_record {member.uuid} unmask {path}")
        engine.execute("playback", "tone_stream://%(600,0,440)", "heard")
        await engine.completed("heard")
        member.hangup("NORMAL_CLEARING")
        stopped = await engine.event("RECORD_STOP")
        assert stopped.value("Record-File-Path") == str(path)
        assert int(stopped.value("variable_record_ms")) == pytest.approx(soundfile.info(path).duration * 1000, abs=1)

    run(test, parties={"agent": talks(("after_ms", 2000), ("say_ms", 500), ("after_ms", 1000), ("hangup",))})
    found, channels = levels(path)
    assert channels == 2
    assert soundfile.info(path).subtype == "PCM_16"
    left, right = ([i for i, one in enumerate(found[:, side]) if one > 500] for side in (0, 1))
    assert left
    assert max(left) < min(right)
    assert len(left) == pytest.approx(5, abs=1)
    # Agent half a second, then 0.6 s of prompt after the mask; what was said under the mask is not there.
    assert len(right) == pytest.approx(11, abs=2)


def test_without_the_variable_and_with_it_in_braces_there_is_one_channel(tmp_path: Path) -> None:
    names = {tmp_path / "m.flac": f"{tmp_path}/m.flac", tmp_path / "n.wav": f"{{RECORD_STEREO=true}}{tmp_path}/n.wav"}

    async def test(stage: Stage) -> None:
        _, _, engine = await stage.call()
        for name in names.values():
            engine.execute("record_session", name, name, lock=True)
        await engine.completed(names[tmp_path / "n.wav"])
        await asyncio.sleep(1)
        engine.execute("stop_record_session", names[tmp_path / "m.flac"], "stop")
        await engine.completed("stop")
        engine.execute("hangup")
        await engine.event("RECORD_STOP", Record_File_Path=names[tmp_path / "n.wav"])

    run(test)
    assert [soundfile.info(path).channels for path in names] == [1, 1]


def test_it_is_written_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "g.flac"

    async def test(stage: Stage) -> None:
        _, _, engine = await stage.call(("wait_answer",), ("say_ms", 60_000))
        engine.execute("record_session", str(path), "r")
        await engine.completed("r")
        sizes = []
        for _ in range(3):
            await asyncio.sleep(3)
            sizes.append(path.stat().st_size)
        assert sizes[0] < sizes[1] < sizes[2]

    run(test)


def test_nothing_is_added_while_the_agent_holds(tmp_path: Path) -> None:
    path = tmp_path / "h.flac"

    async def test(stage: Stage) -> None:
        control = await stage.control()
        _, member, engine = await stage.call()
        engine.execute("record_session", str(path), "r")
        await engine.completed("r")
        await stage.agent(control)
        await control.ask(f"api uuid_bridge {member.uuid} agent")
        await control.event("CHANNEL_BRIDGE")
        await asyncio.sleep(1)
        before = member.recordings[str(path)].frames
        await control.ask("api uuid_hold agent")
        await asyncio.sleep(1)
        assert member.recordings[str(path)].frames - before <= 1
        await control.ask("api uuid_hold off agent")
        await asyncio.sleep(1)
        assert member.recordings[str(path)].frames - before == pytest.approx(50, abs=2)

    run(test, parties={"agent": talks()})


def test_a_recording_that_runs_is_not_begun_again(tmp_path: Path) -> None:
    """Measured on FreeSWITCH: the command is answered `+OK`, and the recording goes on."""
    path = tmp_path / "x.wav"

    async def test(stage: Stage) -> None:
        control = await stage.control()
        _, member, _ = await stage.call()
        start = f"api uuid_record {member.uuid} start {path}"
        assert (await control.ask(start)).body == "+OK Success\n"
        running = member.recordings[str(path)]
        assert (await control.ask(start)).body == "+OK Success\n"
        assert member.recordings == {str(path): running}

    run(test)


def test_a_recording_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def test(stage: Stage) -> None:
        control = await stage.control()
        _, member, engine = await stage.call()
        engine.execute("record_session", f"{tmp_path}/file/x.flac", "r")
        await engine.completed("r")
        bad = await control.ask(f"api uuid_record {member.uuid} start {tmp_path}/x.nosuchformat")
        assert bad.body == "-ERR Cannot record session!\n"
        assert not member.recordings
        assert member.up

    run(test)


def test_a_message_ends_by_key_silence_or_length(tmp_path: Path) -> None:
    async def test(stage: Stage) -> None:
        script = (("wait_answer",), ("say_ms", 1000), ("after_ms", 4000), ("press", "#"))
        _, channel, engine = await stage.call(*script)
        engine.execute("set", "playback_terminators=#", lock=True)
        engine.execute("record", f"{tmp_path}/silence.wav 60 200 1", "silence", lock=True)
        engine.execute("record", f"{tmp_path}/key.wav 60", "key", lock=True)
        await engine.completed("silence")
        await engine.completed("key")
        assert channel.get("playback_terminator_used") == "#"
        engine.execute("record", f"{tmp_path}/length.wav 2", "length")
        await engine.completed("length")

    run(test)
    lengths = {name: soundfile.info(tmp_path / f"{name}.wav").duration for name in ("silence", "key", "length")}
    assert lengths == pytest.approx({"silence": 2.0, "key": 2.0, "length": 2.0}, abs=0.1)
