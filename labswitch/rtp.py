"""RTP over UDP for one leg: G.711 audio and keys, 8 kHz, 20 ms frames, no RTCP.

Packets are built and read here and not by `rtpsynth`: its generator can't repeat a timestamp, which telephone
events need, and its buffer is driven by arrivals and not by a clock (docs/decisions/0003).
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Callable

from labswitch import leg
from labswitch.g711 import CODECS, Codec
from labswitch.jitter import JitterBuffer
from labswitch.rfc2833 import EventReceiver, EventSender
from labswitch.sdp import DTMF_PAYLOAD_TYPE, AudioMedia

FRAME_SAMPLES = leg.FRAME_SAMPLES
_HEADER = struct.Struct("!BBHII")
_MARKER = 0x80
_RESYNC_S = 0.1
"""A pause in what we send from which on the timestamp follows the clock again."""
_PACKETS_PER_WAKE = 64
_WRAP = 1 << 32


class NoFreePort(OSError):
    """Every RTP port of the range is in use."""


class PortRange:
    """Even UDP ports from which RTP sockets are bound, each in turn, so that a port rests before it is used again.

    `PortRange()` lets the system choose. May be shared by threads.
    """

    def __init__(self, first: int = 0, last: int = 0) -> None:
        self._first = first + first % 2
        self._last = last
        self._next = self._first
        self._lock = threading.Lock()

    def bind(self, ip: str) -> socket.socket:
        """A bound socket that doesn't block. Raises `NoFreePort`."""
        if not self._first:
            return self._bound(ip, 0)
        for _ in range((self._last - self._first) // 2 + 1):
            with self._lock:
                port, self._next = self._next, self._next + 2
                if self._next > self._last:
                    self._next = self._first
            try:
                return self._bound(ip, port)
            except OSError:
                continue
        raise NoFreePort(f"no RTP port free on {ip} from {self._first} to {self._last}")

    @staticmethod
    def _bound(ip: str, port: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.bind((ip, port))
        except OSError:
            sock.close()
            raise
        return sock


class RtpSession:
    """One RTP stream each way. May be made on any thread; all methods belong on `loop`, `start` before any other."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        ip: str,
        ports: PortRange,
        on_dtmf: Callable[[str, int], None],
    ) -> None:
        """Binds a port. `on_dtmf(digit, duration_ms)` is told each key heard. Raises `NoFreePort`."""
        self._loop = loop
        self._socket = ports.bind(ip)
        self.ip = ip
        self.port: int = self._socket.getsockname()[1]
        self._codec: Codec = CODECS["PCMA"]
        self._payload_type = self._codec.payload_type
        self._dtmf_payload_type: int | None = None
        self._remote: tuple[str, int] | None = None
        self._sends = False
        self._heard = JitterBuffer(self._codec.silence)
        self._events_in = EventReceiver(loop, on_dtmf)
        self._events_out = EventSender(loop, self._send_event)
        self._sequence = random.getrandbits(16)
        self._timestamp = random.getrandbits(32)
        self._ssrc = random.getrandbits(32)
        self._event_timestamp = 0
        self._sent_at_s: float | None = None
        self._started = False
        self._closed = False

    def start(self) -> None:
        """Begin to hear."""
        if not self._closed and not self._started:
            self._started = True
            self._loop.add_reader(self._socket.fileno(), self._readable)

    def connect(self, remote: AudioMedia) -> None:
        """Where to send, and in which codec; also after a re-INVITE. Until then packets that come are dropped."""
        codec = CODECS[remote.codec]
        if codec is not self._codec:
            self._codec = codec
            self._heard = JitterBuffer(codec.silence)
        self._payload_type = remote.codecs[0][1]
        self._dtmf_payload_type = remote.dtmf_payload_type
        self._remote = (remote.ip, remote.port)
        self._sends = not remote.on_hold

    @property
    def takes_keys(self) -> bool:
        """Whether the other side has agreed on telephone events."""
        return self._remote is not None and self._dtmf_payload_type is not None

    def read(self) -> bytes:
        """The next frame heard, silence where there is none."""
        coded = self._heard.take()
        return leg.SILENCE if coded is None else self._codec.decode(coded)

    def write(self, frame: bytes) -> None:
        """Send one frame. Dropped while a key is sent and while the other side doesn't want to hear."""
        if self._remote is None or not self._sends or self._closed or self._events_out.active:
            return
        marker = self._advance()
        self._send(self._codec.encode(frame), self._payload_type, self._timestamp, marker)

    def send_dtmf(self, digit: str, duration_ms: int = 100, done: Callable[[], None] | None = None) -> None:
        """Send one key after those still on their way; `done` is called after its last packet.

        Raises ValueError for what isn't a key. Nothing is sent to a party that knows no telephone events.
        """
        if self._closed or not self.takes_keys:
            if done is not None:
                done()
            return
        self._events_out.press(digit, duration_ms, done)

    def close(self) -> None:
        """Free the port. What is called later does nothing."""
        if self._closed:
            return
        self._closed = True
        self._events_in.close()
        self._events_out.close()
        if self._started:
            self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def _advance(self) -> bool:
        """Step the timestamp by one frame; after a pause by the time that passed. Returns whether speech begins."""
        now = self._loop.time()
        before, self._sent_at_s = self._sent_at_s, now
        frames = 1
        if before is not None and now - before > _RESYNC_S:
            frames = round((now - before) * 8000 / FRAME_SAMPLES)
        self._timestamp = (self._timestamp + frames * FRAME_SAMPLES) % _WRAP
        return before is None or frames > 1

    def _send_event(self, payload: bytes, first: bool, last: bool) -> None:
        self._advance()
        if first:
            self._event_timestamp = self._timestamp
        if self._dtmf_payload_type is not None:
            self._send(payload, self._dtmf_payload_type, self._event_timestamp, first)
        if last:
            self._sent_at_s = self._loop.time()

    def _send(self, payload: bytes, payload_type: int, timestamp: int, marker: bool) -> None:
        if self._remote is None:
            return
        self._sequence = (self._sequence + 1) & 0xFFFF
        second = payload_type | (_MARKER if marker else 0)
        header = _HEADER.pack(0x80, second, self._sequence, timestamp, self._ssrc)
        try:
            self._socket.sendto(header + payload, self._remote)
        except OSError:
            # Nobody there, or the address can't be reached from here: media is lost, as on any network.
            return

    def _readable(self) -> None:
        for _ in range(_PACKETS_PER_WAKE):
            try:
                packet = self._socket.recv(2048)
            except OSError:
                return
            self._received(packet)

    def _received(self, packet: bytes) -> None:
        if len(packet) < _HEADER.size or packet[0] >> 6 != 2 or self._remote is None:
            return
        first, second, _, timestamp, _ = _HEADER.unpack_from(packet)
        payload_type = second & 0x7F
        if payload_type == self._payload_type:
            self._heard.put(timestamp, _payload(packet, first))
        elif payload_type in (self._dtmf_payload_type, DTMF_PAYLOAD_TYPE):
            # An answer may name another number than our offer; then either side receives on its own.
            self._events_in.received(timestamp, _payload(packet, first))


def _payload(packet: bytes, first: int) -> bytes:
    """What follows the header, its extension and contributing sources, without padding (RFC 3550, section 5.1)."""
    begin, end = _HEADER.size + 4 * (first & 0x0F), len(packet)
    if first & 0x10 and len(packet) >= begin + 4:
        begin += 4 + 4 * int.from_bytes(packet[begin + 2 : begin + 4])
    if first & 0x20:
        end -= packet[-1]
    return packet[begin:end] if begin < end else b""
