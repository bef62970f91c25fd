"""The commands around prompts and voices, as they are typed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import soundfile
from click.testing import CliRunner, Result

from callwright.cli import cli
from callwright.doctor import speech
from callwright.doctor.finding import Subject
from engine.config import Config
from ivr_flows.say.voice import manifest
from tests.unit.recordings.audio import file, tone


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in arguments])


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "welcome.wav"
    path.write_bytes(file(tone(44100, 440), 44100))
    return path


@pytest.mark.req("R23")
def test_files_are_checked_as_an_upload_would(wav: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    quiet = tmp_path / "quiet.wav"
    quiet.write_bytes(file(tone(8000, 440, loudness=0.003), 8000))
    assert run("prompt", "check", wav).exit_code == 0
    done = run("prompt", "check", wav, text, quiet)
    assert done.exit_code == 1
    first, second, third, fourth = done.output.splitlines()
    assert first.startswith(f"{wav}: WAV 44100 Hz, 1.1 s, -20 LUFS (")
    assert second.startswith(f"{text}: refused: this is no sound file that can be read")
    assert third.startswith(f"{quiet}: WAV 8000 Hz")
    assert fourth.startswith(f"{quiet}: warning: very quiet: made ")


@pytest.mark.req("R23")
def test_a_file_is_converted(wav: Path, tmp_path: Path) -> None:
    out = tmp_path / "voices" / "20.wav"
    assert run("prompt", "convert", wav, out).exit_code == 0
    assert soundfile.info(out).samplerate == 8000
    out.write_text("no sound")
    failed = run("prompt", "convert", out, tmp_path / "x.wav")
    assert (failed.exit_code, failed.output.startswith(f"Error: {out}: this is no sound file")) == (1, True)


VERSION = {"version": "a" * 16, "duration_ms": 1060, "warnings": ["it crackles"]}
PROMPT = {"path": "welcome/cs.wav", "active_version": "a" * 16, "versions": [VERSION], "used_by": ["main"]}


class FakeApi(BaseHTTPRequestHandler):
    asked: list[tuple[str, str, str, bytes]] = []  # noqa: RUF012 - one server at a time

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.path, self.headers["Authorization"], self.headers["Content-Type"], content))
        self._answer({"title": "no", "detail": "bad name"} if "bad" in self.path else PROMPT)

    def do_GET(self) -> None:
        self._answer({"prompts": [PROMPT, {**PROMPT, "path": "closed/cs.wav", "used_by": []}]})

    def _answer(self, body: dict[str, Any]) -> None:
        self.send_response(422 if "title" in body else 200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def url() -> Iterator[str]:
    FakeApi.asked.clear()
    with HTTPServer(("127.0.0.1", 0), FakeApi) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.req("R23")
def test_a_prompt_is_uploaded(url: str, wav: Path) -> None:
    done = run("prompt", "upload", wav, "welcome", "cs", "--url", url, "--key", "k")
    assert done.output.splitlines() == [f"welcome/cs.wav plays version {'a' * 16} (1.1 s)", "warning: it crackles"]
    ((path, key, kind, content),) = FakeApi.asked
    assert (path, key, kind) == (
        "/prompts/welcome/cs?file_name=welcome.wav",
        "Bearer k",
        "application/octet-stream",
    )
    assert content == wav.read_bytes()
    refused = run("prompt", "upload", wav, "bad", "cs", "--url", url, "--key", "k")
    assert (refused.exit_code, refused.output) == (1, "Error: 422 no: bad name\n")


@pytest.mark.req("R23")
def test_prompts_are_listed_with_the_flows_that_play_them(url: str) -> None:
    done = run("prompt", "list", "--url", url, "--key", "k")
    assert done.output.splitlines() == ["welcome/cs.wav  1.1 s  main", "closed/cs.wav  1.1 s  not used"]


def test_nobody_answers_and_no_key_is_known(wav: Path) -> None:
    done = run("prompt", "list", "--url", "http://127.0.0.1:1", "--key", "k")
    assert (done.exit_code, "the admin API does not answer" in done.output) == (1, True)
    assert "no key: give --key" in run("prompt", "upload", wav, "welcome", "cs").output


@pytest.mark.req("R22")
def test_what_a_voice_lacks_is_told(tmp_path: Path, wav: Path) -> None:
    assert (
        run("voice", "check", tmp_path).output
        == f"{tmp_path}: manifest.json can't be read: No such file or directory\n"
    )
    printed = run("voice", "manifest", "jana", "--language", "en")
    assert json.loads(printed.output) == manifest("jana", "en")
    (tmp_path / "manifest.json").write_text(printed.output, encoding="utf-8")
    for piece in json.loads(printed.output)["pieces"].values():
        (tmp_path / piece["file"]).write_bytes(file(tone(8000, 440, seconds=0.05), 8000))
    assert run("voice", "check", tmp_path).output == f"{tmp_path}: every piece is recorded\n"
    (tmp_path / "20.wav").unlink()
    (tmp_path / "30.wav").write_bytes(wav.read_bytes())
    (tmp_path / "40.wav").write_text("no sound")
    done = run("voice", "check", tmp_path)
    assert done.exit_code == 1
    assert done.output.splitlines() == [
        f"{tmp_path}: the file 20.wav of the piece '20' ('twenty') is missing",
        f"{tmp_path}: 30.wav has 44100 Hz, 1 channels; make it with `callwright prompt convert`",
        f"{tmp_path}: 40.wav is no sound file; make it with `callwright prompt convert`",
    ]
    (tmp_path / "manifest.json").write_text("{")
    assert "manifest.json is no JSON" in run("voice", "check", tmp_path).output


def test_a_language_without_grammar() -> None:
    assert "there is no grammar for 'de'; there are: cs, en" in run("voice", "manifest", "x", "--language", "de").output


def test_the_doctor_looks_at_voices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config.model_validate({"engine": {"prompts_dir": tmp_path}})
    (tmp_path / "voices" / "cs").mkdir(parents=True)
    told = [(each.level, each.what) for each in speech.examine(Subject(config))]
    assert told[0][0] == "ok"
    assert "cs by espeak-ng-" in told[0][1]
    assert told[1:] == [
        ("warn", f"voice {tmp_path}/voices/cs: manifest.json can't be read: No such file or directory"),
    ]
    (tmp_path / "voices" / "cs" / "manifest.json").write_text(json.dumps(manifest("jana", "cs")), encoding="utf-8")
    for piece in manifest("jana", "cs")["pieces"].values():
        (tmp_path / "voices" / "cs" / piece["file"]).write_bytes(file(tone(8000, 440, seconds=0.05), 8000))
    own = tmp_path / "voices"
    assert [(each.level, each.what) for each in speech.own_voices(own)] == [("ok", f"voice {own}/cs")]
    (own / "cs" / "20.wav").unlink()
    (own / "cs" / "30.wav").write_text("no sound")
    found = list(speech.own_voices(own))
    assert [each.level for each in found] == ["warn", "fail"]
    assert "the library's voice says what this one can't" in found[0].advice
    assert found[1].what.endswith("30.wav is no sound file; make it with `callwright prompt convert`")
    assert "calls play it as it is" in found[1].advice
    (own / "cs").rename(own / "en")
    assert next(speech.own_voices(own)).what.endswith("its language is 'cs', the directory is that of 'en'")
    monkeypatch.setattr("recordings.speech.engines.find_voices", lambda *_: {})
    assert next(speech.examine(Subject(config))).what == "no speech engine: texts of flows can't be spoken"
