"""Codecs, jitter buffer, telephone events and RTP sockets, each by itself."""

from __future__ import annotations

import asyncio
import socket
import struct

import numpy as np
import pytest

from labswitch import sdp
from labswitch.g711 import CODECS, PCMA, PCMU
from labswitch.jitter import JitterBuffer
from labswitch.leg import SILENCE
from labswitch.phone_media import Mouth, is_tone, loudness, tone_amplitude
from labswitch.rfc2833 import EventReceiver, EventSender, event_payload
from labswitch.rtp import NoFreePort, PortRange, RtpSession

FRAME = 160


# -- G.711


@pytest.mark.parametrize("codec", CODECS.values(), ids=str)
def test_round_trip_is_exact_for_coded_and_close_for_linear(codec):
    every = bytes(range(256))
    again = codec.encode(codec.decode(every))
    # mu-law has two zeros, which are one in linear.
    assert [a for a, b in zip(every, again, strict=True) if a != b] == ([0x7F] if codec is PCMU else [])
    linear = np.arange(-32000, 32001, 7, dtype=np.int16)
    back = np.frombuffer(codec.decode(codec.encode(linear.tobytes())), np.int16)
    error = np.abs(back.astype(int) - linear)
    assert (error <= np.maximum(np.abs(linear.astype(int)) / 16, 16)).all()


@pytest.mark.parametrize(
    ("codec", "sample", "coded"),
    [
        (PCMA, 0, 0xD5),
        (PCMA, -1, 0x55),
        (PCMA, 32767, 0xAA),
        (PCMA, -32768, 0x2A),
        (PCMU, 0, 0xFF),
        (PCMU, 32767, 0x80),
        (PCMU, -32768, 0x00),
    ],
)
def test_known_values_of_g711(codec, sample, coded):
    assert codec.encode(struct.pack("=h", sample))[0] == coded


# -- jitter buffer


def frame(number):
    return bytes([number % 256]) * FRAME


def played(buffer, count):
    return [None if taken is None else taken[0] for taken in (buffer.take() for _ in range(count))]


def test_order_is_restored_and_doubles_dropped():
    buffer = JitterBuffer(0)
    for number in (1, 3, 2, 2, 4):
        buffer.put(number * FRAME, frame(number))
    assert played(buffer, 5) == [1, 2, 3, 4, None]


def test_lost_frame_is_silence_and_a_pause_is_skipped():
    buffer = JitterBuffer(0)
    for number in (1, 2, 4, 40, 41):
        buffer.put(number * FRAME, frame(number))
    assert played(buffer, 6) == [1, 2, 0, 4, 40, 41]


def test_late_frame_is_dropped_and_wrap_is_no_end():
    buffer = JitterBuffer(0)
    start = 2**32 - 2 * FRAME
    for number in range(4):
        buffer.put((start + number * FRAME) % 2**32, frame(number + 1))
    assert played(buffer, 3) == [1, 2, 3]
    buffer.put(start, frame(9))
    assert played(buffer, 2) == [4, None]


def test_buffer_stays_small_and_follows_a_new_stream():
    buffer = JitterBuffer(0)
    for number in range(1, 30):
        buffer.put(number * FRAME, frame(number))
    assert played(buffer, 1)[0] > 15
    for number in (1, 2, 3):
        buffer.put(900_000 + number * FRAME, frame(100 + number))
    assert played(buffer, 4) == [101, 102, 103, None]


def test_packets_of_other_lengths():
    buffer = JitterBuffer(0)
    for number in range(4):
        buffer.put(number * 240, bytes([number + 1]) * 240)
    taken = [buffer.take() for _ in range(6)]
    assert b"".join(taken) == b"".join(bytes([n]) * 240 for n in (1, 2, 3, 4))
    buffer.put(5 * 240, b"")


def test_short_talkspurt_is_played_although_the_buffer_is_not_full():
    buffer = JitterBuffer(0)
    buffer.put(0, frame(7))
    assert [value for value in played(buffer, 4) if value] == [7]


# -- telephone events


class Events:
    def __init__(self, loop):
        self.keys = asyncio.Queue()
        self.receiver = EventReceiver(loop, lambda digit, duration_ms: self.keys.put_nowait((digit, duration_ms)))

    def packets(self, timestamp, digit, durations, ends=3):
        for duration in durations:
            self.receiver.received(timestamp, event_payload(digit, duration, end=False))
        for _ in range(ends):
            self.receiver.received(timestamp, event_payload(digit, durations[-1], end=True))


