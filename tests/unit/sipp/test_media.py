from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from sipp_scenarios import media
from sipp_scenarios.runner import DIRECTORY, Scenario


class Packet(NamedTuple):
    at_ms: int
    marker: bool
    kind: int
    sequence: int
    stamp: int
    source: int
    payload: bytes


def packets(path: Path) -> list[Packet]:
    raw = path.read_bytes()
    magic, *_, link = struct.unpack_from("<IHHiIII", raw)
    assert (magic, link) == (0xA1B2C3D4, 1)
    found, at = [], 24
    while at < len(raw):
        seconds, micros, length, whole = struct.unpack_from("<IIII", raw, at)
        assert length == whole
        frame = raw[at + 16 : at + 16 + length]
        assert (frame[12:14], frame[14], frame[23]) == (b"\x08\x00", 0x45, 17)
        udp_length = struct.unpack_from(">H", frame, 38)[0]
        assert udp_length == length - 34
        version, kind, sequence, stamp, source = struct.unpack_from(">BBHII", frame, 42)
        assert version == 0x80
        at_ms = seconds * 1000 + micros // 1000 - 1000
        found.append(Packet(at_ms, bool(kind & 0x80), kind & 0x7F, sequence, stamp, source, frame[54:]))
        at += 16 + length
    return found


def linear(alaw: bytes) -> np.ndarray:
    """Samples of A-law bytes (ITU-T G.711, decoder)."""
    values = []
    for byte in alaw:
        code = byte ^ 0x55
        exponent, mantissa = code >> 4 & 7, code & 15
        size = (mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 0x108) << (exponent - 1)
        values.append(size if code & 0x80 else -size)
    return np.array(values)


def test_one_stream_without_gaps(tmp_path: Path) -> None:
    found = packets(media.write(tmp_path, "silence_200ms+key_1+tone_440hz_300ms.pcap"))
    assert [each.sequence for each in found] == list(range(10 + 8 + 15))
    assert {after.at_ms - before.at_ms for before, after in pairwise(found)} == {20}
    assert len({each.source for each in found}) == 1
    audio = [each for each in found if each.kind == media.AUDIO_TYPE]
    assert all(each.stamp == each.at_ms * 8 and len(each.payload) == 160 for each in audio)
    assert [each.marker for each in found].count(True) == 2


def test_a_key_is_an_event_of_its_length(tmp_path: Path) -> None:
    found = packets(media.write(tmp_path, "silence_100ms+key_pound.pcap"))[5:]
    events = [struct.unpack(">BBH", each.payload) for each in found]
    assert {each.kind for each in found} == {media.KEY_TYPE}
    assert {each.stamp for each in found} == {800}
    assert [each.marker for each in found] == [True] + [False] * 7
    assert {code for code, _, _ in events} == {11}
    assert [length for _, _, length in events] == [160, 320, 480, 640, 800, 800, 800, 800]
    assert [bool(flags & 0x80) for _, flags, _ in events] == [False] * 5 + [True] * 3


def test_a_tone_has_its_pitch(tmp_path: Path) -> None:
    found = packets(media.write(tmp_path, "tone_880hz_1000ms.pcap"))
    sound = linear(b"".join(each.payload for each in found))
    spectrum = np.abs(np.fft.rfft(sound))
    assert int(spectrum.argmax()) == 880
    assert np.abs(sound).max() == pytest.approx(8000, rel=0.04)
    silence = packets(media.write(tmp_path, "silence_100ms.pcap"))
    assert np.abs(linear(b"".join(each.payload for each in silence))).max() <= 8


@pytest.mark.parametrize("sample", [0, -1, 1, 7, 8, -8, 255, 256, 1000, -1000, 32767, -32768])
def test_alaw_is_within_its_precision(sample: int) -> None:
    back = int(linear(bytes([media._alaw(sample)]))[0])
    assert abs(back - sample) <= max(16, abs(sample) // 30)


def test_different_names_are_different_streams(tmp_path: Path) -> None:
    first, second = (packets(media.write(tmp_path, f"key_{n}.pcap")) for n in (1, 2))
    assert first[0].source != second[0].source


@pytest.mark.parametrize("name", ["key_a.pcap", "tone_440_100ms.pcap", "silence.pcap", "../x.pcap", ".pcap"])
def test_a_name_that_says_nothing_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(media.BadName):
        media.write(tmp_path, name)


@pytest.mark.parametrize("name", sorted(path.stem for path in DIRECTORY.glob("*.xml")))
def test_every_capture_of_every_scenario_can_be_made(tmp_path: Path, name: str) -> None:
    for capture in Scenario.load(name).captures:
        assert packets(media.write(tmp_path, capture))


def test_the_files_are_written_for_use_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    media.main(str(tmp_path))
    made = {str(path) for path in tmp_path.iterdir()}
    assert made == set(capsys.readouterr().out.splitlines())
    assert {Path(path).name for path in made} >= set(Scenario.load("uac_menu_agent_expect_talk").captures)
