"""Where sounds are, and which way a text is made heard: the customer's voice, the library's, or the speech engine."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from engine.session.media import MediaPaths
from engine.session.speech import Unspoken
from ivr_flows import library, say
from ivr_flows.instructions import Pause, PromptFile, Spoken, Tone
from ivr_flows.say.voice import manifest


@dataclass
class FakeSpeaker:
    """Speaks everything but what is to fail."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    passing: list[str] = field(default_factory=list)
    """What is not to be kept."""

    def file(self, text: str, language: str, *, keep: bool = True) -> Path:
        self.asked.append((text, language))
        if not keep:
            self.passing.append(text)
        if "fail" in text:
            raise Unspoken("not spoken within 5 s")
        return Path(f"/speech/{len(self.asked)}.wav")


@pytest.fixture
def speaker() -> FakeSpeaker:
    return FakeSpeaker()


@pytest.fixture
def media(tmp_path: Path, speaker: FakeSpeaker) -> MediaPaths:
    return MediaPaths(tmp_path, library.prompts_dir(), speaker)


def record_voice(directory: Path, content: dict[str, Any], at: int = 1, without: tuple[str, ...] = ()) -> None:
    """The manifest, and the files of all its pieces but those `without` one."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "manifest.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    os.utime(file, (at, at))
    for piece, each in content.get("pieces", {}).items():
        if piece not in without:
            (directory / each["file"]).write_bytes(b"RIFF")


def test_prompts_tones_and_pauses(media: MediaPaths, tmp_path: Path) -> None:
    closed = PromptFile("general/cs/closed.wav")
    assert media.sources([PromptFile("welcome/cs.wav"), closed, Tone((425,), 1000, 4000, 0), Pause(200)]) == [
        f"{tmp_path}/welcome/cs.wav",
        f"{library.prompts_dir()}/general/cs/closed.wav",
        "tone_stream://%(1000,4000,425);loops=-1",
        "silence_stream://200",
    ]


@pytest.mark.req("R22")
def test_recorded_pieces_need_no_speech_engine(media: MediaPaths, speaker: FakeSpeaker) -> None:
    sources = media.sources([say.position(3, "cs")])
    voice = library.prompts_dir() / "say" / "cs"
    assert sources == [f"{voice}/{piece}.wav" for piece in ("you-are", "ordinal-3", "in-the-queue")]
    assert all(Path(source).is_file() for source in sources)
    assert speaker.asked == []


@pytest.mark.req("R22")
def test_the_customers_voice_comes_first_where_it_has_every_piece(media: MediaPaths, tmp_path: Path) -> None:
    content = manifest("jana", "cs")
    del content["pieces"]["30"]
    content["pieces"]["20"]["file"] = "dvacet.wav"
    own = tmp_path / "voices" / "cs"
    record_voice(own, content)
    assert media.sources([say.number(21, "cs")]) == [f"{own}/dvacet.wav", f"{own}/1.wav"]
    theirs = library.prompts_dir() / "say" / "cs"
    assert media.sources([say.number(31, "cs")]) == [f"{theirs}/30.wav", f"{theirs}/1.wav"]


@pytest.mark.req("R22")
def test_a_voice_is_used_file_by_file_as_it_is_recorded(media: MediaPaths, tmp_path: Path) -> None:
    own, theirs = tmp_path / "voices" / "cs", library.prompts_dir() / "say" / "cs"
    record_voice(own, manifest("jana", "cs"), without=("1",))
    assert media.sources([say.number(21, "cs")]) == [f"{theirs}/20.wav", f"{theirs}/1.wav"]
    assert media.sources([say.number(22, "cs")]) == [f"{own}/20.wav", f"{own}/2.wav"]
    before = own.stat()
    (own / "1.wav").write_bytes(b"RIFF")
    os.utime(own, ns=(before.st_atime_ns, before.st_mtime_ns))  # as on a disk whose clock is coarse
    assert media.sources([say.number(21, "cs")]) == [f"{own}/20.wav", f"{own}/1.wav"]
    (own / "20.wav").unlink()
    assert media.sources([say.number(21, "cs")]) == [f"{theirs}/20.wav", f"{theirs}/1.wav"]


def test_a_piece_with_another_text_and_a_voice_of_another_language_are_not_used(
    media: MediaPaths, tmp_path: Path
) -> None:
    own, theirs = tmp_path / "voices" / "cs", library.prompts_dir() / "say" / "cs"
    content = manifest("jana", "cs")
    content["pieces"]["5"]["text"] = "pětka"
    record_voice(own, content)
    assert media.sources([say.number(5, "cs"), say.number(6, "cs")]) == [f"{theirs}/5.wav", f"{own}/6.wav"]
    record_voice(own, manifest("jane", "en"), at=2)
    assert media.sources([say.number(6, "cs")]) == [f"{theirs}/6.wav"]


def test_a_voice_that_was_changed_is_read_again(media: MediaPaths, tmp_path: Path) -> None:
    own = tmp_path / "voices" / "cs"
    record_voice(own, manifest("jana", "cs"))
    assert media.sources([say.number(5, "cs")]) == [f"{own}/5.wav"]
    record_voice(own, {"schema": "broken"}, at=2)
    assert media.sources([say.number(5, "cs")]) == [f"{library.prompts_dir()}/say/cs/5.wav"]


@pytest.mark.req("R22")
def test_what_no_voice_has_recorded_is_spoken_as_a_whole(media: MediaPaths, speaker: FakeSpeaker) -> None:
    assert media.sources([Spoken("Máte 3 zprávy.", "cs"), say.ordinal(23_000, "cs")]) == [
        "/speech/1.wav",
        "/speech/2.wav",
    ]
    assert speaker.asked == [("Máte 3 zprávy.", "cs"), ("třiadvacetitisící", "cs")]


def test_the_speaker_is_told_what_is_not_to_be_kept(media: MediaPaths, speaker: FakeSpeaker) -> None:
    media.sources([Spoken("Dobrý den.", "cs"), Spoken("Dobrý den, Jano.", "cs", keep=False)])
    assert speaker.passing == ["Dobrý den, Jano."]


def test_what_can_not_be_spoken_is_a_fault_or_left_out(media: MediaPaths) -> None:
    with pytest.raises(Unspoken, match="not spoken within 5 s"):
        media.sources([Pause(1), Spoken("fail", "cs")])
    assert media.available([Pause(1), Spoken("fail", "cs"), Pause(2)]) == ["silence_stream://1", "silence_stream://2"]


def test_without_a_speech_process_it_is_told() -> None:
    with pytest.raises(Unspoken, match=r"all of a text of 4 characters \([0-9a-f]{8}\), and there is no speech engine"):
        MediaPaths(Path("/prompts"), Path("/library")).sources([Spoken("Ahoj", "cs")])
