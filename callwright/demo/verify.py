"""Was the demo as it should be? Looks at the records over the API, and into the stored recording itself."""

from __future__ import annotations

import hashlib
import io
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile

from callwright.demo.calls import AGENT_TONE_HZ, CALLER_TONE_HZ, TALK_S

MIN_LEVEL = 0.02
"""Amplitude (of full scale) at which a tone counts as heard."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What must come of one of the calls."""

    caller: str
    path: tuple[str, ...]
    result: str
    hung_up_by: str
    recorded: bool = False


EXPECTED = (
    Expected("+420601000001", ("answer", "welcome", "menu", "agent", "hangup"), "handled", "agent", recorded=True),
    Expected("+420601000002", ("answer", "welcome", "menu", "goodbye", "hangup"), "other_end", "system"),
    Expected("+420601000003", ("answer", "welcome"), "lost_in_ivr", "caller"),
)


def faults(expected: Expected, call: Mapping[str, Any]) -> list[str]:
    """What is wrong with the call as the demo reports it, in words."""
    found = [
        f"{name}: {call[name]!r}, expected {wanted!r}"
        for name, wanted in (
            ("path", list(expected.path)),
            ("result", expected.result),
            ("hung_up_by", expected.hung_up_by),
            ("hangup_cause", "NORMAL_CLEARING"),
        )
        if call[name] != wanted
    ]
    recording = call["recording"]
    if expected.recorded != (recording is not None):
        found.append("recording: missing" if expected.recorded else "recording: not expected")
    if expected.recorded and abs(call["talk_ms"] - TALK_S * 1000) > 1500:
        found.append(f"talk_ms: {call['talk_ms']}, expected about {TALK_S * 1000:.0f}")
    return found


def recording_faults(link: str, recording: Mapping[str, Any]) -> list[str]:
    """Fetch the stored file through its link and look into it: bytes, checksum, and who is heard on which side."""
    with urllib.request.urlopen(link, timeout=10) as answer:  # noqa: S310 - the link is our own API's
        content = answer.read()
    found = []
    if len(content) != recording["bytes"]:
        found.append(f"recording: {len(content)} bytes, {recording['bytes']} in the record")
    if hashlib.sha256(content).hexdigest() != recording["sha256"]:
        found.append("recording: the checksum of the stored file is another one")
    samples, rate = soundfile.read(io.BytesIO(content), dtype="float64", always_2d=True)
    if samples.shape[1] != 2:
        return [*found, f"recording: {samples.shape[1]} channels, expected 2"]
    for side, channel, hz in (("left (caller)", 0, CALLER_TONE_HZ), ("right (agent)", 1, AGENT_TONE_HZ)):
        if level(samples[:, channel], rate, hz) < MIN_LEVEL:
            found.append(f"recording: no {hz:g} Hz on the {side} side")
    return found


def level(samples: Any, rate: int, hz: float) -> float:
    """Amplitude of a sine of `hz` in the samples, 0 to 1 of full scale."""
    if not len(samples):
        return 0.0
    phase = np.exp(-2j * np.pi * hz * np.arange(len(samples)) / rate)
    return float(2 * abs(np.dot(samples, phase)) / len(samples))


def all_faults(calls: Sequence[Mapping[str, Any] | None]) -> list[str]:
    """Faults of all calls together, each with its call."""
    found = []
    for number, (expected, call) in enumerate(zip(EXPECTED, calls, strict=True), 1):
        if call is None:
            found.append(f"call {number}: left no record")
        else:
            found += [f"call {number}: {fault}" for fault in faults(expected, call)]
    return found
