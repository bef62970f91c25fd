"""Calls and uploads that want texts spoken, and the speech process, over a real Redis."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
import soundfile

from callwright.doctor import processes
from callwright.doctor.finding import Subject
from engine.clock import RandomIds
from engine.config import Config
from engine.domain.speech import (
    AHEAD,
    AHEAD_EXPIRY_S,
    CALLS,
    PROCESS,
    REPLY,
    Answer,
    Wanted,
    described,
    speech_file,
    waiting,
)
from engine.services.speech import RedisSpeech
from engine.session.media import directly
from engine.session.speech import RedisSpeaker, Unspoken
from ivr_flows.instructions import Spoken
from recordings.speech.cache import SpeechCache
from recordings.speech.process import BROKE_DOWN, SIGN_EXPIRY_S, SpeechWorker
from tests.unit.recordings.test_speech import FakeVoice

PROGRAM = "import sys; from engine.config import load; from recordings.speech.process import run; sys.exit(run(load()))"
DEADLINE_S = 20


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    made = redis.Redis.from_url(redis_url, socket_timeout=DEADLINE_S)
    made.delete(CALLS, AHEAD)
    yield made
    made.delete(CALLS, AHEAD)
    made.close()


@pytest.fixture
def voice() -> FakeVoice:
    return FakeVoice()


@pytest.fixture
def worker(client: redis.Redis, voice: FakeVoice, tmp_path: Path) -> SpeechWorker:
    cache = SpeechCache(tmp_path, {"cs": voice})
    cache.announce_voices()
    return SpeechWorker(client, cache, tmp_path)


def speaker(client: redis.Redis, prompts_dir: Path, wait_s: float = DEADLINE_S) -> RedisSpeaker:
    return RedisSpeaker(client, prompts_dir, RandomIds(), wait_s, directly)


@pytest.fixture
def running(worker: SpeechWorker) -> Iterator[SpeechWorker]:
    thread = threading.Thread(target=worker.run)
    thread.start()
    yield worker
    worker.stop()
    thread.join()


@pytest.mark.req("R22")
def test_a_call_waits_for_its_text_and_the_next_one_does_not(
    client: redis.Redis, running: SpeechWorker, voice: FakeVoice, tmp_path: Path
) -> None:
    asked = speaker(client, tmp_path)
    path = asked.file("Dobrý den.", "cs")
    assert soundfile.info(path).frames > 0
    running.stop()  # what was spoken needs nobody any more
    assert asked.file("Dobrý\nden.", "cs") == path
    assert voice.spoken == ["Dobrý den."]


@pytest.mark.req("R22")
def test_many_calls_that_want_the_same_text_get_one(
    client: redis.Redis, running: SpeechWorker, voice: FakeVoice, tmp_path: Path
) -> None:
    asked = speaker(client, tmp_path)
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: asked.file("Dobrý den.", "cs"), range(8)))
    assert len(paths) == 1
    assert voice.spoken == ["Dobrý den."]


def test_what_is_used_is_kept(client: redis.Redis, running: SpeechWorker, tmp_path: Path) -> None:
    asked = speaker(client, tmp_path)
    path = asked.file("Ahoj", "cs")
    os.utime(path, (1, 1))
    asked.file("Ahoj", "cs")
    assert path.stat().st_mtime > 1


class TestWithoutASound:
    def test_nobody_speaks(self, client: redis.Redis, tmp_path: Path) -> None:
        with pytest.raises(Unspoken, match=r"not spoken within 0.1 s; does `callwright speech` run\?"):
            speaker(client, tmp_path, wait_s=0.1).file("Ahoj", "cs")

    def test_no_voice(self, client: redis.Redis, running: SpeechWorker, tmp_path: Path) -> None:
        with pytest.raises(Unspoken, match="no speech engine here speaks 'pl'; languages with a voice: cs"):
            speaker(client, tmp_path).file("Ahoj", "pl")

    def test_the_engine_fails(
        self, client: redis.Redis, running: SpeechWorker, voice: FakeVoice, tmp_path: Path
    ) -> None:
        voice.sound = lambda text: b""
        with pytest.raises(Unspoken, match=r"fake-1 gave no sound for a text of 4 characters \("):
            speaker(client, tmp_path).file("Ahoj", "cs")

    def test_the_process_breaks_down_at_it(
        self, client: redis.Redis, running: SpeechWorker, voice: FakeVoice, tmp_path: Path
    ) -> None:
        def breaks(text: str) -> bytes:
            raise ZeroDivisionError

        voice.sound = breaks
        with pytest.raises(Unspoken, match=BROKE_DOWN.fault):
            speaker(client, tmp_path).file("Ahoj", "cs")
        voice.sound = FakeVoice.sound
        assert speaker(client, tmp_path).file("Ahoj", "cs").is_file()

    @pytest.mark.parametrize("text", ["", " \n\t", "\x00\x07", "a" * 2001])
    def test_nothing_or_too_much_to_speak(self, client: redis.Redis, tmp_path: Path, text: str) -> None:
        with pytest.raises(Unspoken, match="1 to 2000 are taken"):
            speaker(client, tmp_path).file(text, "cs")
        assert client.llen(CALLS) == 0

    def test_redis_is_away(self, tmp_path: Path) -> None:
        away = redis.Redis(host="127.0.0.1", port=1)
        with pytest.raises(Unspoken, match="the speech process can't be asked"):
            speaker(away, tmp_path).file("Ahoj", "cs")


def test_calls_come_before_what_may_be_needed_one_day(
    client: redis.Redis, worker: SpeechWorker, voice: FakeVoice, tmp_path: Path
) -> None:
    RedisSpeech(client, tmp_path).prepare([Spoken("ahead", "cs"), Spoken("later", "cs")])
    client.rpush(CALLS, Wanted("call", "cs").dump())
    while worker.serve_one(wait_s=0.01):
        pass
    assert voice.spoken == ["call", "ahead", "later"]


def waiting_keys(client: redis.Redis) -> set[bytes]:
    return set(client.scan_iter(waiting(REPLY + "*"), count=1000))


def until(true: Callable[[], bool]) -> None:
    """What another thread brings about; it tells nobody."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < DEADLINE_S
        time.sleep(0.005)


