"""Speech engines as processes of their own, and what they spoke, kept."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.domain.speech import read_voices, speech_file, voices_file
from recordings import sound
from recordings.speech.cache import SpeechCache
from recordings.speech.engines import Espeak, NoVoice, SpeechFailed, Voice, find_voices
from tests.unit.recordings.audio import file, tone


@dataclass
class FakeVoice:
    """A voice that beeps as long as the text is, and counts."""

    id: str = "fake-1"
    spoken: list[str] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None
    sound: Callable[[str], bytes] = lambda text: file(tone(22050, 440, seconds=len(text) / 20), 22050)

    def speak(self, text: str) -> bytes:
        self.spoken.append(text)
        self.meanwhile()
        return self.sound(text)


@pytest.fixture
def voice() -> FakeVoice:
    return FakeVoice()


@pytest.fixture
def cache(tmp_path: Path, voice: FakeVoice) -> SpeechCache:
    return SpeechCache(tmp_path, {"cs": voice})


class TestEspeak:
    @pytest.mark.req("R22", "R23")
    @pytest.mark.parametrize(
        ("language", "short", "long"),
        [
            ("cs", "Dobrý den.", "Dobrý den, jste třetí v pořadí, počkejte prosím několik minut."),
            ("en", "Hello.", "Hello, you are third in the queue, please wait for a few minutes."),
        ],
    )
    def test_it_speaks_czech_and_english(self, tmp_path: Path, language: str, short: str, long: str) -> None:
        cache = SpeechCache(tmp_path, find_voices())
        lengths = []
        for text in (short, long):
            samples, rate = soundfile.read(cache.file(text, language))
            lengths.append(len(samples) / rate)
            assert rate == 8000
            assert abs(sound.loudness(samples) - sound.LOUDNESS_LUFS) < 5
            assert np.abs(samples).max() <= 10 ** (sound.PEAK_DB / 20) + 1e-3
            assert np.abs(samples[:160]).max() < 0.01  # begins with a moment of silence
        assert 0.3 < lengths[0] < 2 < lengths[1] < 9

    def test_every_voice_speaks(self, tmp_path: Path) -> None:
        voices = find_voices()
        assert {"cs", "en", "de", "pl", "sk", "uk"} == set(voices)
        cache = SpeechCache(tmp_path, voices)
        assert all(soundfile.info(cache.file("1 2 3", language)).duration > 0.5 for language in voices)

    def test_the_same_text_sounds_the_same(self) -> None:
        voice = find_voices()["cs"]
        assert voice.speak("pět minut") == voice.speak("pět minut") != voice.speak("šest minut")

    def test_it_is_never_loaded_into_this_process(self) -> None:
        find_voices()["en"].speak("Hello.")
        assert "espeak" not in Path("/proc/self/maps").read_text(encoding="utf-8")
        assert "espeakng_loader" not in sys.modules

    @pytest.mark.parametrize(
        ("voice", "words"),
        [
            (Espeak("/nowhere/libespeak-ng.so", "", "0", "cs"), "libespeak-ng.so"),
            (Espeak("libc.so.6", "", "0", "cs"), "espeak_Initialize"),
        ],
    )
    def test_a_library_that_is_none_is_told(self, voice: Espeak, words: str) -> None:
        with pytest.raises(SpeechFailed, match=words):
            voice.speak("Ahoj")

    def test_a_voice_that_does_not_exist_is_told(self) -> None:
        found = find_voices()["cs"]
        assert isinstance(found, Espeak)
        with pytest.raises(SpeechFailed, match="espeak-ng has no voice xx"):
            Espeak(found.library, found.data, found.version, "xx").speak("Ahoj")


PIPER = """#!{python}
import shutil, sys
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
text = sys.stdin.read()
if "fail" in text:
    print("onnxruntime: cannot load", file=sys.stderr)
    raise SystemExit(3)
open({log!r}, "w").write(arguments["--model"] + "\\n" + text)
if "silent" not in text:
    shutil.copy({sound!r}, arguments["--output_file"])
