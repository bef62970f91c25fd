from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from recordings import sound
from recordings.resampling import Resampler, resample
from tests.unit.recordings.audio import speech, tone


def played(wav: bytes) -> np.ndarray:
    with soundfile.SoundFile(io.BytesIO(wav)) as file:
        assert (file.samplerate, file.channels, file.format, file.subtype) == (8000, 1, "WAV", "PCM_16")
        return np.asarray(file.read())


@pytest.mark.req("R23")
@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
def test_a_tone_comes_through_at_its_pitch_and_loudness(rate: int) -> None:
    got = resample(tone(rate, 1000), rate)
    assert len(got) == 8000
    assert np.abs(got - tone(8000, 1000))[300:-300].max() < 0.001


@pytest.mark.req("R23")
def test_what_a_telephone_can_not_carry_is_filtered_out_and_not_folded_back() -> None:
    spectrum = np.abs(np.fft.rfft(resample(tone(48000, 1000, 7000), 48000)))
    assert spectrum[1000] > 1000
    assert np.delete(spectrum, range(990, 1011)).max() < 5


def test_the_shortest_sound_is_resampled_and_finished() -> None:
    assert len(resample(np.ones(1), 44100)) == 1
    assert sound.finish(np.array([0.5, -0.5]), 8000).duration_ms == 2 * sound.MARGIN_MS


def test_the_loudest_sound_is_not_distorted() -> None:
    got = played(sound.wav(resample(np.sign(tone(48000, 300)) * 0.999, 48000)))
    assert np.abs(got).max() <= 1.0
    assert np.abs(np.diff(got)).max() < 1.9  # clipped samples that wrapped around would jump from end to end


@pytest.mark.req("R23")
@pytest.mark.parametrize("level", [0.01, 0.1, 0.9])
def test_all_sounds_come_out_equally_loud(level: float) -> None:
    finished = sound.finish(tone(8000, 1000, loudness=level, seconds=2), 8000)
    assert finished.loudness_lufs == sound.LOUDNESS_LUFS
    assert abs(sound.loudness(played(finished.wav)) - sound.LOUDNESS_LUFS) < 0.3


def test_loudness_is_that_of_the_standard() -> None:
    """EBU Tech 3341, case 1: a sine of 1 kHz at -23 dBFS in both channels is -23 LUFS; in one it is 3 LU less."""
    amplitude = 10 ** (-23 / 20)
    assert abs(sound.loudness(tone(48000, 1000, loudness=amplitude, seconds=20), 48000) - -26.0) < 0.1


@pytest.mark.req("R23")
@pytest.mark.parametrize("seed", range(4))
def test_sounds_with_the_peaks_of_speech_are_levelled_too(seed: int) -> None:
    finished = sound.finish(speech(seed), 8000)
    heard = played(finished.wav)
    assert abs(sound.loudness(heard) - sound.LOUDNESS_LUFS) < 0.3
    assert abs(finished.loudness_lufs - sound.LOUDNESS_LUFS) < 0.3
    assert np.abs(heard).max() <= 10 ** (sound.PEAK_DB / 20) + 1e-4


def test_the_limiter_leaves_alone_what_is_far_from_a_peak() -> None:
    samples = tone(8000, 300, loudness=0.1, seconds=2)
    samples[8000:8040] *= 9
    limited = sound.limited(samples)
    assert 0.7 < np.abs(limited).max() <= 10 ** (sound.PEAK_DB / 20) * 1.000001
    quiet = np.r_[0:7680, 8360:16000]  # 40 ms away from it
    assert np.allclose(limited[quiet], samples[quiet], rtol=0, atol=1e-9)


def test_the_limiter_does_not_distort_a_voice() -> None:
    """A deep tone over the limit comes out quieter, and as the same tone: what is beside it is 50 dB below."""
    deep = np.concatenate([tone(8000, 100, loudness=0.1), tone(8000, 100, loudness=1.5)])
    limited = sound.limited(deep)
    spectrum = np.abs(np.fft.rfft(limited[8800:15200] * np.hanning(6400)))
    fundamental = 100 * 6400 // 8000
    assert spectrum.argmax() == fundamental
    assert np.delete(spectrum, range(fundamental - 4, fundamental + 5)).max() < spectrum[fundamental] / 300
    assert np.abs(limited).max() > 0.7


@pytest.mark.req("R23")
@pytest.mark.parametrize("rate", [8000, 44100])
def test_a_constant_offset_is_no_sound(rate: int) -> None:
    assert sound.is_silent(resample(np.full(rate, 0.3), rate))
    silence = np.zeros(rate // 2)
    samples = np.concatenate([silence, tone(rate, 500), silence]) + 0.2
    finished = sound.finish(samples, rate)
    assert abs(finished.trimmed_start_ms - 500) <= 3
    assert abs(finished.trimmed_end_ms - 500) <= 3
    assert abs(played(finished.wav).mean()) < 0.001


@pytest.mark.parametrize("rate", [4001, 11025, 44100, 96000])
def test_a_sound_in_pieces_is_resampled_like_the_whole(rate: int) -> None:
    whole = np.random.default_rng(3).standard_normal(100_000)
    resampler = Resampler(rate)
    pieces = [resampler.feed(piece) for piece in np.array_split(whole, [1, 2, 700, 5000, 5001, 70000])]
    assert np.allclose(np.concatenate([*pieces, resampler.rest()]), resample(whole, rate))


def test_a_single_peak_keeps_the_rest_quiet_rather_than_distorted() -> None:
    quiet = tone(8000, 1000, loudness=0.02, seconds=2)
    quiet[8000] = 1.0
    finished = sound.finish(quiet, 8000)
    assert np.abs(played(finished.wav)).max() <= 10 ** (sound.PEAK_DB / 20) + 1e-4
    assert finished.loudness_lufs < sound.LOUDNESS_LUFS - 10


@pytest.mark.req("R23")
def test_silence_at_both_ends_is_cut_off_and_inside_it_stays() -> None:
    silence = np.zeros(4000)
    speech = np.concatenate([tone(8000, 500, seconds=0.5), silence, tone(8000, 500, seconds=0.5)])
    finished = sound.finish(np.concatenate([silence, speech, silence, silence]), 8000)
    assert abs(finished.trimmed_start_ms - 500) <= 2
    assert abs(finished.trimmed_end_ms - 1000) <= 2
    assert abs(finished.duration_ms - 1500 - 2 * sound.MARGIN_MS) <= 3


def test_a_file_is_replaced_at_once(tmp_path: Path) -> None:
    target = tmp_path / "cs" / "welcome.wav"
    for content in (b"one", b"two"):
        sound.put(content, target)
        assert target.read_bytes() == content
    assert [path.name for path in target.parent.iterdir()] == ["welcome.wav"]
    assert target.stat().st_mode & 0o777 == 0o644
