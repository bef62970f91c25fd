"""A small jitter buffer for G.711: packets in by timestamp, 20 ms frames out by the clock of whoever reads."""

from __future__ import annotations

PREFILL_FRAMES = 2
"""Frames to collect before a talkspurt is played: what a packet may be late."""
MAX_FRAMES = 12
"""Above this the sender's clock runs ahead or we were held up: the oldest frames go."""
PAUSE_FRAMES = 3
"""A hole longer than this is a pause of the speaker, not loss: what follows is played at once."""
RESTART_SAMPLES = 8000
"""A timestamp this far (1 s) from the expected one begins a new stream."""

_WRAP = 1 << 32
_HALF = 1 << 31


def timestamp_difference(later: int, earlier: int) -> int:
    """`later - earlier` in samples, over the wrap at 2**32."""
    return (later - earlier + _HALF) % _WRAP - _HALF


class JitterBuffer:
    """Coded samples, one byte each, put in order of their timestamps.

    Timestamps and not sequence numbers, because telephone events use up sequence numbers too.
    """

    def __init__(self, silence: int, frame_samples: int = 160) -> None:
        self._silence = bytes([silence])
        self._frame = frame_samples
        self._packets: dict[int, bytes] = {}
        self._next: int | None = None
        self._rest = b""
        self._filling = True
        self._waited_frames = 0

    def put(self, timestamp: int, payload: bytes) -> None:
        """One packet's payload. Late ones and doubles are dropped."""
        if not payload:
            return
        if self._next is not None:
            ahead = timestamp_difference(timestamp, self._next)
            if abs(ahead) > RESTART_SAMPLES:
                self._packets.clear()
                self._next, self._rest, self._filling, self._waited_frames = None, b"", True, 0
            elif ahead < 0:
                return
        self._packets[timestamp] = payload
        if len(self._packets) > MAX_FRAMES:
            self._drop_oldest()

    def take(self) -> bytes | None:
        """The next frame, None where there is nothing to hear."""
        if self._filling and not self._filled():
            return None
        frame = self._rest
        while len(frame) < self._frame:
            piece = self._piece(self._frame - len(frame))
            if piece is None:
                self._filling, self._waited_frames = True, 0
                break
            frame += piece
        self._rest = frame[self._frame :]
        frame = frame[: self._frame]
        if not frame:
            return None
        return frame + self._silence * (self._frame - len(frame))

    def _filled(self) -> bool:
        """Whether a talkspurt can begin: enough is there, or enough time was given."""
        if not self._packets:
            return False
        self._waited_frames += 1
        held = sum(map(len, self._packets.values()))
        if held < PREFILL_FRAMES * self._frame and self._waited_frames <= PREFILL_FRAMES:
            return False
        self._filling = False
        self._next = self._earliest()
        return True

    def _piece(self, wanted: int) -> bytes | None:
        """The samples at the play-out position, silence in their place when they were lost, None at the end."""
        assert self._next is not None
        payload = self._packets.pop(self._next, None)
        if payload is None:
            if not self._packets:
                return None
            earliest = self._earliest()
            hole = timestamp_difference(earliest, self._next)
            if 0 < hole <= PAUSE_FRAMES * self._frame:
                payload = self._silence * min(hole, wanted)
            else:
                self._next = earliest
                payload = self._packets.pop(earliest)
        self._next = (self._next + len(payload)) % _WRAP
        return payload

    def _earliest(self) -> int:
        reference = next(iter(self._packets))
        return min(self._packets, key=lambda timestamp: timestamp_difference(timestamp, reference))

    def _drop_oldest(self) -> None:
        while len(self._packets) > PREFILL_FRAMES:
            del self._packets[self._earliest()]
        self._rest = b""
        self._next = self._earliest()