class TestOrdersOfThoseWhoGaveUp:
    def test_they_are_taken_back(self, client: redis.Redis, tmp_path: Path) -> None:
        before = waiting_keys(client)
        for n in range(3):
            with pytest.raises(Unspoken):
                speaker(client, tmp_path, wait_s=0.9).file(f"Zůstatek {n}", "cs")
        assert client.llen(CALLS) == 0
        assert waiting_keys(client) <= before

    def test_those_of_an_engine_that_died_are_passed_over(
        self, client: redis.Redis, worker: SpeechWorker, voice: FakeVoice
    ) -> None:
        client.set(waiting(f"{REPLY}2"), "", px=DEADLINE_S * 1000)
        for n in range(3):
            client.rpush(CALLS, Wanted(f"text {n}", "cs", f"{REPLY}{n}").dump())
        while worker.serve_one(wait_s=0.01):
            pass
        assert voice.spoken == ["text 2"]
        client.delete(waiting(f"{REPLY}2"), f"{REPLY}2")

    def test_all_run_out_when_none_comes_any_more(self, client: redis.Redis, tmp_path: Path) -> None:
        asked = threading.Thread(target=speaker(client, tmp_path).file, args=("Ahoj", "cs"))
        asked.start()
        until(lambda: client.llen(CALLS) == 1)
        assert 0 < client.ttl(CALLS) <= DEADLINE_S
        order = Wanted.load(client.lrange(CALLS, 0, 0)[0])
        assert 0 < client.pttl(waiting(order.reply)) <= DEADLINE_S * 1000
        client.rpush(order.reply, Answer(file="x.wav").dump())
        asked.join()

    def test_so_many_wait_that_one_more_would_wait_in_vain(
        self, client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("engine.session.speech.MOST_CALLS", 2)
        client.rpush(CALLS, b"1", b"2")
        with pytest.raises(Unspoken, match="2 calls wait for texts already"):
            speaker(client, tmp_path).file("Ahoj", "cs")
        assert client.lrange(CALLS, 0, -1) == [b"1", b"2"]


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (b"", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
        (b"[]", None),
        (b"{}", None),
        (b'{"text": "a", "language": "cs", "reply": 5}', None),
        (b'{"text": "a", "language": "cs", "reply": "cw:journal:1"}', None),
        (b'{"text": 5, "language": "cs", "reply": "cw:speech:reply:1"}', "its text is no str"),
        (b'{"text": "a", "reply": "cw:speech:reply:1"}', "its language is no str"),
        (b'{"text": "a", "language": "cs", "keep": 1, "reply": "cw:speech:reply:1"}', "its keep is no bool"),
        (b'{"text": "a", "language": "cs", "more": 1, "reply": "cw:speech:reply:1"}', "it has 1 unknown fields"),
    ],
)
def test_an_order_that_is_none_is_answered_where_somebody_waits(
    client: redis.Redis, worker: SpeechWorker, voice: FakeVoice, order: bytes, told: str | None
) -> None:
    client.delete(f"{REPLY}1")
    client.rpush(CALLS, order)
    assert worker.serve_one()
    came: bytes | None = client.lpop(f"{REPLY}1")  # type: ignore[assignment]
    assert came == (None if told is None else Answer(fault=f"this is no order: {told}").dump())
    assert voice.spoken == []


