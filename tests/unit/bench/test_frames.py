"""What the player sends is what FreeSWITCH sent, but for the ids."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import pytest

from callwright.bench.frames import DIALPLAN, frames, notice
from engine.switch.frames import EVENT, Frame, FrameReader
from tests.captured.conversation import Turn, conversation

CAPTURED = ("menu_digit", "pipeline", "caller_hangs_up")
CALL = str(uuid.uuid4()).encode()
APPLICATION = str(uuid.uuid4()).encode()
_ID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|420601234567|4206\d{8}(?=\D)")


def _without_ids(text: bytes) -> bytes:
    return _ID.sub(b"*", text.replace(DIALPLAN, b"")).strip()


def _captured() -> Iterator[Turn]:
    for name in CAPTURED:
        yield from (turn for turn in conversation(name) if turn.side == "switch")


@pytest.fixture(scope="module")
def captured() -> set[bytes]:
    return {_without_ids(turn.body if b"text/event-plain" in turn.head else turn.wire) for turn in _captured()}


@pytest.mark.parametrize("name", list(frames()))
def test_each_frame_is_one_that_was_captured(name: str, captured: set[bytes]) -> None:
    sent = frames()[name].fill(CALL, APPLICATION)
    text = sent.partition(b"\n\n")[2] if frames()[name].event else sent
    assert _without_ids(text) in captured


@pytest.mark.parametrize("name", [name for name, frame in frames().items() if frame.event])
def test_each_event_is_of_the_call_that_is_played(name: str) -> None:
    (read,) = FrameReader().feed(frames()[name].fill(CALL, APPLICATION))
    assert read.content_type == EVENT
    assert read.name == frames()[name].event
    assert read.get("Unique-ID") == CALL.decode()
    if read.name in ("CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE"):
        assert read.get("Application-UUID") == APPLICATION.decode()


def test_the_channel_block_carries_what_our_dialplan_sets() -> None:
    connect = _one(frames()["connect"].fill(CALL))
    assert connect.get("variable_cw_managed") == "true"
    assert connect.get("variable_cw_attempt") == "1"
    assert connect.get("Reply-Text") == "+OK\n"


def test_two_calls_have_different_callers() -> None:
    numbers = {_one(frames()["connect"].fill(str(uuid.uuid4()).encode())).get("Caller-Caller-ID-Number") for _ in "ab"}
    assert len(numbers) == 2
    assert all(number and re.fullmatch(r"\+4206\d{8}", number) for number in numbers)


def test_nothing_is_left_over_behind_the_goodbye() -> None:
    reader = FrameReader()
    frame, *more = reader.feed(notice("goodbye", CALL) + notice("lingering", CALL))
    assert frame.body.endswith("http://www.cluecon.com/\n")
    assert [each.get("Content-Disposition") for each in more] == ["linger"]
    assert reader.pending == 0


def _one(wire: bytes) -> Frame:
    (frame,) = FrameReader().feed(wire)
    return frame
