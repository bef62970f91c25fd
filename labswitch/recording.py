"""Recording a channel into a FLAC or WAV file while it runs.

Two channels when the variable `RECORD_STEREO` is true, left what the party says, right what it hears; else both
mixed into one. Written as it grows, so a crash loses the last moments only. Nothing is added while the call is on
hold, and masked passages are silence.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from labswitch.audio import mix
from labswitch.config import is_true
from labswitch.leg import FRAME_MS, FRAME_SAMPLES, SILENCE

if TYPE_CHECKING:
    from labswitch.channel import Channel

log = logging.getLogger("labswitch.recording")

RATE_HZ = 8000
_BLOCK_FRAMES = 10
"""Frames that are collected before they are written: 200 ms."""

_BRACES = re.compile(r"\A(\{[^}]*\})+")


class Recording:
    """One `record_session`. `name` is what it was started with, braces included, and what names it in events."""

    def __init__(self, channel: Channel, name: str, limit_s: int = 0) -> None:
        """Raises OSError where the file can't be written."""
        self.name = name
        self.masked = False
        self.frames = 0
        self._channel = channel
        self._limit = limit_s * 1000 // FRAME_MS
        self.path = Path(_BRACES.sub("", name))
        # RECORD_STEREO in braces does not count, on a real FreeSWITCH neither (captured).
        self._stereo = is_true(channel.variables.get("RECORD_STEREO"))
        self._swap = is_true(channel.variables.get("RECORD_STEREO_SWAP"))
        self._block: list[bytes] = []
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file = soundfile.SoundFile(
                self.path, "w", samplerate=RATE_HZ, channels=2 if self._stereo else 1, subtype="PCM_16"
            )
        except (soundfile.LibsndfileError, TypeError, ValueError) as error:
            raise OSError(f"{self.path}: {error}") from error

    def feed(self, heard: bytes, said: bytes) -> None:
        """One frame: `heard` from the party, `said` to it."""
        channel = self._channel
        if channel.held or (channel.bridge_peer is not None and channel.bridge_peer.held):
            return
        if self.masked:
            heard = said = SILENCE
        self.frames += 1
        self._block.append(self._join(heard, said))
        if len(self._block) >= _BLOCK_FRAMES:
            self._flush()
        if self._limit and self.frames >= self._limit:
            self.stop()

    def _join(self, heard: bytes, said: bytes) -> bytes:
        if not self._stereo:
            return mix(heard, said)
        left, right = (said, heard) if self._swap else (heard, said)
        both = np.empty((FRAME_SAMPLES, 2), np.int16)
        both[:, 0] = np.frombuffer(left, np.int16)
        both[:, 1] = np.frombuffer(right, np.int16)
        return both.tobytes()

    def _flush(self) -> None:
        if self._block:
            data, self._block = b"".join(self._block), []
            self._file.buffer_write(data, "int16")
            self._file.flush()

    def start(self) -> None:
        """From the next frame on."""
        self._channel.recordings[self.name] = self
        self._channel.fire("RECORD_START", last=[("Record-File-Path", self.name)])

    def stop(self) -> None:
        """Close the file and tell its length; once."""
        channel = self._channel
        if channel.recordings.pop(self.name, None) is None:
            return
        self._flush()
        self._file.close()
        length_ms = self.frames * FRAME_MS
        channel.set("record_file_size", str(self.path.stat().st_size if self.path.exists() else 0))
        channel.set("record_samples", str(self.frames * FRAME_SAMPLES))
        channel.set("record_seconds", str(length_ms // 1000))
        channel.set("record_ms", str(length_ms))
        channel.set("record_completion_cause", "success-silence")
        last = [("Record-File-Path", self.name), ("Record-Completion-Cause", "success-silence")]
        channel.fire("RECORD_STOP", last=last)


def start(channel: Channel, name: str, limit_s: int = 0) -> bool:
    """Begin to record; one that runs already goes on. False, with the reason in the log, where that can't be."""
    if not name:
        return False
    if name in channel.recordings:
        return True
    try:
        Recording(channel, name, limit_s).start()
    except OSError as error:
        log.error("can't record: %s", error)
        return False
    return True


def stop(channel: Channel, name: str) -> bool:
    """End one recording, or with `all` every one. False where there is none of that name."""
    found = list(channel.recordings.values()) if name == "all" else [channel.recordings.get(name)]
    for recording in found:
        if recording is not None:
            recording.stop()
    return any(found)


def mask(channel: Channel, name: str, masked: bool) -> bool:
    """Silence in place of voices from now on, or no longer. False where nothing of that name records."""
    recording = channel.recordings.get(name)
    if recording is not None:
        recording.masked = masked
    return recording is not None
