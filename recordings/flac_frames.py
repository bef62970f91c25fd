"""FLAC frames found without a decoder: what is left of a file whose header was never finished or whose middle is gone.

Each frame carries its number, its format and two checksums (RFC 9639, section 9), so that whole frames can be told
from anything else. Only streams with a fixed block size are read; FreeSWITCH (libsndfile, libFLAC) writes no others.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

HEADER_BYTES = 42
"""The marker `fLaC` and the one mandatory metadata block, STREAMINFO."""

Buffer = bytes | mmap.mmap

_SYNC = b"\xff\xf8"
_FRAME_LEFTOVER = 64
"""Headroom over raw samples that a frame may take: its header, subframe headers, footer."""


class NotFlac(ValueError):
    """The bytes are no FLAC header."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """The header of a FLAC file. `samples` counts samples of one channel, 0: never written; so `md5` of 16 zeros."""

    sample_rate: int
    channels: int
    bits: int
    samples: int
    md5: bytes
    block_size: int = 4096

    @property
    def finished(self) -> bool:
        """Whether the writer came to the end: it fills in length and checksum last."""
        return self.samples > 0

    def encode(self) -> bytes:
        """The first 42 bytes of a file that has no other metadata."""
        packed = self.sample_rate << 44 | (self.channels - 1) << 41 | (self.bits - 1) << 36 | self.samples
        sizes = struct.pack(">HH6x", self.block_size, self.block_size)
        return b"fLaC\x80\x00\x00\x22" + sizes + packed.to_bytes(8, "big") + self.md5

    @classmethod
    def decode(cls, head: bytes) -> StreamInfo:
        """Reads the first 42 bytes. Raises NotFlac."""
        if len(head) < HEADER_BYTES or head[:4] != b"fLaC" or head[4] & 0x7F or head[5:8] != b"\x00\x00\x22":
            raise NotFlac("no FLAC header")
        packed = int.from_bytes(head[18:26], "big")
        info = cls(
            sample_rate=packed >> 44,
            channels=(packed >> 41 & 0x7) + 1,
            bits=(packed >> 36 & 0x1F) + 1,
            samples=packed & 0xFFFFFFFFF,
            md5=bytes(head[26:42]),
            block_size=int.from_bytes(head[10:12], "big"),
        )
        if not info.sample_rate or info.block_size < 16:
            raise NotFlac("a FLAC header without sample rate or block size")
        return info


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: its place in the file, its number in the stream, its format. `rate`, `bits` 0: as the header says."""

    start: int
    end: int
    number: int
    block_size: int
    channels: int
    rate: int
    bits: int


def frames(data: Buffer) -> Iterator[Frame]:
    """All whole frames, in the order of the file."""
    begin = _next_header(data, 0)
    while begin is not None:
        found = _whole(data, begin)
        if found is not None:
            yield found
            begin = _next_header(data, found.end)
        else:
            begin = _next_header(data, begin.start + 1)


def _whole(data: Buffer, head: Frame) -> Frame | None:
    """The frame that begins at `head`: it ends where its checksum comes out right at the next header, or at the end."""
    longest = head.start + head.block_size * head.channels * ((head.bits or 16) + 1) // 8 + _FRAME_LEFTOVER
    crc, done = 0, head.start
    following: Frame | None = head
    while done < len(data):
        following = _next_header(data, (following.start if following else done) + 1)
        end = following.start if following else len(data)
        if end > longest:
            return None
        crc = _crc16(data[done:end], crc)
        if crc == 0:
            return replace(head, end=end)
        done = end
    return None


def _next_header(data: Buffer, start: int) -> Frame | None:
    while (start := data.find(_SYNC, start)) >= 0:
        head = _header(data[start : start + 16], start)
        if head is not None:
            return head
        start += 1
    return None


