"""Frames: whatever way the bytes come, hostile ones included."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.switch.frames import Frame, FrameError, FrameReader, HeaderView
from tests.captured.conversation import DATA, conversation
from tests.unit.switch.peer import api, event, notice, reply

CAPTURES = sorted(path.stem for path in DATA.glob("*.esl"))


def read(data: bytes, size: int | None = None, reader: FrameReader | None = None) -> list[Frame]:
    reader = reader or FrameReader()
    pieces = [data[at : at + size] for at in range(0, len(data), size)] if size else [data]
    return [frame for piece in pieces for frame in reader.feed(piece)]


def stream(name: str) -> bytes:
    return b"".join(turn.wire for turn in conversation(name) if turn.side == "switch")


@pytest.mark.parametrize("name", CAPTURES)
def test_every_captured_frame_is_read_however_it_arrives(name: str) -> None:
    turns = [turn for turn in conversation(name) if turn.side == "switch"]
    whole = read(stream(name))
    assert len(whole) == len(turns)
    for turn, frame in zip(turns, whole, strict=True):
        if "text/event-plain" in turn.value("Content-Type"):
            assert frame.name == turn.value("Event-Name")
            assert frame.get("Unique-ID", "") == turn.value("Unique-ID")
    for size in (7, 1000):
        pieces = read(stream(name), size)
        assert [dict(frame.headers) for frame in pieces] == [dict(frame.headers) for frame in whole]
        assert [frame.body for frame in pieces] == [frame.body for frame in whole]


def test_one_byte_at_a_time() -> None:
    data = reply("+OK one") + event("DTMF", {"DTMF-Digit": "#"}) + api("true") + notice("linger")
    frames = read(data, 1)
    assert [frame.content_type for frame in frames] == [
        "command/reply",
        "text/event-plain",
        "api/response",
        "text/disconnect-notice",
    ]
    assert frames[0].reply == "+OK one"
    assert frames[1].get("DTMF-Digit") == "#"
    assert frames[2].reply == "true"
    assert frames[3].get("Content-Disposition") == "linger"


@pytest.mark.req("R123")
def test_a_header_that_the_caller_wrote_is_no_header() -> None:
    frames = read(stream("header_injection"))
    for frame in frames:
        assert frame.get("variable_ua") is None
        assert "variable_ua" not in frame.headers
    agent = frames[0].get("variable_sip_user_agent")
    assert agent is not None
    assert agent.endswith("\nvariable_ua: evil")


def test_escaped_line_breaks_forge_neither_name_nor_id() -> None:
    raw = b"Unique-ID: mine\nCaller-Caller-ID-Name: x%0AUnique-ID%3A%20victim%0AEvent-Name%3A%20CHANNEL_HANGUP\n\n"
    inner = b"Event-Name: CHANNEL_PARK\n" + raw
    (frame,) = read(b"Content-Length: %d\nContent-Type: text/event-plain\n\n%b" % (len(inner), inner))
    assert frame.name == "CHANNEL_PARK"
    assert frame.get("Unique-ID") == "mine"
    assert frame.get("Caller-Caller-ID-Name") == "x\nUnique-ID: victim\nEvent-Name: CHANNEL_HANGUP"


def test_a_background_jobs_text_is_text() -> None:
    (frame,) = read(event("BACKGROUND_JOB", {"Job-UUID": "j"}, b"+OK x\nUnique-ID: forged\n\nJob-UUID: forged\n"))
    assert frame.get("Job-UUID") == "j"
    assert frame.body == "+OK x\nUnique-ID: forged\n\nJob-UUID: forged\n"
    assert dict(frame.headers).keys() == {"Event-Name", "Unique-ID", "Job-UUID", "Content-Length"}


def test_the_answer_to_connect_is_one_block() -> None:
    frame = read(stream("menu_digit"))[0]
    assert frame.content_type == "command/reply"
    assert frame.reply == "+OK"
    assert frame.get("Channel-Caller-ID-Name") == "Jan Novak"
    variables = HeaderView(frame, "variable_")
    assert variables["sip_from_display"] == "Jan Novak"
    assert "nosuch" not in variables
    assert len(variables) == len(list(variables)) > 60
    with pytest.raises(KeyError):
        variables["nosuch"]


def test_names_match_whole() -> None:
    (frame,) = read(event("DTMF", {"X-Unique-ID": "1", "variable_a": "2", "variable_a_b": "3"}))
    assert frame.get("a") is None
    assert frame.get("variable_a") == "2"
    assert frame.get("nique-ID") is None
    assert frame.get("Unique-ID\nX") is None


def test_invalid_utf8_is_replaced() -> None:
    inner = b"Event-Name: DTMF\nA: \xff\xfe\nB: %ff%C5%BD%\xc5\n\n"
    (frame,) = read(b"Content-Length: %d\nContent-Type: text/event-plain\n\n%b" % (len(inner), inner))
    assert frame.get("A") == "\ufffd\ufffd"
    assert frame.get("B") == "\ufffdŽ%\ufffd"
    (answer,) = read(b"Content-Type: api/response\nContent-Length: 2\n\n\xff\xff")
    assert answer.body == "\ufffd\ufffd"


def test_frames_without_a_type_are_frames() -> None:
    (frame, after) = read(b"Reply-Text: hm\n\n" + reply("+OK"))
    assert frame.content_type == ""
    assert after.reply == "+OK"


@pytest.mark.parametrize("length", ["x", "-1", "1e3", "99999999999999999999", "٣", "12 13", "0x10"])
def test_a_length_that_is_no_number(length: str) -> None:
    with pytest.raises(FrameError):
        read(f"Content-Type: api/response\nContent-Length: {length}\n\nabc".encode())


def test_limits() -> None:
    reader = FrameReader(max_head_bytes=1000, max_body_bytes=1000)
    with pytest.raises(FrameError):
        read(b"A: " + b"x" * 2000, 100, reader)
    with pytest.raises(FrameError):
        read(b"A: " + b"x" * 2000 + b"\n\n", None, FrameReader(max_head_bytes=1000))
    with pytest.raises(FrameError):
        read(b"Content-Type: api/response\nContent-Length: 1001\n\n", None, FrameReader(max_body_bytes=1000))


def test_what_came_before_the_fault_is_handed_over() -> None:
    frames = FrameReader().feed(reply("+OK a") + reply("+OK b") + b"Content-Length: x\n\n")
    assert [next(frames).reply, next(frames).reply] == ["+OK a", "+OK b"]
    with pytest.raises(FrameError):
        next(frames)


def test_a_megabyte_of_headers_byte_by_byte_takes_no_square_of_time() -> None:
    """Four times the bytes may take about four times the time, not sixteen."""

    def seconds(size: int) -> float:
        reader = FrameReader(max_head_bytes=1 << 21)
        data = b"A: " + b"x\n" * (size // 2)
        began = time.process_time()
        for at in range(0, len(data), 16):
            list(reader.feed(data[at : at + 16]))
        return time.process_time() - began

    seconds(1 << 16)
    assert seconds(1 << 20) < 10 * seconds(1 << 18) + 0.5


def test_blank_lines_between_frames_are_passed_over() -> None:
    frames = read(b"\n\n\n" + reply("+OK a") + b"\n\r\n" + reply("+OK b"), 1)
    assert [frame.reply for frame in frames] == ["+OK a", "+OK b"]


@given(st.binary(max_size=400), st.integers(1, 50))
@settings(max_examples=300, deadline=None)
def test_garbage_ends_in_frames_or_one_clear_error(data: bytes, size: int) -> None:
    try:
        for frame in read(data, size):
            dict(frame.headers)
            assert isinstance(frame.reply, str)
            assert isinstance(frame.name, str)
    except FrameError:
        pass


HEADER_VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(
    st.dictionaries(st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,10}", fullmatch=True), HEADER_VALUES), st.integers(1, 99)
)
@settings(max_examples=200, deadline=None)
def test_what_was_encoded_comes_back(headers: dict[str, str], size: int) -> None:
    headers = {f"X-{name}": value for name, value in headers.items()}
    (frame,) = read(event("CUSTOM", headers), size)
    assert {name: frame.get(name) for name in headers} == headers
    assert list(frame.headers) == ["Event-Name", "Unique-ID", *headers]
