"""Is the file a whole recording, what is in it, and what can be saved of one that is not.

A recorder that is killed leaves a FLAC file without length and checksum in its header, which libsndfile refuses to
read to the end; the frames in it are whole but for the last. `repair` keeps every whole frame bit for bit, puts silence
where frames are lost in between (so that times in the recording stay true), and writes the header that is missing.

Errors:
    FlacError
    ├── Damaged       part of it can't be read or was never finished; `repair` may help
    └── Unreadable    nothing in it can be read
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from recordings.flac_frames import HEADER_BYTES, Frame, NotFlac, StreamInfo, frames, write

_BLOCK = 65536
_UNKNOWN = bytes(16)
LONGEST_GAP_S = 6 * 3600
"""A frame that claims to stand further from the one before is taken for damage."""


class FlacError(Exception):
    """Base of what may be wrong with a file."""


class Damaged(FlacError):
    """Part of the file can't be read, or it was never finished."""


class Unreadable(FlacError):
    """No sound can be got out of the file."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a whole file holds. `frames` counts samples of one channel; `peaks` is the loudest of each, 0 to 32768."""

    channels: int
    sample_rate: int
    frames: int
    peaks: tuple[int, ...]
    md5: bytes

    @property
    def duration_ms(self) -> int:
        """Its length in milliseconds."""
        return self.frames * 1000 // self.sample_rate


@dataclass(frozen=True, slots=True)
class Repaired:
    """What became of a repair: the new file's content, how much silence stands for lost frames, bytes of no use."""

    measured: Measured
    lost_ms: int
    dropped_bytes: int


def measure(path: Path) -> Measured:
    """Reads the file to its end and checks it against its own header: length and MD5 of the samples.

    Raises Unreadable, Damaged, OSError.
    """
    info = _stream_info(path)
    if not info.finished:
        raise Damaged("the recorder did not finish it: no length in its header")
    found = _decode(path, info)
    if found.frames != info.samples:
        raise Damaged(f"{found.frames} of {info.samples} samples can be read")
    # Samples are compared as 16 bits, which is what the switch writes; other widths have their frames' checksums only.
    if info.bits == 16 and info.md5 != _UNKNOWN and info.md5 != found.md5:
        raise Damaged("what it holds does not match the checksum in its header")
    return found


def repair(path: Path, target: Path) -> Repaired:
    """Writes what can be read of `path` to `target` as a whole file, on disk when this returns.

    Raises Unreadable when there is no whole frame in it, OSError.
    """
    with path.open("rb") as source:
        size = os.fstat(source.fileno()).st_size
        if size == 0:
            raise Unreadable("the file is empty")
        with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as data:
            kept = _usable(list(frames(data)))
            if not kept:
                raise Unreadable(f"no FLAC frame in its {size} bytes")
            info = _rebuilt(kept, data[:HEADER_BYTES])
            with target.open("wb") as out:
                lost = write(out, data, kept, info)
    measured = _decode(target, info)
    with target.open("r+b") as out:
        out.write(replace(info, md5=measured.md5 if info.bits == 16 else _UNKNOWN).encode())
        out.flush()
        os.fsync(out.fileno())
    if measured.frames != info.samples:
        raise Unreadable(f"{measured.frames} of the {info.samples} samples left can be decoded")
    dropped = size - kept[0].start - sum(frame.end - frame.start for frame in kept)
    return Repaired(measured, lost * 1000 // info.sample_rate, dropped)


def _stream_info(path: Path) -> StreamInfo:
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    if not head:
        raise Unreadable("the file is empty")
    try:
        return StreamInfo.decode(head)
    except NotFlac as error:
        raise Damaged(str(error)) from None


def _decode(path: Path, info: StreamInfo) -> Measured:
    """Decodes the samples that the header promises."""
    digest = hashlib.md5(usedforsecurity=False)
    read = 0
    peaks = np.zeros(info.channels, dtype=np.int32)
    try:
        with soundfile.SoundFile(path) as file:
            while read < info.samples:
                block = file.read(min(_BLOCK, info.samples - read), dtype="int16", always_2d=True)
                if not len(block):
                    break
                digest.update(block.astype("<i2", copy=False).tobytes())
                # in 32 bits: the lowest 16-bit value has no positive counterpart
                peaks = np.maximum(peaks, np.abs(block.astype(np.int32)).max(axis=0))
                read += len(block)
    except soundfile.SoundFileError as error:
        raise Damaged(f"after {read} of {info.samples} samples: {error}") from None
    return Measured(info.channels, info.sample_rate, read, tuple(int(peak) for peak in peaks), digest.digest())


def _usable(found: Sequence[Frame]) -> list[Frame]:
    """The frames that make one stream: of one format, in rising order, only the last one shorter than the others."""
    if not found:
        return []
    formats = Counter((frame.channels, frame.rate, frame.bits) for frame in found)
    usual = formats.most_common(1)[0][0]
    alike = [frame for frame in found if (frame.channels, frame.rate, frame.bits) == usual]
    size = Counter(frame.block_size for frame in alike).most_common(1)[0][0]
    furthest = LONGEST_GAP_S * (usual[1] or 8000) // size
    kept: list[Frame] = []
    for frame in alike:
        expected = kept[-1].number + 1 if kept else 0
        if expected <= frame.number <= expected + furthest and (frame.block_size == size or frame is alike[-1]):
            kept.append(frame)
    return kept


def _rebuilt(kept: Sequence[Frame], head: bytes) -> StreamInfo:
    """The header for these frames. What frames leave to the header is taken from the old one, if that can be read."""
    first, last = kept[0], kept[-1]
    try:
        old = StreamInfo.decode(head)
        rate, bits = first.rate or old.sample_rate, first.bits or old.bits
    except NotFlac:
        rate, bits = first.rate, first.bits
    if not rate or bits not in (8, 12, 16, 20, 24, 32):
        raise Unreadable("neither its header nor its frames tell the sample rate")
    samples = last.number * first.block_size + last.block_size
    return StreamInfo(rate, first.channels, bits, samples, _UNKNOWN, first.block_size)