def run(scenario):
    async def bounded():
        await asyncio.wait_for(scenario(), 8)

    asyncio.run(bounded())


def test_key_is_reported_once_at_its_end():
    async def scenario():
        events = Events(asyncio.get_running_loop())
        events.packets(1000, "5", [160, 320, 800])
        events.packets(1000, "5", [160])
        events.packets(5000, "5", [400])
        assert [events.keys.get_nowait() for _ in range(2)] == [("5", 100), ("5", 50)]
        assert events.keys.empty()

    run(scenario)


def test_key_without_end_packets():
    async def scenario():
        events = Events(asyncio.get_running_loop())
        events.packets(1000, "1", [160, 320], ends=0)
        events.packets(9000, "2", [160, 480], ends=0)
        assert events.keys.get_nowait() == ("1", 40)
        assert await events.keys.get() == ("2", 60)
        events.packets(9000, "2", [480])
        assert events.keys.empty()

    run(scenario)


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x10\x00\x00\xa0", b"\xff" * 4])
def test_events_that_are_no_keys(payload):
    async def scenario():
        events = Events(asyncio.get_running_loop())
        events.receiver.received(1, payload)
        events.receiver.close()
        assert events.keys.empty()

    run(scenario)


def test_sender_writes_what_the_receiver_understands():
    async def scenario():
        loop = asyncio.get_running_loop()
        events = Events(loop)
        done = asyncio.Event()
        stamp = [0]

        def send(payload, first, last):
            stamp[0] += 1000 if first else 0
            events.receiver.received(stamp[0], payload)

        sender = EventSender(loop, send)
        for digit in "0123456789*#ABC":
            sender.press(digit, 20)
        sender.press("D", 70, done.set)
        assert sender.active
        with pytest.raises(ValueError, match="not a key"):
            sender.press("X", 100)
        await done.wait()
        keys = [events.keys.get_nowait() for _ in range(16)]
        assert "".join(digit for digit, _ in keys) == "0123456789*#ABCD"
        assert keys[-1][1] == 70

    run(scenario)


# -- RTP


def test_session_drops_foreign_and_broken_packets():
    async def scenario():
        loop = asyncio.get_running_loop()
        session = RtpSession(loop, "127.0.0.1", PortRange(), lambda *_: None)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            session.start()
            session.connect(sdp.AudioMedia("127.0.0.1", peer.getsockname()[1], (("PCMA", 8),), 101))
            good = struct.pack("!BBHII", 0x80, 8, 1, 160, 9) + PCMA.encode(b"\x10\x10" * FRAME)
            extended = struct.pack("!BBHIII", 0x91, 8, 2, 320, 9, 1) + b"\xbe\xde\0\1abcd" + good[12:]
            padded = struct.pack("!BBHII", 0xA0, 8, 3, 480, 9) + good[12:] + b"\0\0\3"
            packets = [b"", b"\x80", good[:12], b"\x40" + good[1:], b"\xb0" + good[1:13], good, extended, padded]
            for packet in packets:
                peer.sendto(packet, ("127.0.0.1", session.port))
            for _ in range(20):
                await asyncio.sleep(0)
            heard = [session.read() for _ in range(4)]
            assert [frame != SILENCE for frame in heard] == [True, True, True, False]
            session.write(SILENCE)
            assert len(peer.recv(2048)) == 12 + FRAME
        session.close()
        session.close()
        session.write(SILENCE)

    run(scenario)


def test_port_range():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        first = probe.getsockname()[1] // 2 * 2
    ports = PortRange(first, first)
    with ports.bind("127.0.0.1"), pytest.raises(NoFreePort):
        ports.bind("127.0.0.1")
    ports.bind("127.0.0.1").close()


# -- tones


def test_tones_are_told_apart():
    mouth = Mouth()
    mouth.say(440, frames=50)
    samples = np.frombuffer(b"".join(mouth.frame() for _ in range(60)), np.int16)
    assert tone_amplitude(samples[:8000], 440) == pytest.approx(0.3, abs=0.01)
    assert is_tone(samples[:1600], 440, 0.05)
    assert not is_tone(samples[:1600], 480, 0.05)
    assert loudness(samples[-1600:]) == 0
    assert tone_amplitude(samples[:0], 440) == loudness(samples[:0]) == 0
