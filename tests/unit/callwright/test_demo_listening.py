"""The demo finds recordings in telephone audio, and nothing where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from callwright.demo import queue
from callwright.demo.listening import ALIKE, Samples, Sound, best_match
from ivr_flows import library, say
from labswitch.g711 import PCMA

RATE_HZ = 8000


def on_the_telephone(sound: Samples, volume: float) -> Samples:
    """As a phone receives it: through G.711, and not as loud as it was."""
    samples = np.round(sound * volume * 32767).astype(np.int16)
    return np.frombuffer(PCMA.decode(PCMA.encode(samples.tobytes())), np.int16) / 32768


def recorded(piece: str) -> Samples:
    file = library.prompts_dir() / "say" / "en" / f"{piece}.wav"
    return Sound.of(piece, [str(file)]).parts[0]


@pytest.mark.parametrize("volume", [1.0, 0.2])
def test_a_recording_is_found_where_it_was_played(volume: float) -> None:
    silence = np.zeros(RATE_HZ)
    heard = np.concatenate([silence, recorded("you-are"), recorded("ordinal-1"), silence])
    at, likeness = best_match(on_the_telephone(heard, volume), recorded("ordinal-1"))
    assert likeness > 0.9
    assert at == RATE_HZ + len(recorded("you-are"))


@pytest.mark.parametrize("piece", ["ordinal-2", "ordinal-3", "wait", "less-than-a-minute", "about"])
def test_another_word_is_not_taken_for_it(piece: str) -> None:
    assert best_match(on_the_telephone(recorded(piece), 1.0), recorded("ordinal-1"))[1] < ALIKE - 0.1


def test_nothing_is_found_in_silence_noise_or_too_little() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 5 * RATE_HZ)
    for heard in (np.zeros(5 * RATE_HZ), noise, recorded("ordinal-1")[:-1]):
        assert best_match(heard, recorded("ordinal-1"))[1] < 0.3


def test_the_announcements_are_recorded_sentences() -> None:
    music, place, wait, again = queue.announcements(library.prompts_dir())
    assert (music.name, again.name) == ("music", "music")
    assert place.name == f"“{say.position(1, 'en').text}”"
    assert len(place.parts) == 3
    assert "less than a minute" in wait.name
