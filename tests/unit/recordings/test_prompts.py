from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from recordings.prompts import EmptyPrompt, PromptError, PromptTooLong, UnreadablePrompt, normalise, resample


def sound(rate: int, *tones: int, seconds: float = 1.0, loudness: float = 0.4) -> np.ndarray:
    times = np.arange(int(rate * seconds)) / rate
    return np.asarray(sum(loudness * np.sin(2 * np.pi * tone * times) for tone in tones))


def upload(samples: np.ndarray, rate: int, kind: str = "WAV") -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format=kind)
    return out.getvalue()


def played(wav: bytes) -> np.ndarray:
    with soundfile.SoundFile(io.BytesIO(wav)) as file:
        assert (file.samplerate, file.channels, file.format, file.subtype) == (8000, 1, "WAV", "PCM_16")
        return np.asarray(file.read())


@pytest.mark.req("R23")
@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
def test_a_tone_comes_through_at_its_pitch_and_loudness(rate: int) -> None:
    got = played(normalise(upload(sound(rate, 1000), rate)).wav)
    assert len(got) == 8000
    error = (got - sound(8000, 1000))[300:-300]
    assert np.abs(error).max() < 0.001


@pytest.mark.req("R23")
def test_what_a_telephone_can_not_carry_is_filtered_out_and_not_folded_back() -> None:
    got = played(normalise(upload(sound(48000, 1000, 7000), 48000)).wav)
    spectrum = np.abs(np.fft.rfft(got))
    assert spectrum[1000] > 1000
    assert np.delete(spectrum, range(990, 1011)).max() < 5


@pytest.mark.req("R23")
def test_both_channels_are_heard() -> None:
    both = np.stack([sound(8000, 500), sound(8000, 1500)], axis=1)
    spectrum = np.abs(np.fft.rfft(played(normalise(upload(both, 8000)).wav)))
    assert min(spectrum[500], spectrum[1500]) > 700


@pytest.mark.req("R23")
@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "AU"])
def test_usual_formats_are_read(kind: str) -> None:
    prompt = normalise(upload(sound(44100, 440), 44100, kind))
    assert abs(prompt.duration_ms - 1000) < 60


def test_the_loudest_sound_is_not_distorted() -> None:
    square = np.sign(sound(48000, 300))
    got = played(normalise(upload(square * 0.999, 48000)).wav)
    assert np.abs(got).max() <= 1.0
    assert np.abs(np.diff(got)).max() < 1.9  # clipped samples that wrapped around would jump from end to end


@pytest.mark.parametrize(
    ("data", "fault", "words"),
    [
        (b"", UnreadablePrompt, "no sound file"),
        (upload(np.zeros(8000), 8000), EmptyPrompt, "nothing to hear"),
        (upload(sound(200000, 440), 200000), UnreadablePrompt, "200000 Hz"),
    ],
    ids=["nothing", "silence", "rate"],
)
def test_what_is_no_prompt_is_refused_in_words(data: bytes, fault: type[PromptError], words: str) -> None:
    with pytest.raises(fault, match=words):
        normalise(data)


def test_a_prompt_has_a_longest_length() -> None:
    data = upload(sound(8000, 440, seconds=2), 8000)
    with pytest.raises(PromptTooLong, match="1 s at most"):
        normalise(data, longest_s=1)


def test_the_shortest_sound_is_resampled() -> None:
    assert len(resample(np.ones(1), 44100)) == 1


def test_a_prompt_is_replaced_at_once(tmp_path: Path) -> None:
    target = tmp_path / "cs" / "welcome.wav"
    for tone in (300, 600):
        prompt = normalise(upload(sound(8000, tone), 8000))
        prompt.write(target)
        assert target.read_bytes() == prompt.wav
    assert [path.name for path in target.parent.iterdir()] == ["welcome.wav"]
    assert target.stat().st_mode & 0o777 == 0o644


FFMPEG = """#!{python}
import sys
arguments = sys.argv[1:]
assert arguments[arguments.index("-f") + 1] == "mp4", arguments
assert arguments[-1] == "-", arguments
sys.stdout.buffer.write(open({sound!r}, "rb").read())
"""


@pytest.mark.req("R23")
def test_formats_of_telephones_go_through_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "decoded.wav").write_bytes(upload(sound(44100, 440), 44100))
    program = tmp_path / "ffmpeg"
    program.write_text(FFMPEG.format(python=sys.executable, sound=str(tmp_path / "decoded.wav")))
    program.chmod(0o755)
    probe = tmp_path / "ffprobe"
    probe.write_text(f"#!{sys.executable}\nprint('{{}}')\n")
    probe.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    prompt = normalise(b"\0\0\0\x20ftypM4A " + bytes(100))
    assert abs(prompt.duration_ms - 1000) < 5
    program.write_text(f"#!{sys.executable}\nraise SystemExit(1)\n")
    with pytest.raises(UnreadablePrompt, match="ffmpeg can't read this file"):
        normalise(b"\0\0\0\x20ftypM4A " + bytes(100))


@pytest.mark.req("R23")
def test_formats_of_telephones_without_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnreadablePrompt, match="need ffmpeg on this machine"):
        normalise(b"#!AMR\n" + bytes(100))
