"""Prompts over the API: what is uploaded is what calls hear (R23)."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import soundfile
from werkzeug.test import TestResponse

from admin_api.access import MAX_SOUND_BYTES
from engine.domain.prompt import ConverterBusy
from recordings.prompt_files import PromptDirectory
from tests.integration.api.conftest import NOW_MS, Api, problem
from tests.unit.recordings.audio import file, tone

LOW, HIGH = file(tone(44100, 300), 44100), file(tone(44100, 900), 44100, "FLAC")


def upload(api: Api, content: bytes, path: str = "/prompts/welcome/cs", **options: Any) -> TestResponse:
    return api.ask("PUT", path, data=content, content_type="audio/wav", **options)


@pytest.fixture
def prompts_dir(tmp_path: Path) -> Path:
    return tmp_path / "prompts"


@pytest.mark.req("R23", "R122")
def test_an_upload_is_what_calls_hear(api: Api, prompts_dir: Path) -> None:
    answer = upload(api, LOW, query_string={"file_name": "Vítejte.wav"})
    assert answer.status_code == 201
    prompt = answer.get_json()
    (version,) = prompt.pop("versions")
    assert prompt == {
        "name": "welcome",
        "language": "cs",
        "path": "welcome/cs.wav",
        "active_version": version["version"],
        "used_by": [],
    }
    assert (version["file_name"], version["uploaded_by"], version["warnings"]) == ("Vítejte.wav", "bootstrap", [])
    assert version["uploaded_at"] == "2026-09-21T14:15:00.000Z"
    assert abs(version["duration_ms"] - 1060) <= 2
    heard = (prompts_dir / "welcome" / "cs.wav").read_bytes()
    assert soundfile.info(io.BytesIO(heard)).samplerate == 8000
    sound = api.get(f"/prompts/welcome/cs/versions/{version['version']}")
    assert (sound.data, sound.content_type) == (heard, "audio/wav")
    (row,) = api.audit("prompt:welcome/cs")
    assert (row.action, row.outcome, row.detail, row.at_ms) == (
        "prompt.upload",
        "ok",
        {"version": version["version"]},
        NOW_MS,
    )


@pytest.mark.req("R23")
def test_back_to_an_earlier_version(api: Api, prompts_dir: Path) -> None:
    first = upload(api, LOW).get_json()["active_version"]
    heard = (prompts_dir / "welcome" / "cs.wav").read_bytes()
    answer = upload(api, HIGH)
    second = answer.get_json()
    assert answer.status_code == 200
    assert [each["version"] for each in second["versions"]] == [second["active_version"], first]
    assert (prompts_dir / "welcome" / "cs.wav").read_bytes() != heard
    back = api.put("/prompts/welcome/cs/active", {"version": first}).get_json()
    assert back["active_version"] == first
    assert (prompts_dir / "welcome" / "cs.wav").read_bytes() == heard
    problem(api.put("/prompts/welcome/cs/active", {"version": "0" * 16}), 404, "prompt_version_not_found")
    problem(api.get("/prompts/welcome/cs/versions/..%2f..%2fsecret"), 404, "no_such_path")
    problem(api.get("/prompts/welcome/cs/versions/0"), 404, "prompt_version_not_found")


@pytest.mark.req("R23")
def test_each_language_is_a_prompt_of_its_own_and_flows_that_play_it_are_told(api: Api) -> None:
    upload(api, LOW)
    upload(api, HIGH, "/prompts/welcome/en")
    flow = {
        "schema": "callwright/flow/1",
        "id": "main",
        "name": "Main",
        "kind": "inbound",
        "languages": ["cs"],
        "entry": "hello",
        "prompts": {"hello": {"cs": "welcome/cs.wav"}},
        "nodes": {
            "hello": {"type": "play", "prompts": ["hello"], "exits": {"done": "bye", "error": "bye"}},
            "bye": {"type": "hangup"},
        },
    }
    version = api.post("/flows", flow).get_json()["version"]
    assert api.get("/prompts/welcome/cs").get_json()["used_by"] == []
    api.put("/flows/main/active", {"version": version})
    listed = {each["path"]: each["used_by"] for each in api.get("/prompts").get_json()["prompts"]}
    assert listed == {"welcome/cs.wav": ["main"], "welcome/en.wav": []}


@pytest.mark.req("R23")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "this is no sound file that can be read"),
        (b"<html></html>", "upload WAV, FLAC, Ogg or MP3"),
        (json.dumps({"prompt": "welcome"}).encode(), "upload WAV, FLAC, Ogg or MP3"),
        (file(tone(8000, 440) * 0, 8000), "there is nothing to hear in this file"),
    ],
)
def test_what_is_no_sound_is_refused_and_nothing_changes(
    api: Api, prompts_dir: Path, content: bytes, words: str
) -> None:
    upload(api, LOW)
    before = (prompts_dir / "welcome" / "cs.wav").read_bytes()
    refused = problem(upload(api, content), 422, "prompt_refused")
    assert words in refused["errors"][0]["message"]
    assert (prompts_dir / "welcome" / "cs.wav").read_bytes() == before
    assert [row.outcome for row in api.audit("prompt:welcome/cs")] == ["prompt_refused", "ok"]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/prompts/say/cs", "name"),
        ("/prompts/speech/cs", "name"),
        ("/prompts/Welcome/cs", "name"),
        ("/prompts/../cs", "name"),
        ("/prompts/.x/cs", "name"),
        ("/prompts/welcome/czech", "language"),
    ],
)
def test_names_that_are_none(api: Api, tmp_path: Path, path: str, place: str) -> None:
    refused = problem(upload(api, LOW, path), 422, "prompt_refused")
    assert [each["place"] for each in refused["errors"]] == [place]
    assert not list(tmp_path.rglob("*.wav"))


def test_a_file_that_is_too_large_is_refused_unread(api: Api) -> None:
    problem(upload(api, bytes(MAX_SOUND_BYTES + 1)), 413, "too_large")


def test_what_was_never_uploaded(api: Api) -> None:
    assert api.get("/prompts").get_json() == {"prompts": []}
    problem(api.get("/prompts/welcome/cs"), 404, "prompt_not_found")
    problem(api.put("/prompts/welcome/cs/active", {"version": "0" * 16}), 404, "prompt_not_found")


def test_only_uploads_of_prompts_may_be_anything_but_json(api: Api) -> None:
    problem(api.ask("PUT", "/prompts/welcome/cs/active", data=b"x", content_type="audio/wav"), 415, "not_json")


@pytest.mark.req("R23")
def test_the_warnings_come_with_the_version(api: Api) -> None:
    quiet = upload(api, file(tone(8000, 440, loudness=0.003), 8000)).get_json()
    assert quiet["versions"][0]["warnings"][0].startswith("very quiet")


def test_an_upload_that_gets_no_turn_is_told_to_come_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> None:
        raise ConverterBusy("Other uploads are being converted. Try again in a minute.")

    with monkeypatch.context() as patched:
        patched.setattr(PromptDirectory, "add", busy)
        answer = upload(api, LOW)
    problem(answer, 503, "uploads_busy")
    assert answer.headers["Retry-After"]
    assert upload(api, LOW).status_code == 201
