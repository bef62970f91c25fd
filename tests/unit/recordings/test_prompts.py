from __future__ import annotations

import contextlib
import io
import shutil
import struct
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.prompts import (
    LARGEST_BYTES,
    EmptyPrompt,
    PromptError,
    PromptTooLong,
    UnreadablePrompt,
    normalise,
)
from tests.unit.recordings.audio import file, speech, tone

REFUSED_WITHIN_S = 2.0


@pytest.mark.req("R23")
def test_both_channels_are_heard() -> None:
    both = np.stack([tone(8000, 500), tone(8000, 1500)], axis=1)
    samples, _ = soundfile.read(io.BytesIO(normalise(file(both, 8000)).wav))
    spectrum = np.abs(np.fft.rfft(samples[240:8240]))
    assert min(spectrum[500], spectrum[1500]) > 300


@pytest.mark.req("R23")
@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF"])
def test_usual_formats_are_read(kind: str) -> None:
    prompt = normalise(file(tone(44100, 440), 44100, kind))
    assert abs(prompt.duration_ms - 1060) < 60
    assert (prompt.source_format, prompt.source_rate_hz, prompt.warnings) == (kind, 44100, ())


WAV = file(tone(8000, 440), 8000)


def lying_about_its_length() -> bytes:
    """A WAV header that tells of 4 GB."""
    return WAV[:40] + struct.pack("<I", 0xFFFFFFF0) + WAV[44:]


@pytest.mark.req("R23")
@pytest.mark.parametrize(
    ("data", "fault", "words"),
    [
        (b"", UnreadablePrompt, "no sound file"),
        (b"Hello, this is a text.", UnreadablePrompt, "no sound file"),
        (b"<!doctype html><html><body>404</body></html>" * 100, UnreadablePrompt, "no sound file"),
        (b"PK\x03\x04" + bytes(5000), UnreadablePrompt, "no sound file"),
        (b"%PDF-1.7\n" + bytes(5000), UnreadablePrompt, "no sound file"),
        (b"#EXTM3U\nfile:///etc/passwd\n", UnreadablePrompt, "no sound file"),
        (b"RIFF\xff\xff\xff\xffWAVE", UnreadablePrompt, "no sound file"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(24), UnreadablePrompt, "no sound file"),
        (WAV[:44], EmptyPrompt, "nothing to hear"),
        (b"fLaC" + bytes(2000), UnreadablePrompt, "no sound file"),
        (b"OggS" + bytes(2000), UnreadablePrompt, "no sound file"),
        (b"ID3\x04" + bytes(2000), UnreadablePrompt, "no sound file"),
        (file(np.zeros(8000), 8000), EmptyPrompt, "nothing to hear"),
        (file(np.full(8000, 1e-4), 8000), EmptyPrompt, "nothing to hear"),
        (file(np.full(8000, 0.3), 8000), EmptyPrompt, "nothing to hear"),
        (file(np.full(44100, -0.9), 44100), EmptyPrompt, "nothing to hear"),
        (file(tone(200000, 440), 200000), UnreadablePrompt, "200000 Hz"),
        (file(np.stack([tone(8000, 440)] * 9, axis=1), 8000), UnreadablePrompt, "9 channels"),
        (bytes(LARGEST_BYTES + 1), PromptTooLong, "50 MB at most"),
        (file(np.zeros(8000 * 601), 8000, "FLAC"), PromptTooLong, "600 s at most"),
    ],
)
def test_what_is_no_prompt_is_refused_quickly_and_in_words(data: bytes, fault: type[PromptError], words: str) -> None:
    began = time.monotonic()
    with pytest.raises(fault, match=words):
        normalise(data)
    assert time.monotonic() - began < REFUSED_WITHIN_S


def test_samples_that_are_no_numbers_are_refused() -> None:
    out = io.BytesIO()
    soundfile.write(out, np.array([0.5, np.inf, np.nan] * 100, dtype="float32"), 8000, format="WAV", subtype="FLOAT")
    with pytest.raises(UnreadablePrompt, match="no numbers"):
        normalise(out.getvalue())


def test_what_lies_about_its_length_is_read_to_its_end() -> None:
    assert normalise(lying_about_its_length()).duration_ms == normalise(WAV).duration_ms


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([b"", b"RIFF", b"fLaC", b"OggS", b"ID3\x03", b"\xff\xfb\x90", b".snd", b"FORM", WAV[:60]]),
    st.binary(max_size=400),
)
def test_nothing_but_a_prompt_error_comes_of_garbage(head: bytes, rest: bytes) -> None:
    with contextlib.suppress(PromptError):
        assert normalise(head + rest).wav


@pytest.mark.req("R23")
def test_clipping_is_reported() -> None:
    warnings = normalise(file(np.clip(tone(8000, 200, loudness=3), -1, 1), 8000)).warnings
    assert warnings[0].startswith("clipped in 400 places")
    assert not normalise(file(tone(8000, 200, loudness=0.99), 8000)).warnings


@pytest.mark.req("R23")
def test_long_silence_is_reported() -> None:
    samples = np.concatenate([tone(8000, 440), np.zeros(8000 * 5), tone(8000, 440)])
    (warning,) = normalise(file(samples, 8000)).warnings
    assert warning.startswith("silent for 5.0 s in the middle")


@pytest.mark.req("R23")
def test_a_whisper_and_a_single_bang_are_reported() -> None:
    (quiet,) = normalise(file(tone(8000, 440, loudness=0.005), 8000)).warnings
    assert quiet.startswith("very quiet: made ")
    assert not normalise(file(speech(1), 8000)).warnings
    bang = tone(8000, 440, loudness=0.02, seconds=2)
    bang[8000] = 0.9
    (peaks,) = normalise(file(bang, 8000)).warnings
    assert peaks.startswith("stays quiet")


