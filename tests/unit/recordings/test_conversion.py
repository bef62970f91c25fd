"""Uploads converted in a process of their own, with bounds on what it may take."""

from __future__ import annotations

import os
import select
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engine.domain.prompt import ConverterBusy, UnusableSound, Upload
from recordings.conversion import LIMITS, Limits, convert
from recordings.prompt_files import PromptDirectory
from recordings.prompts import ConversionFailed, EmptyPrompt, PromptTooLong, UnreadablePrompt, normalise
from tests.unit.recordings.audio import file, tone

WAV = file(tone(44100, 440), 44100)
M4A = b"\0\0\0\x20ftypM4A " + bytes(100)


@pytest.fixture
def ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in ffmpeg's place, still to be written."""
    program = tmp_path / "ffmpeg"
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return program


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module in the place of one that the program imports, still to be written."""
    module = tmp_path / "soundfile.py"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return module


@pytest.mark.req("R23")
def test_a_prompt_is_the_same_as_without_bounds() -> None:
    loud = file(np.clip(tone(44100, 440, loudness=2), -1, 1), 44100)
    made = convert(loud)
    assert made == normalise(loud)
    assert made.warnings


@pytest.mark.req("R23")
def test_refusals_come_with_their_kind_and_words() -> None:
    with pytest.raises(UnreadablePrompt, match="no sound file"):
        convert(b"text")
    with pytest.raises(EmptyPrompt, match="nothing to hear"):
        convert(file(tone(8000, 440, loudness=0), 8000))
    with pytest.raises(PromptTooLong, match=r"0\.5 s at most"):
        convert(WAV, longest_s=0.5)


@pytest.mark.req("R23")
def test_an_upload_that_takes_too_much_memory_is_refused(
    broken: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken.write_text(f"bytearray({LIMITS.memory_bytes}); open({str(tmp_path / 'got')!r}, 'w')")
    with pytest.raises(ConversionFailed, match="takes more memory than a prompt may; upload WAV, FLAC, Ogg or MP3"):
        convert(WAV)
    assert not (tmp_path / "got").exists()
    assert "a conversion ended with 1: MemoryError" in caplog.text


@pytest.mark.req("R23")
def test_computing_without_end_is_stopped(broken: Path) -> None:
    broken.write_text("while True: pass")
    with pytest.raises(ConversionFailed, match="more than 1 s of computing"):
        convert(WAV, limits=Limits(cpu_s=1))


def test_a_converter_that_breaks_is_told(broken: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken.write_text("import os; os.abort()")
    with pytest.raises(ConversionFailed, match="breaks the converter"):
        convert(WAV)
    assert "a conversion ended with -6" in caplog.text


def test_the_converter_gets_none_of_our_secrets(
    broken: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CALLWRIGHT_API_KEY", "secret")
    broken.write_text("import os; raise SystemExit(' '.join(os.environ))")
    with pytest.raises(ConversionFailed):
        convert(WAV)
    assert "TMPDIR" in caplog.text
    assert "CALLWRIGHT_API_KEY" not in caplog.text


@pytest.mark.req("R23")
def test_an_upload_that_hangs_is_stopped_and_meanwhile_nobody_waits_for_good(
    ffmpeg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    os.mkfifo(tmp_path / "alive")
    code = f"import signal; alive = open({str(tmp_path / 'alive')!r}, 'w'); print(1, file=alive, flush=True)"
    ffmpeg.write_text(f"#!{sys.executable}\n{code}; signal.pause()\n")
    alive = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(convert, M4A, limits=Limits(longest_s=6))
        assert select.select([alive], [], [], 10)[0]
        assert os.read(alive, 2) == b"1\n"
        with pytest.raises(ConverterBusy, match="Try again in a minute"):
            convert(WAV, limits=Limits(turn_s=0.1))
        with pytest.raises(ConversionFailed, match="longer than 6 s to convert"):
            hanging.result()
    assert select.select([alive], [], [], 10)[0]
    assert os.read(alive, 2) == b""  # nobody has it open any more: ffmpeg is gone as well
    os.close(alive)
    assert list(scratch.iterdir()) == []
    assert convert(WAV).wav


def test_those_who_upload_hear_before_they_give_up() -> None:
    assert LIMITS.turn_s + LIMITS.longest_s < 60
    assert LIMITS.cpu_s < LIMITS.longest_s


def test_uploads_are_converted_within_bounds(tmp_path: Path, ffmpeg: Path) -> None:
    prompts = PromptDirectory(tmp_path / "prompts")
    ffmpeg.write_text("#!/bin/sh\nulimit -v > " + str(tmp_path / "limit") + "\nexit 1\n")
    with pytest.raises(UnusableSound, match="ffmpeg can't read this file"):
        prompts.add("welcome", "cs", Upload(M4A, "a.m4a", "jana", 1))
    assert (tmp_path / "limit").read_text().strip() == str(LIMITS.memory_bytes // 1024)