def _header(raw: bytes, start: int) -> Frame | None:
    """The frame header in `raw`, None where it only looks like one."""
    if len(raw) < 6 or raw[3] & 1:
        return None
    size_code, rate_code, channel_code, bits_code = raw[2] >> 4, raw[2] & 15, raw[3] >> 4, raw[3] >> 1 & 7
    if size_code == 0 or rate_code == 15 or channel_code > 10 or bits_code == 3:
        return None
    number, at = _coded_number(raw, 4)
    size_at = at
    at += {6: 1, 7: 2}.get(size_code, 0)
    rate_at = at
    at += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if number is None or at >= len(raw) or _crc8(raw[:at]) != raw[at]:
        return None
    return Frame(
        start=start,
        end=start + at + 1,
        number=number,
        block_size=_block_size(size_code, raw[size_at:rate_at]),
        channels=channel_code + 1 if channel_code < 8 else 2,
        rate=_rate(rate_code, raw[rate_at:at]),
        bits=(0, 8, 12, 0, 16, 20, 24, 32)[bits_code],
    )


def _coded_number(raw: bytes, at: int) -> tuple[int | None, int]:
    """The frame's number (coded like UTF-8, up to 31 bits) and the offset after it; None where it is none."""
    lead = raw[at]
    if lead < 0x80:
        return lead, at + 1
    length = 8 - (lead ^ 0xFF).bit_length()
    if not 2 <= length <= 6 or at + length > len(raw):
        return None, at
    number = lead & (0x7F >> length)
    for each in raw[at + 1 : at + length]:
        if each >> 6 != 0b10:
            return None, at
        number = number << 6 | each & 0x3F
    return number, at + length


def _block_size(code: int, extra: bytes) -> int:
    if code == 1:
        return 192
    if code <= 5:
        return 144 << code
    if code <= 7:
        return int.from_bytes(extra, "big") + 1
    return 1 << code


def _rate(code: int, extra: bytes) -> int:
    if code < 12:
        return (0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000)[code]
    return int.from_bytes(extra, "big") * {12: 1000, 13: 1, 14: 10}[code]


def silence(number: int, info: StreamInfo) -> bytes:
    """A frame of silence of the stream's block size, to stand for one that is lost."""
    bits_code = {8: 1, 12: 2, 16: 4, 20: 5, 24: 6, 32: 7}[info.bits]
    head = bytes([0xFF, 0xF8, 7 << 4, (info.channels - 1) << 4 | bits_code << 1])
    head += _code_number(number) + (info.block_size - 1).to_bytes(2, "big")
    head += bytes([_crc8(head)])
    # a subframe of the kind "constant", its one value 0, for each channel (RFC 9639, 9.2.3), padded to whole bytes
    body = bytes((info.channels * (8 + info.bits) + 7) // 8)
    return head + body + _crc16(head + body, 0).to_bytes(2, "big")


def _code_number(number: int) -> bytes:
    if number < 0x80:
        return bytes([number])
    tail: list[int] = []
    while not tail or number >= 1 << (6 - len(tail)):
        tail.insert(0, 0x80 | number & 0x3F)
        number >>= 6
    return bytes([0xFF << (7 - len(tail)) & 0xFF | number, *tail])


def write(out: BinaryIO, source: Buffer, kept: Sequence[Frame], info: StreamInfo) -> int:
    """Writes a stream of the kept frames, silence in place of the numbers that are missing between them.

    Returns how many samples (of one channel) were replaced. `info.samples` is what the header will say.
    """
    out.write(info.encode())
    number = lost = 0
    for frame in kept:
        while number < frame.number:
            out.write(silence(number, info))
            lost += info.block_size
            number += 1
        out.write(source[frame.start : frame.end])
        number += 1
    return lost


def _table(polynomial: int, width: int) -> tuple[int, ...]:
    top, mask = 1 << (width - 1), (1 << width) - 1
    values = []
    for byte in range(256):
        crc = byte << (width - 8)
        for _ in range(8):
            crc = (crc << 1 ^ (polynomial if crc & top else 0)) & mask
        values.append(crc)
    return tuple(values)


_CRC8 = _table(0x07, 8)
_CRC16 = _table(0x8005, 16)


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = _CRC8[crc ^ byte]
    return crc


def _crc16(data: bytes, crc: int) -> int:
    table = _CRC16
    for byte in data:
        crc = (crc << 8 & 0xFF00) ^ table[crc >> 8 ^ byte]
    return crc
