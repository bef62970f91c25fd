from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.flac import Damaged, Measured, Unreadable, measure, repair
from recordings.flac_frames import HEADER_BYTES, NotFlac, StreamInfo, frames, silence
from tests.unit.recordings.audio import COMPLETE, KILLED, conversation, flac, samples_of, unfinished

SOUND = conversation()
WHOLE = flac(SOUND)
BLOCK = 4096


def on_disk(directory: Path, data: bytes) -> Path:
    path = directory / "r1.flac"
    path.write_bytes(data)
    return path


def test_a_whole_file_is_measured(tmp_path: Path) -> None:
    found = measure(on_disk(tmp_path, WHOLE))
    assert (found.channels, found.sample_rate, found.frames, found.duration_ms) == (2, 8000, 32000, 4000)
    assert found.peaks == tuple(int(peak) for peak in np.abs(SOUND.astype(int)).max(axis=0))


def test_the_loudest_sample_may_be_the_most_negative_one(tmp_path: Path) -> None:
    sound = SOUND.copy()
    sound[100, 1] = -32768
    assert measure(on_disk(tmp_path, flac(sound))).peaks[1] == 32768


@pytest.mark.req("R80", "R83")
def test_what_a_real_freeswitch_wrote_is_whole() -> None:
    found = measure(COMPLETE)
    assert (found.channels, found.sample_rate, found.duration_ms) == (2, 8000, 1020)
    assert found.peaks[0] < 8 < found.peaks[1]


@pytest.mark.req("R83")
def test_what_a_killed_freeswitch_left_is_repaired(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="did not finish"):
        measure(KILLED)
    repaired = repair(KILLED, tmp_path / "r1.flac")
    assert measure(tmp_path / "r1.flac") == repaired.measured
    assert repaired.measured.duration_ms == 5632
    assert (repaired.lost_ms, repaired.dropped_bytes) == (0, 0)


@pytest.mark.req("R83")
@pytest.mark.parametrize("keep", [1.0, 0.97, 0.5, 0.2])
def test_what_was_cut_off_keeps_every_whole_frame(tmp_path: Path, keep: float) -> None:
    source = on_disk(tmp_path, unfinished(WHOLE, keep))
    repaired = repair(source, tmp_path / "new.flac")
    left = samples_of(tmp_path / "new.flac")
    assert np.array_equal(left, SOUND[: len(left)])
    assert len(left) >= len(SOUND) * keep - BLOCK
    assert repaired.lost_ms == 0
    assert measure(tmp_path / "new.flac") == repaired.measured


@pytest.mark.req("R83")
def test_a_hole_becomes_silence_of_its_length(tmp_path: Path) -> None:
    third = list(frames(WHOLE))[2]
    damaged = bytearray(WHOLE)
    damaged[third.start + 100] ^= 1
    source = on_disk(tmp_path, bytes(damaged))
    with pytest.raises(Damaged):
        measure(source)
    repaired = repair(source, tmp_path / "new.flac")
    left = samples_of(tmp_path / "new.flac")
    expected = SOUND.copy()
    expected[2 * BLOCK : 3 * BLOCK] = 0
    assert np.array_equal(left, expected)
    assert repaired.lost_ms == BLOCK // 8
    assert repaired.dropped_bytes == third.end - third.start


def test_a_file_without_its_header_is_repaired_from_its_frames(tmp_path: Path) -> None:
    source = on_disk(tmp_path, bytes(HEADER_BYTES) + WHOLE[HEADER_BYTES:])
    with pytest.raises(Damaged, match="no FLAC header"):
        measure(source)
    repair(source, tmp_path / "new.flac")
    assert np.array_equal(samples_of(tmp_path / "new.flac"), SOUND)


def test_a_header_that_belongs_to_other_samples_is_damage(tmp_path: Path) -> None:
    other = bytearray(WHOLE)
    other[26:42] = bytes(range(1, 17))
    with pytest.raises(Damaged, match="checksum"):
        measure(on_disk(tmp_path, bytes(other)))


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "empty"), (b"no flac at all" * 50, "no FLAC frame"), (WHOLE[:86], "no FLAC frame")],
    ids=["empty", "text", "header only"],
)
def test_what_holds_no_sound_is_unreadable(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        repair(on_disk(tmp_path, data), tmp_path / "new.flac")


def _survivors(directory: Path, data: bytes) -> Measured | None:
    source = on_disk(directory, data)
    try:
        return measure(source)
    except (Damaged, Unreadable):
        pass
    try:
        return repair(source, directory / "new.flac").measured
    except Unreadable:
        return None


@pytest.mark.req("R83")
@settings(max_examples=60, deadline=None)
@given(
    cut=st.integers(0, len(WHOLE)),
    hits=st.lists(
        st.tuples(st.integers(HEADER_BYTES, len(WHOLE) - 1), st.binary(min_size=1, max_size=400)), max_size=4
    ),
)
def test_whatever_happens_no_sound_is_invented_or_moved(
    tmp_path_factory: pytest.TempPathFactory, cut: int, hits: list[tuple[int, bytes]]
) -> None:
    data = bytearray(WHOLE)
    for at, other in hits:
        data[at : at + len(other)] = other
    directory = tmp_path_factory.mktemp("damage")
    found = _survivors(directory, bytes(data[:cut]))
    if found is None:
        return
    made = directory / "new.flac"
    left = samples_of(made if made.exists() else directory / "r1.flac")
    assert len(left) == found.frames <= len(SOUND)
    same = (left == SOUND[: len(left)]).all(axis=1)
    assert (same | (left == 0).all(axis=1)).all()


@pytest.mark.parametrize("number", [0, 1, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000, 0x1FFFFF, 0x200000, 0x3FFFFFF])
def test_a_silent_frame_is_a_frame_with_its_number(number: int) -> None:
    info = StreamInfo(8000, 2, 16, 0, bytes(16), BLOCK)
    made = silence(number, info)
    (found,) = frames(made)
    assert (found.number, found.block_size, found.channels, found.bits, found.end) == (number, BLOCK, 2, 16, len(made))


def test_a_header_comes_back_as_it_was_written() -> None:
    info = StreamInfo(48000, 2, 24, 123_456_789_012 % (1 << 36), bytes(range(16)), 1152)
    assert StreamInfo.decode(info.encode()) == info
    for broken in (b"", b"RIFF" + bytes(38), b"fLaC\x80\x00\x00\x22" + bytes(34)):
        with pytest.raises(NotFlac):
            StreamInfo.decode(broken)
