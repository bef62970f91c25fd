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

from callwright.demo import queue
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
    agent_hz: float | None = None
    """The tone of the agent with whom he talked: such calls are recorded."""
    talk_s: float | None = None
    agent: str | None = None
    """Who took him out of the queue."""


_THROUGH_THE_QUEUE = ("answer", "queue", "bye")
EXPECTED = (
    Expected(
        *("+420601000001", ("answer", "welcome", "menu", "agent", "hangup"), "handled", "agent"),
        *(AGENT_TONE_HZ, TALK_S),
    ),
    Expected("+420601000002", ("answer", "welcome", "menu", "goodbye", "hangup"), "other_end", "system"),
    Expected("+420601000003", ("answer", "welcome"), "lost_in_ivr", "caller"),
    Expected("+420601000004", _THROUGH_THE_QUEUE, "handled", "agent", queue.TONE_HZ[queue.BOB], agent=queue.BOB),
    Expected(
        *("+420601000005", _THROUGH_THE_QUEUE, "handled", "agent", queue.TONE_HZ[queue.CAROLINE]),
        agent=queue.CAROLINE,
    ),
    Expected(
        *("+420601000006", _THROUGH_THE_QUEUE, "handled", "agent", queue.TONE_HZ[queue.BOB], queue.LAST_TALK_S),
        agent=queue.BOB,
    ),
)


def faults(expected: Expected, call: Mapping[str, Any]) -> list[str]:
    """What is wrong with the call as the demo reports it, in words."""
    visits = [] if expected.agent is None else [(queue.QUEUE, "answered", expected.agent, 1)]
    came = [(visit["queue"], visit["outcome"], visit["agent"], visit["offers"]) for visit in call["queues"]]
    found = [
        f"{name}: {value!r}, expected {wanted!r}"
        for name, value, wanted in (
            ("path", call["path"], list(expected.path)),
            ("result", call["result"], expected.result),
            ("hung_up_by", call["hung_up_by"], expected.hung_up_by),
            ("hangup_cause", call["hangup_cause"], "NORMAL_CLEARING"),
            ("queues", came, visits),
        )
        if value != wanted
    ]
    recording = call["recording"]
    if (expected.agent_hz is None) != (recording is None):
        found.append("recording: not expected" if expected.agent_hz is None else "recording: missing")
    if expected.talk_s is not None and abs(call["talk_ms"] - expected.talk_s * 1000) > 1500:
        found.append(f"talk_ms: {call['talk_ms']}, expected about {expected.talk_s * 1000:.0f}")
    return found


def queue_faults(calls: Sequence[Mapping[str, Any] | None], of_queue: Mapping[str, Any]) -> list[str]:
    """What is wrong with the queue: the order of the answers, what the agents did, and why. `calls`: its three."""
    found = []
    visits = [visit for call in calls if call is not None for visit in call["queues"]]
    answered = [visit["left_at"] for visit in visits]
    if answered != sorted(answered):
        found.append(f"queue: not answered in the order in which they came: {answered}")
    for agent, wanted in _DID.items():
        did = [event["what"] for event in of_queue["agents"].get(agent, ())]
        if did != wanted:
            found.append(f"queue: {agent}: {did}, expected {wanted}")
    decisions = of_queue["why"]["decisions"] if of_queue["why"] else []
    offers = [each["offer"] and each["offer"]["agents"] for each in decisions]
    passed = [(each["agent"], each["why"]) for decision in decisions for each in decision["passed"]]
    if offers != [[queue.BOB]] or passed != [(queue.CAROLINE, "not_ready")]:
        found.append(f"queue: why: offered to {offers}, passed {passed}; expected bob, since caroline was on a call")
    return found


_CALL = ["reserved", "accepted", "conversation_began", "conversation_ended"]
_DID = {queue.BOB: [*_CALL, *_CALL], queue.CAROLINE: ["log_in", *_CALL]}
"""What happens to the agents from the first of the three callers on."""


def recording_faults(link: str, recording: Mapping[str, Any], agent_hz: float = AGENT_TONE_HZ) -> list[str]:
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
    for side, channel, hz in (("left (caller)", 0, CALLER_TONE_HZ), ("right (agent)", 1, agent_hz)):
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
