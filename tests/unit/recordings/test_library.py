"""The recordings that come with the product, and how they are made."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import soundfile

from ivr_flows import library, say
from ivr_flows.say.voice import MANIFEST, Voice
from recordings import music, sound
from recordings.speech import make_library
from tests.unit.recordings.test_speech import FakeVoice

MUSIC = library.prompts_dir() / library.MUSIC.path


@pytest.mark.req("R22")
def test_every_piece_and_prompt_is_recorded_and_nothing_else_is() -> None:
    wanted = {library.MUSIC.path, *(path for path, _, _ in make_library.texts())}
    folder = library.prompts_dir()
    assert {file.relative_to(folder).as_posix() for file in folder.rglob("*.wav")} == wanted


@pytest.mark.req("R22")
@pytest.mark.parametrize("language", say.LANGUAGES)
def test_the_voice_lacks_nothing(language: str) -> None:
    folder = library.prompts_dir() / "say" / language
    voice = Voice.of(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    assert voice.language == language
    assert voice.faults({file.name for file in folder.iterdir()}) == []


def speech() -> list[Path]:
    return [file for file in library.prompts_dir().rglob("*.wav") if file != MUSIC]


def test_recordings_are_as_telephony_plays_them() -> None:
    for file in speech():
        samples, rate = soundfile.read(file, dtype="int16", always_2d=True)
        assert (rate, samples.shape[1], soundfile.info(file).subtype) == (8000, 1, "PCM_16"), file
        assert 0.2 < len(samples) / 8000 < 10, file
        assert 10000 < abs(samples.astype(int)).max() < 32767, file
    assert sum(file.stat().st_size for file in speech()) < 6_200_000


@pytest.mark.req("R30")
def test_the_music_is_below_speech_and_plays_again_and_again_without_a_click() -> None:
    samples, rate = soundfile.read(MUSIC, always_2d=True)
    assert (rate, samples.shape[1], soundfile.info(MUSIC).subtype) == (8000, 1, "PCM_16")
    assert 20 < len(samples) / rate < 40
    assert sound.loudness(samples[:, 0], rate) == pytest.approx(music.LOUDNESS_LUFS, abs=0.1)
    assert abs(samples).max() <= 10 ** (music.PEAK_DB / 20)
    seam = samples[[-2, -1, 0, 1], 0]
    assert abs(seam).max() < 0.001


def test_the_music_is_made_here() -> None:
    made, _ = soundfile.read(io.BytesIO(music.music()))
    kept, _ = soundfile.read(MUSIC)
    assert made == pytest.approx(kept, abs=0.001)  # another machine may round otherwise


@pytest.mark.req("R22", "R23")
def test_recordings_are_equally_loud() -> None:
    levels = {}
    for file in speech():
        samples, rate = soundfile.read(file)
        levels[file.name] = sound.loudness(samples, rate)
    assert {name: level for name, level in levels.items() if abs(level - sound.LOUDNESS_LUFS) > 1} == {}


def test_what_the_templates_play_is_recorded() -> None:
    for name in library.TEMPLATES:
        for sources in library.template(name)["prompts"].values():
            for path in sources.values():
                assert isinstance(path, dict) or (library.prompts_dir() / path).is_file(), path
    assert (library.prompts_dir() / library.prompt("apology", "cs").path).is_file()


def test_unknown_names_of_the_library() -> None:
    with pytest.raises(KeyError):
        library.template("../main")
    with pytest.raises(KeyError):
        library.prompt("apology", "de")


def test_only_what_is_missing_is_made(tmp_path: Path) -> None:
    kept = tmp_path / "say" / "cs" / "20.wav"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"a person's voice")
    voice = FakeVoice()
    assert make_library.make(tmp_path, {"cs": voice, "en": voice}) == len(
        list(make_library.texts())
    )  # but one, and the music
    assert (tmp_path / library.MUSIC.path).read_bytes() == music.music()
    assert kept.read_bytes() == b"a person's voice"
    assert make_library.make(tmp_path, {}) == 0
