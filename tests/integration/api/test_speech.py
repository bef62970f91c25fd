"""Flows with texts: spoken ahead when they are uploaded and activated, refused where there is no voice."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pytest

from engine.services.bundle import Services
from engine.services.changes import Actor
from engine.services.errors import FlowRefused
from engine.store.database import Database
from ivr_flows.instructions import Spoken
from recordings.prompt_files import PromptDirectory
from tests.integration.api.conftest import FakeLinks

BY = Actor("jana")


class FakeSpeech:
    def __init__(self, languages: Collection[str] | None = ("cs", "en")) -> None:
        self.prepared: list[Spoken] = []
        self._languages = languages

    def languages(self) -> Collection[str] | None:
        return self._languages

    def prepare(self, texts: Iterable[Spoken]) -> None:
        self.prepared += texts


def document(language: str = "cs") -> dict[str, Any]:
    def tts(text: str, following: str) -> dict[str, Any]:
        return {"type": "tts", "text": {language: text}, "exits": {"done": following, "error": following}}

    return {
        "schema": "callwright/flow/1",
        "id": "line",
        "name": "Line",
        "kind": "inbound",
        "languages": [language],
        "entry": "hello",
        "prompts": {"closed": {language: {"tts": "Máme zavřeno."}}},
        "nodes": {
            "hello": tts("Dobrý den.", "again"),
            "again": tts("Dobrý den.", "number"),
            "number": tts("Voláte z čísla {call.ani}.", "personal"),
            "personal": {**tts("Dobrý den, {call.caller_name}.", "closed"), "keep": False},
            "closed": {"type": "play", "prompts": ["closed"], "exits": {"done": "bye", "error": "bye"}},
            "bye": {"type": "hangup"},
        },
    }


def services(database: Database, tmp_path: Path, speech: FakeSpeech) -> Services:
    return Services.build(database, FakeLinks(), PromptDirectory(tmp_path), speech=speech)


@pytest.mark.req("R22", "R23")
def test_texts_without_variables_are_spoken_ahead(database: Database, tmp_path: Path) -> None:
    speech = FakeSpeech()
    flows = services(database, tmp_path, speech).flows
    version = flows.upload(document(), BY).version
    texts = [Spoken("Máme zavřeno.", "cs"), Spoken("Dobrý den.", "cs")]
    assert speech.prepared == texts
    flows.activate("line", version, BY)
    assert speech.prepared == texts * 2


@pytest.mark.req("R22", "R23")
def test_a_language_without_a_voice_is_refused(database: Database, tmp_path: Path) -> None:
    flows = services(database, tmp_path, FakeSpeech()).flows
    with pytest.raises(FlowRefused) as caught:
        flows.upload(document("pl"), BY)
    found = {(each.code, each.node, each.field) for each in caught.value.findings}
    assert ("no_speech", "closed", "prompts.closed.pl") in found
    assert ("missing_reference", "hello", "text.pl") in found


def test_where_the_voices_are_not_known_nothing_is_refused(database: Database, tmp_path: Path) -> None:
    flows = services(database, tmp_path, FakeSpeech(languages=None)).flows
    assert flows.upload(document("pl"), BY).created
