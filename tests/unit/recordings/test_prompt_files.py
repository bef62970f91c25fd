from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.domain.prompt import PromptRecordings, UnusableSound, Upload
from recordings.prompt_files import KEPT, PromptDirectory
from recordings.prompts import normalise
from tests.unit.recordings.audio import file, tone


def upload(hertz: int, by: str = "jana") -> Upload:
    return Upload(file(tone(8000, hertz, seconds=0.2), 8000), f"{hertz}.wav", by, 1)


@pytest.fixture
def prompts(tmp_path: Path) -> PromptDirectory:
    return PromptDirectory(tmp_path, convert=normalise)


def versions(found: PromptRecordings) -> list[str]:
    return [each.file_name for each in found.versions]


@pytest.mark.req("R23")
def test_the_newest_is_played_and_the_others_are_kept(prompts: PromptDirectory, tmp_path: Path) -> None:
    for hertz in (300, 400, 500):
        found = prompts.add("welcome", "cs", upload(hertz))
    assert versions(found) == ["500.wav", "400.wav", "300.wav"]
    assert prompts.list() == [found]
    assert (tmp_path / "welcome" / "cs.wav").read_bytes() == prompts.sound("welcome", "cs", found.active)


def test_the_same_sound_again_is_the_same_version(prompts: PromptDirectory) -> None:
    first = prompts.add("welcome", "cs", upload(300))
    prompts.add("welcome", "cs", upload(400))
    again = prompts.add("welcome", "cs", upload(300, by="petr"))
    assert again.active == first.active
    assert [(each.file_name, each.uploaded_by) for each in again.versions] == [("300.wav", "petr"), ("400.wav", "jana")]


def test_of_very_many_versions_the_oldest_go(prompts: PromptDirectory, tmp_path: Path) -> None:
    for hertz in range(300, 300 + KEPT + 3):
        found = prompts.add("welcome", "cs", upload(hertz))
    assert (len(found.versions), versions(found)[-1]) == (KEPT, "303.wav")
    assert len(list((tmp_path / "welcome" / "cs").glob("*.wav"))) == KEPT


def test_uploads_at_once_are_all_kept(prompts: PromptDirectory) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda hertz: prompts.add("welcome", "cs", upload(hertz)), range(300, 312)))
    (found,) = prompts.list()
    assert len(found.versions) == 12
    assert found.active == found.versions[0].version


def test_what_is_no_sound_leaves_nothing_behind(prompts: PromptDirectory, tmp_path: Path) -> None:
    with pytest.raises(UnusableSound, match="no sound file"):
        prompts.add("welcome", "cs", Upload(b"text", "a.wav", "jana", 1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"active": "x", "versions": [{"more": 1}]})])
def test_a_list_that_can_not_be_read_is_told_and_can_be_replaced(
    prompts: PromptDirectory, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    prompts.add("welcome", "cs", upload(300))
    (tmp_path / "welcome" / "cs.json").write_text(content)
    assert prompts.list() == []
    assert "prompt welcome/cs: its list of versions can't be read" in caplog.text
    assert versions(prompts.add("welcome", "cs", upload(400))) == ["400.wav"]


def test_a_version_that_does_not_exist(prompts: PromptDirectory) -> None:
    prompts.add("welcome", "cs", upload(300))
    for call in (prompts.activate, prompts.sound):
        with pytest.raises(KeyError):
            call("welcome", "cs", "../../secret")
        with pytest.raises(KeyError):
            call("welcome", "en", "0" * 16)


def test_the_files_that_flows_may_name(prompts: PromptDirectory, tmp_path: Path) -> None:
    prompts.add("welcome", "cs", upload(300))
    for place in ("speech/cs/a.wav", "main/by-hand.wav", "main/deep/er.wav", "top.wav"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(b"")
    files = prompts.files()
    assert files is not None
    assert {"welcome/cs.wav", "top.wav", "main/by-hand.wav", "main/deep/er.wav", "general/cs/closed.wav"} <= set(files)
    assert not [file for file in files if file.startswith("speech/")]
    assert PromptDirectory(tmp_path / "elsewhere").files() is None
