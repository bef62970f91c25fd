"""Voices: what a manifest must say, and what is told of one that lacks something."""

from __future__ import annotations

from typing import Any

import pytest

from ivr_flows import say
from ivr_flows.say.voice import Voice, VoiceInvalid, manifest


def files(content: dict[str, Any]) -> set[str]:
    return {each["file"] for each in content["pieces"].values()}


@pytest.mark.req("R22")
def test_a_complete_voice() -> None:
    content = manifest("jana", "cs")
    voice = Voice.of(content)
    assert voice.faults(files(content)) == []
    assert voice.has(say.position(3, "cs").pieces)
    assert voice.file("20") == "20.wav"


@pytest.mark.req("R22")
def test_what_is_missing_is_told() -> None:
    content = manifest("jana", "cs")
    there = files(content) - {"30.wav"}
    del content["pieces"]["20"]
    content["pieces"]["month-1"]["text"] = "leden"
    voice = Voice.of(content)
    assert voice.faults(there) == [
        "the piece '20' ('dvacet') is not recorded",
        "the file 30.wav of the piece '30' ('třicet') is missing",
        "the piece 'month-1' must say 'ledna', but month-1.wav says 'leden'",
    ]
    assert not voice.has(say.number(23, "cs").pieces)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "the manifest's schema must be callwright/voice/1"),
        ({"schema": "callwright/voice/2"}, "the manifest's schema must be callwright/voice/1"),
        ({"name": 1}, "the manifest must have a name and a language"),
        ({"pieces": []}, "pieces: Input should be a valid dictionary"),
        ({"pieces": {"1": {"file": "1.wav"}}}, "pieces.1.text: Field required"),
        (
            {"pieces": {"1": {"file": "../1.wav", "text": "jedna"}}},
            "pieces.1.file: a WAV file of this directory is expected, not '../1.wav'",
        ),
        (
            {"pieces": {"1": {"file": "1.mp3", "text": "jedna"}}},
            "pieces.1.file: a WAV file of this directory is expected, not '1.mp3'",
        ),
    ],
)
def test_what_is_no_manifest(content: Any, message: str) -> None:
    if isinstance(content, dict):
        content = {"schema": "callwright/voice/1", "name": "jana", "language": "cs", "pieces": {}} | content
    with pytest.raises(VoiceInvalid) as caught:
        Voice.of(content)
    assert str(caught.value) == message