"""


class TestPiper:
    """With a program in its place that takes the same arguments (piper-tts 1.8.0)."""

    @pytest.fixture
    def voices(self, tmp_path: Path) -> dict[str, Voice]:
        (tmp_path / "spoken.wav").write_bytes(file(tone(22050, 440, seconds=2), 22050))
        program = tmp_path / "piper"
        paths = {"log": str(tmp_path / "log"), "sound": str(tmp_path / "spoken.wav")}
        program.write_text(PIPER.format(python=sys.executable, **paths))
        program.chmod(0o755)
        models = tmp_path / "voices"
        models.mkdir()
        for name in ("cs_CZ-jirka-medium.onnx", "de_DE-incomplete-low.onnx"):
            (models / name).write_bytes(b"")
        (models / "cs_CZ-jirka-medium.onnx.json").write_text(json.dumps({"audio": {"sample_rate": 22050}}))
        return find_voices(models, str(program))

    def test_it_speaks_the_languages_of_its_voices_and_espeak_the_others(self, voices: dict[str, Voice]) -> None:
        assert voices["cs"].id.startswith("piper-cs-CZ-jirka-medium-")
        assert voices["en"].id.startswith("espeak-ng-")
        assert voices["de"].id.startswith("espeak-ng-")

    def test_it_is_given_the_text_and_the_model(self, tmp_path: Path, voices: dict[str, Voice]) -> None:
        samples, rate = soundfile.read(SpeechCache(tmp_path, voices).file("Dobrý den.", "cs"))
        assert abs(len(samples) / rate - 2.06) < 0.02
        model, text = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
        assert (Path(model).name, text) == ("cs_CZ-jirka-medium.onnx", "Dobrý den.")

    def test_what_it_says_when_it_fails_is_told(self, voices: dict[str, Voice]) -> None:
        with pytest.raises(SpeechFailed, match="piper: onnxruntime: cannot load"):
            voices["cs"].speak("fail")
        with pytest.raises(SpeechFailed, match=r"piper wrote no sound for a text of 6 characters \("):
            voices["cs"].speak("silent")

    def test_a_voice_that_is_replaced_is_another_one(self, tmp_path: Path, voices: dict[str, Voice]) -> None:
        before = voices["cs"].id
        os.utime(tmp_path / "voices" / "cs_CZ-jirka-medium.onnx", (1, 1))
        assert voices["cs"].id != before


class TestCache:
    def test_a_text_is_spoken_once(self, cache: SpeechCache, voice: FakeVoice, tmp_path: Path) -> None:
        first = cache.file("Dobrý den.", "cs")
        assert cache.file("  Dobrý\n den. ", "cs") == first == speech_file(tmp_path, "cs", "fake-1", "Dobrý den.")
        assert voice.spoken == ["Dobrý den."]

    def test_another_voice_is_another_file(self, cache: SpeechCache, tmp_path: Path) -> None:
        newer = SpeechCache(tmp_path, {"cs": FakeVoice("fake-2")})
        assert newer.file("Ahoj", "cs") != cache.file("Ahoj", "cs")

    def test_those_who_want_the_same_text_at_once_get_one(self, cache: SpeechCache, voice: FakeVoice) -> None:
        began, go_on = threading.Event(), threading.Event()

        def meanwhile() -> None:
            began.set()
            assert go_on.wait(5)

        voice.meanwhile = meanwhile
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(cache.file, "Dobrý den.", "cs") for _ in range(8)]
            assert began.wait(5)
            go_on.set()
            assert len({each.result() for each in asked}) == 1
        assert voice.spoken == ["Dobrý den."]

    def test_a_failure_leaves_no_file_and_the_next_one_tries_again(
        self, cache: SpeechCache, voice: FakeVoice, tmp_path: Path
    ) -> None:
        for broken in (b"", b"no sound", file(np.zeros(8000), 8000)):
            voice.sound = lambda text, content=broken: content  # type: ignore[misc]
            with pytest.raises(SpeechFailed, match="fake-1"):
                cache.file("Ahoj", "cs")
        assert not list(tmp_path.rglob("*.wav"))
        voice.sound = FakeVoice.sound
        assert cache.file("Ahoj", "cs").is_file()

    def test_a_language_without_a_voice(self, cache: SpeechCache) -> None:
        with pytest.raises(NoVoice, match="speaks 'pl'; languages with a voice: cs"):
            cache.file("Dzień dobry", "pl")

    def test_who_looks_for_files_is_told_the_voices(self, cache: SpeechCache, tmp_path: Path) -> None:
        cache.announce_voices()
        assert read_voices(voices_file(tmp_path).read_text(encoding="utf-8")) == {"cs": "fake-1"}

    def test_what_nobody_uses_is_deleted(self, cache: SpeechCache) -> None:
        old, new = cache.file("old", "cs"), cache.file("new", "cs")
        long_ago = time.time() - 1000
        os.utime(old, (long_ago, long_ago))
        assert cache.prune(unused_s=900) == 1
        assert (old.exists(), new.exists()) == (False, True)

    def test_what_is_not_to_be_kept_is_deleted_by_itself(self, cache: SpeechCache) -> None:
        kept, passing = cache.file("same", "cs"), cache.file("same", "cs", keep=False)
        long_ago = time.time() - 1000
        for path in (kept, passing):
            os.utime(path, (long_ago, long_ago))
        assert cache.prune(unused_s=900, keep=False) == 1
        assert (kept.exists(), passing.exists()) == (True, False)

    def test_faults_do_not_quote_the_text(self, cache: SpeechCache, voice: FakeVoice) -> None:
        for broken in (b"no sound", file(np.zeros(8000), 8000)):
            voice.sound = lambda text, content=broken: content  # type: ignore[misc]
            with pytest.raises(SpeechFailed, match=r"a text of 13 characters \([0-9a-f]{8}\)$"):
                cache.file("Jan Zadlužený", "cs")


def test_the_sound_of_a_file_is_whole_or_not_there(cache: SpeechCache, tmp_path: Path) -> None:
    path = cache.file("Ahoj", "cs")
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert soundfile.info(io.BytesIO(path.read_bytes())).frames > 0
