"""What SIPp's callers and agents say: RTP as capture files for `play_pcap_audio`, made from their own names.

A name lists parts joined by `+`: `silence_200ms+key_1+tone_440hz_3000ms.pcap` is one RTP stream of 0.2 s of silence,
the key 1 (RFC 4733, 100 ms), 3 s of a tone. Audio is A-law (payload type 8), keys have payload type 101.

    python -m sipp_scenarios.media DIRECTORY     writes what the scenarios need, to run them by hand
"""

from __future__ import annotations

import math
import re
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

AUDIO_TYPE = 8
KEY_TYPE = 101
FRAME_MS = 20
_TICKS = 160
"""RTP time units (samples at 8 kHz) of one packet."""
_KEY_FRAMES = 5
_KEYS = {**{str(n): n for n in range(10)}, "star": 10, "pound": 11}
_SILENCE = b"\xd5" * _TICKS
_PART = re.compile(r"silence_(?P<silence>\d+)ms|tone_(?P<hz>\d+)hz_(?P<tone>\d+)ms|key_(?P<key>[0-9]|star|pound)")

NAME = re.compile(r"[a-z0-9_+]+\.pcap")


class BadName(ValueError):
    """The name of a capture file says nothing that can be made."""


def write(directory: Path, name: str) -> Path:
    """Makes the capture file `name` in the directory. Raises BadName."""
    path = directory / name
    path.write_bytes(_pcap(_packets(name)))
    return path


def _packets(name: str) -> Iterator[tuple[int, bytes]]:
    """The stream's packets, each with its time in milliseconds."""
    # A stream of its own for each name, so that one may follow another in a call.
    source = zlib.crc32(name.encode())
    sequence, at = 0, 0
    for part in name.removesuffix(".pcap").split("+"):
        found = _PART.fullmatch(part)
        if found is None:
            raise BadName(f"{part!r} of {name!r} is none of silence_<n>ms, tone_<f>hz_<n>ms, key_<0-9|star|pound>")
        if found["key"]:
            frames = [(KEY_TYPE, frame) for frame in _key(_KEYS[found["key"]])]
        else:
            duration_ms = int(found["tone"] or found["silence"])
            frames = [(AUDIO_TYPE, frame) for frame in _audio(int(found["hz"] or 0), duration_ms // FRAME_MS)]
        began = at
        for index, (kind, payload) in enumerate(frames):
            # All packets of one key carry the time at which it was pressed; the first bears the marker (RFC 4733, 2.5).
            stamp = (began if kind == KEY_TYPE else at) * _TICKS // FRAME_MS
            marker = 0x80 if index == 0 and (kind == KEY_TYPE or sequence == 0) else 0
            yield at, struct.pack(">BBHII", 0x80, marker | kind, sequence & 0xFFFF, stamp, source) + payload
            sequence += 1
            at += FRAME_MS


def _key(code: int) -> Iterator[bytes]:
    """One key: its packets while it is held, then the last one three times."""
    for frame in range(_KEY_FRAMES + 3):
        held = min(frame + 1, _KEY_FRAMES) * _TICKS
        yield struct.pack(">BBH", code, (0x80 if frame >= _KEY_FRAMES else 0) | 10, held)


def _audio(hz: int, frames: int) -> Iterator[bytes]:
    if not hz:
        yield from [_SILENCE] * frames
        return
    # a whole number of periods in one second: made once, repeated
    second = bytes(_alaw(round(8000 * math.sin(2 * math.pi * hz * n / 8000))) for n in range(8000))
    for frame in range(frames):
        start = frame * _TICKS % 8000
        yield second[start : start + _TICKS]


def _alaw(sample: int) -> int:
    """One 16-bit sample as A-law (ITU-T G.711)."""
    sign = 0x80 if sample >= 0 else 0
    size = min(abs(sample) if sample >= 0 else -sample - 1, 32767)
    exponent = (size >> 8).bit_length()
    mantissa = size >> (exponent + 3 if exponent else 4) & 0x0F
    return (sign | exponent << 4 | mantissa) ^ 0x55


def _pcap(packets: Iterator[tuple[int, bytes]]) -> bytes:
    """A capture file (Ethernet, IPv4, UDP); SIPp puts in addresses and ports of its own."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for at_ms, rtp in packets:
        udp = struct.pack(">HHHH", 10000, 10000, 8 + len(rtp), 0) + rtp
        ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, 0x7F000001, 0x7F000001) + udp
        frame = bytes(12) + b"\x08\x00" + ip
        # SIPp takes a time of zero for "not set"
        seconds, milliseconds = divmod(1000 + at_ms, 1000)
        out.append(struct.pack("<IIII", seconds, milliseconds * 1000, len(frame), len(frame)) + frame)
    return b"".join(out)


def names_in(xml: str) -> list[str]:
    """The capture files that a scenario plays."""
    return sorted(set(re.findall(r'play_pcap_audio="([^"]+)"', xml)))


def main(directory: str) -> None:
    """Writes the capture files of all scenarios to the directory."""
    for scenario in sorted(Path(__file__).parent.glob("*.xml")):
        for name in names_in(scenario.read_text(encoding="utf-8")):
            print(write(Path(directory), name))


if __name__ == "__main__":
    main(*sys.argv[1:])