def test_a_text_stands_in_no_log(
    client: redis.Redis, worker: SpeechWorker, voice: FakeVoice, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    text = "Vážená paní Nováková, dlužíte 37 korun."
    for sound in (FakeVoice.sound, lambda text: b""):
        voice.sound = sound
        client.rpush(CALLS, Wanted(text, "cs").dump())
        assert worker.serve_one()
        text += " Zaplaťte."
    client.rpush(CALLS, b'{"text": "Nov\xc3\xa1kov\xc3\xa1"}')
    assert worker.serve_one()
    assert len(caplog.records) >= 3
    assert "Nov" not in caplog.text
    assert described("Vážená paní Nováková, dlužíte 37 korun. Zaplaťte.") in caplog.text


class TestSeveralAtOnce:
    @pytest.fixture
    def gate(self, voice: FakeVoice) -> Iterator[threading.Event]:
        """Texts that begin with `slow` are not spoken before it is open."""
        opened = threading.Event()

        def sound(text: str) -> bytes:
            assert not text.startswith("slow") or opened.wait(DEADLINE_S)
            return FakeVoice.sound(text)

        voice.sound = sound
        yield opened
        opened.set()

    @pytest.fixture
    def workers(
        self, client: redis.Redis, voice: FakeVoice, tmp_path: Path, gate: threading.Event
    ) -> Iterator[SpeechWorker]:
        cache = SpeechCache(tmp_path, {"cs": voice})
        cache.announce_voices()
        made = SpeechWorker(client, cache, tmp_path, threads=2)
        thread = threading.Thread(target=made.run)
        thread.start()
        yield made
        gate.set()
        made.stop()
        thread.join()

    @pytest.mark.req("R22")
    def test_a_call_never_stands_behind_texts_of_an_upload(
        self, client: redis.Redis, workers: SpeechWorker, voice: FakeVoice, tmp_path: Path
    ) -> None:
        RedisSpeech(client, tmp_path).prepare([Spoken(f"slow {n}", "cs") for n in range(3)])
        until(lambda: bool(voice.spoken))
        assert speaker(client, tmp_path).file("Ahoj", "cs").is_file()
        assert sorted(voice.spoken) == ["Ahoj", "slow 0"]

    def test_one_text_that_many_want_takes_one_worker(
        self, client: redis.Redis, workers: SpeechWorker, voice: FakeVoice, gate: threading.Event, tmp_path: Path
    ) -> None:
        asked = speaker(client, tmp_path)
        with ThreadPoolExecutor(4) as pool:
            before = waiting_keys(client)
            slow = [pool.submit(asked.file, "slow", "cs") for _ in range(4)]
            until(lambda: len(waiting_keys(client) - before) == 4 and client.llen(CALLS) == 0)
            assert asked.file("Ahoj", "cs").is_file()
            gate.set()
            assert len({each.result(DEADLINE_S) for each in slow}) == 1
        assert sorted(voice.spoken) == ["Ahoj", "slow"]


def test_texts_of_uploads_stand_in_the_list_once_and_for_a_day(
    client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = RedisSpeech(client, tmp_path)
    for _ in range(2):
        uploads.prepare([Spoken("a", "cs"), Spoken("b", "cs")])
    assert client.lrange(AHEAD, 0, -1) == [Wanted("a", "cs").dump(), Wanted("b", "cs").dump()]
    assert 0 < client.ttl(AHEAD) <= AHEAD_EXPIRY_S
    monkeypatch.setattr("engine.services.speech.MOST_AHEAD", 2)
    uploads.prepare([Spoken("c", "cs")])
    assert client.lrange(AHEAD, 0, -1) == [Wanted("b", "cs").dump(), Wanted("c", "cs").dump()]


@pytest.mark.req("R22")
def test_what_is_not_to_be_kept_lies_elsewhere(client: redis.Redis, running: SpeechWorker, tmp_path: Path) -> None:
    asked = speaker(client, tmp_path)
    path = asked.file("Zůstatek 37 korun", "cs", keep=False)
    assert path == speech_file(tmp_path, "cs", "fake-1", "Zůstatek 37 korun", keep=False)
    assert path.parent == tmp_path / "speech" / "passing" / "cs"
    running.stop()
    assert asked.file("Zůstatek 37 korun", "cs", keep=False) == path, "at once, as long as it is there"


def test_what_was_not_to_be_kept_is_deleted_soon(
    client: redis.Redis, worker: SpeechWorker, voice: FakeVoice, tmp_path: Path
) -> None:
    cache = SpeechCache(tmp_path, {"cs": voice})
    old, young, kept = (cache.file(text, "cs", keep=text == "kept") for text in ("old", "young", "kept"))
    hours_ago = time.time() - 3 * 3600
    for path in (old, kept):
        os.utime(path, (hours_ago, hours_ago))
    worker.stop()
    worker.run()
    assert [each.exists() for each in (old, young, kept)] == [False, True, True]


def test_it_gives_a_sign_of_life_until_it_ends(client: redis.Redis, redis_url: str, worker: SpeechWorker) -> None:
    examined = Subject(Config.model_validate({"redis": {"url": redis_url}}))
    client.delete(*client.scan_iter(f"{PROCESS}*"), "x")

    def told() -> list[tuple[str, str]]:
        found = processes.signs_of_life(examined)
        return [(each.level, each.what) for each in found if "speech" in each.what]

    nobody = ("warn", "no speech process lives: texts that were never spoken before take the exit `error`")
    assert told() == [nobody]
    thread = threading.Thread(target=worker.run)
    thread.start()
    until(lambda: told() != [nobody])
    name = f"{socket.gethostname()}-{os.getpid()}"
    assert told() == [("ok", f"speech processes alive: {name}")]
    assert 0 < client.ttl(PROCESS + name) <= SIGN_EXPIRY_S
    client.set(PROCESS + name, "0.0.1")
    assert ("warn", f"speech process {name} runs callwright 0.0.1") in [(a, b.partition(",")[0]) for a, b in told()]
    worker.stop()
    thread.join()
    assert told() == [nobody]


def test_uploads_know_the_voices(client: redis.Redis, worker: SpeechWorker, tmp_path: Path) -> None:
    assert list(RedisSpeech(client, tmp_path).languages() or ()) == ["cs"]
    assert RedisSpeech(client, tmp_path / "elsewhere").languages() is None


@pytest.mark.req("R22", "R23")
def test_the_process_speaks_and_ends_when_told(client: redis.Redis, redis_url: str, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    environment = {
        **os.environ,
        "CALLWRIGHT_REDIS__URL": redis_url,
        "CALLWRIGHT_ENGINE__PROMPTS_DIR": str(prompts),
        "CALLWRIGHT_SPEECH__WORKERS": "2",
    }
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, cwd=tmp_path)
    try:
        asked = speaker(client, prompts)
        for text, language in (("Dobrý den, máte tři nové zprávy.", "cs"), ("Hello.", "en")):
            path = asked.file(text, language)
            voice = path.name.rpartition("-")[0]
            assert path == speech_file(prompts, language, voice, text)
            assert soundfile.info(path).samplerate == 8000
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0
        assert time.monotonic() - began < 5
    finally:
        process.kill()
        process.wait()