def test_a_dull_source_is_reported() -> None:
    (warning,) = normalise(file(tone(6000, 440), 6000)).warnings
    assert warning.startswith("only 6000 Hz")


FFMPEG = """#!{python}
import sys
arguments = sys.argv[1:]
options = dict(zip(arguments, arguments[1:]))
assert arguments.index("-f") < arguments.index("-i"), arguments
assert arguments[arguments.index("-f") + 1] == {demuxer!r}, arguments
assert options["-t"] == "601", arguments
assert sys.stdin.read() == ""
assert open(options["-i"], "rb").read() == {content!r}
open(arguments[-1], "wb").write(open({sound!r}, "rb").read())
"""
M4A = b"\0\0\0\x20ftypM4A " + bytes(100)
ASF = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(100)
ADTS = b"\xff\xf1\x50\x80" + bytes(100)
WEBM = b"\x1a\x45\xdf\xa3" + bytes(100)


def program(path: Path, code: str) -> None:
    path.write_text(f"#!{sys.executable}\n{code}" if not code.startswith("#!") else code)
    path.chmod(0o755)


@pytest.mark.req("R23")
@pytest.mark.parametrize(
    ("content", "demuxer"),
    [
        (M4A, "mp4"),
        (ASF, "asf"),
        (b"#!AMR\n" + bytes(100), "amr"),
        (ADTS, "aac"),
        (b"ID3\x04\0\0\0\0\x01\x02" + bytes(130) + ADTS, "aac"),
        (WEBM, "matroska"),
    ],
)
def test_formats_of_telephones_go_through_ffmpeg_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, demuxer: str
) -> None:
    """ffmpeg gets the format and a file; there is no ffprobe here, which would guess."""
    (tmp_path / "decoded").write_bytes(file(tone(44100, 440), 44100))
    sound = str(tmp_path / "decoded")
    program(tmp_path / "ffmpeg", FFMPEG.format(python=sys.executable, demuxer=demuxer, content=content, sound=sound))
    monkeypatch.setenv("PATH", str(tmp_path))
    prompt = normalise(content)
    assert (prompt.source_format, prompt.source_rate_hz, prompt.duration_ms // 100) == (demuxer, 44100, 10)


@pytest.mark.req("R23")
@pytest.mark.parametrize(
    ("code", "fault", "words"),
    [
        ("raise SystemExit(1)", UnreadablePrompt, "ffmpeg can't read this file"),
        ("pass", UnreadablePrompt, "ffmpeg can't read this file"),
        ("#!/nowhere/python", UnreadablePrompt, "ffmpeg can't be run here"),
    ],
)
def test_an_ffmpeg_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, fault: type[PromptError], words: str
) -> None:
    program(tmp_path / "ffmpeg", code)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(fault, match=words):
        normalise(M4A)


@pytest.mark.req("R23")
def test_formats_of_telephones_without_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnreadablePrompt, match="need ffmpeg on this machine; upload WAV, FLAC, Ogg or MP3"):
        normalise(b"#!AMR\n" + bytes(100))


needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None,
    reason="ffmpeg is not here: its formats are tried with a program in its place only (apt-get install ffmpeg)",
)


def by_ffmpeg(folder: Path, ending: str, *options: str) -> bytes:
    """Three seconds of a tone, as ffmpeg writes files of this ending."""
    (folder / "a.wav").write_bytes(file(tone(48000, 440, seconds=3), 48000))
    target = folder / f"a.{ending}"
    subprocess.run(["ffmpeg", "-loglevel", "error", "-i", str(folder / "a.wav"), *options, str(target)], check=True)
    return target.read_bytes()


@needs_ffmpeg
@pytest.mark.req("R23")
@pytest.mark.parametrize(
    ("ending", "demuxer"), [("m4a", "mp4"), ("aac", "aac"), ("webm", "matroska"), ("wma", "asf"), ("mka", "matroska")]
)
def test_real_files_that_only_ffmpeg_reads(tmp_path: Path, ending: str, demuxer: str) -> None:
    prompt = normalise(by_ffmpeg(tmp_path, ending))
    assert (prompt.source_format, prompt.source_rate_hz, prompt.warnings) == (demuxer, 48000, ())
    assert abs(prompt.duration_ms - 3060) < 150


@needs_ffmpeg
@pytest.mark.req("R23")
def test_a_real_m4a_that_is_too_long_or_torn_off(tmp_path: Path) -> None:
    content = by_ffmpeg(tmp_path, "m4a")
    with pytest.raises(PromptTooLong, match="1 s at most"):
        normalise(content, longest_s=1)
    with pytest.raises(UnreadablePrompt, match="ffmpeg can't read this file"):
        normalise(content[: len(content) // 3])


@pytest.mark.req("R23")
def test_what_is_held_of_an_upload_does_not_grow_with_its_rate_and_channels() -> None:
    """A minute of eight channels at 96 kHz: 184 MB of samples as they are read, 4 MB at 8 kHz."""
    out = io.BytesIO()
    second = np.tile((8000 * tone(96000, 440)).astype(np.int16)[:, None], (1, 8))
    with soundfile.SoundFile(out, "w", 96000, 8, "PCM_16", format="FLAC", compression_level=0.0) as flac:
        for _ in range(60):
            flac.write(second)
    upload = out.getvalue()
    normalise(WAV)  # what is imported on the way isn't counted
    tracemalloc.start()
    try:
        prompt = normalise(upload)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert prompt.duration_ms == 60060
    assert peak < 50_000_000
