"""The twelve defects of greenswitch 0.0.19, each shown on greenswitch itself and shown to be gone in ours.

That each scene goes wrong with greenswitch is asserted too: a test that can't fail says nothing.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.event import Event

from engine.switch.port import DeadlinePassed, UnsafeArgument
from tests.captured.conversation import conversation
from tests.unit.switch.defects import (
    FLAVOURS,
    SOON_S,
    Flavour,
    collected,
    ends_soon,
    first_byte_ms,
    forged,
    scene,
    server_of,
)
from tests.unit.switch.peer import OTHER, Peer, complete, connect_block, event, hangup, key, notice, reply

pytestmark = [pytest.mark.parametrize("flavour", FLAVOURS), pytest.mark.req("R124")]
EVIL_NAME = "x%0AUnique-ID%3A%20victim%0Avariable_uuid%3A%20victim"


def defective(flavour: Flavour) -> bool:
    return flavour == "greenswitch"


def test_01_a_caller_forges_headers(flavour: Flavour) -> None:
    with scene(flavour, forged("header_injection")) as (session, _):
        assert (session.session_data.get("variable_ua") == "evil") is defective(flavour)
    block = connect_block().replace(b"Jan Novak", EVIL_NAME.encode())
    with scene(flavour, block) as (session, _):
        assert (session.session_data.get("Unique-ID") == "victim") is defective(flavour)


END_WITHIN_A_BODY = """
import sys, logging
import gevent
from tests.unit.switch.defects import scene
logging.disable()
with scene(sys.argv[1]) as (session, peer):
    peer.send(b"Content-Type: text/event-plain\\nContent-Length: 1000\\n\\nhalf")
    peer.close()
    for tick in range(5):
        gevent.sleep(0.01)
    print("other calls go on", flush=True)
"""


def test_02_an_end_within_a_body_stops_the_whole_process(flavour: Flavour) -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-W", "ignore", "-c", END_WITHIN_A_BODY, flavour]
    try:
        out = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=4 if defective(flavour) else 60)
        stands_still = "other calls go on" not in out.stdout
    except subprocess.TimeoutExpired:
        stands_still = True
    assert stands_still is defective(flavour)


def test_03_events_that_have_come_are_dropped_at_the_end(flavour: Flavour) -> None:
    with scene(flavour) as (session, peer):
        got = collected(session, "DTMF")
        peer.send(*(key("1") for _ in range(900)))
        peer.close()
        with gevent.Timeout(SOON_S * 5, False):
            while len(got) < 900:
                gevent.sleep(0.005)
        assert (len(got) < 900) is defective(flavour)


@pytest.mark.parametrize("end", ["end of file", "hangup", "silence"])
def test_04_waits_never_end(flavour: Flavour, end: str) -> None:
    with scene(flavour) as (session, peer):
        if end == "silence":
            options: dict[str, Any] = {} if defective(flavour) else {"deadline_s": 0.05}
            waiting = gevent.spawn(session.send, "api status", **options)
        else:
            waiting = gevent.spawn(session.call_command, "playback", "/srv/a.wav", block=True)
            command = peer.expect("sendmsg")
            peer.send(reply())
            assert command.app == "playback"
        if end == "hangup":
            over = event("CHANNEL_HANGUP", {"Hangup-Cause": "NORMAL_CLEARING"})
            peer.send(over, hangup())
        elif end == "end of file":
            peer.close()
        assert ends_soon(waiting) is not defective(flavour)
        waiting.kill()


@pytest.mark.parametrize(
    "bytes_",
    [
        b"Content-Type: text/event-plain\nContent-Length: 4\n\n\xff\xfe\n\n",
        b"Content-Type: command/reply\nReply-Text: +OK what\n\n",
        b"Some: thing\n\n",
    ],
    ids=["invalid UTF-8", "unexpected reply", "no type"],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_05_an_odd_frame_kills_the_reader(flavour: Flavour, bytes_: bytes) -> None:
    with scene(flavour) as (session, peer):
        got = collected(session, "DTMF")
        peer.send(bytes_, key("1"))
        with gevent.Timeout(SOON_S, False):
            while not got:
                gevent.sleep(0.005)
        assert (not got) is defective(flavour)
        assert session.connected, "greenswitch does not even notice"


def test_06_a_wait_ends_with_anothers_completion(flavour: Flavour) -> None:
    with scene(flavour) as (session, peer):
        waiting = gevent.spawn(session.call_command, "playback", "/srv/a.wav", block=True)
        peer.expect("sendmsg")
        other = {"Application": "playback", "variable_current_application": "playback", "Application-UUID": "other"}
        peer.send(reply(), event("CHANNEL_EXECUTE_COMPLETE", other, uuid=OTHER))
        assert ends_soon(waiting) is defective(flavour)
        waiting.kill()


def test_06_a_handler_for_one_event_silences_the_handlers_for_all(flavour: Flavour) -> None:
    with scene(flavour) as (session, peer):
        one, every = collected(session, "DTMF"), collected(session, "*")
        peer.send(key("1"))
        with gevent.Timeout(SOON_S, False):
            while not (one and every):
                gevent.sleep(0.005)
        assert one
        assert (not every) is defective(flavour)


def test_07_a_wait_that_timed_out_swallows_the_next_completion(flavour: Flavour) -> None:
    with scene(flavour) as (session, peer):
        first = gevent.spawn(session.call_command, "playback", "/a.wav", block=True, response_timeout=0.05)
        peer.expect("sendmsg")
        peer.send(reply())
        with pytest.raises(gevent.Timeout if defective(flavour) else DeadlinePassed):
            first.get()
        second = gevent.spawn(session.call_command, "playback", "/b.wav", block=True)
        command = peer.expect("sendmsg")
        peer.send(reply(), complete(command, "FILE PLAYED"))
        assert ends_soon(second) is not defective(flavour)
        second.kill()


def test_08_an_argument_begins_a_second_command(flavour: Flavour) -> None:
    with scene(flavour) as (session, peer):
        evil = "/srv/a.wav\n\nsendmsg\ncall-command: hangup"
        asked = gevent.spawn(session.call_command, "playback", evil)
        asked.join(timeout=SOON_S)
        came = [peer.expect("sendmsg"), peer.expect("sendmsg")] if defective(flavour) else []
        assert [command.headers.get("call-command") for command in came] == (
            ["execute", "hangup"] if defective(flavour) else []
        )
        if not defective(flavour):
            assert isinstance(asked.exception, UnsafeArgument)
        asked.kill()


def test_08_missing_arguments_are_sent_as_none(flavour: Flavour) -> None:
    with scene(flavour) as (session, peer):
        asked = gevent.spawn(session.play_and_get_digits, 1, 1, 1, 3000, "#", "/srv/a.wav")
        assert ("None" in peer.expect("sendmsg").arg) is defective(flavour)
        asked.kill()


def test_09_a_background_jobs_text_becomes_headers(flavour: Flavour) -> None:
    with scene(flavour) as (session, peer):
        got = collected(session, "BACKGROUND_JOB")
        peer.send(event("BACKGROUND_JOB", {"Job-UUID": "mine"}, b"+OK done\nJob-UUID: forged\n"))
        with gevent.Timeout(SOON_S, False):
            while not got:
                gevent.sleep(0.005)
        (frame,) = got
        assert (frame.headers["Job-UUID"] == "forged") is defective(flavour)
        if not defective(flavour):
            assert frame.data == "+OK done\nJob-UUID: forged\n"


def test_10_half_a_command_is_written(flavour: Flavour) -> None:
    with scene(flavour) as (session, peer):
        session.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
        size = 4_000_000
        before = len(peer.received)
        asked = gevent.spawn(session.send, "x" * size)
        with gevent.Timeout(10 if not defective(flavour) else SOON_S, False):
            while len(peer.received) - before < size + 2:
                peer._receive()
        assert (len(peer.received) - before < size + 2) is defective(flavour)
        asked.kill()


def test_11_a_new_call_waits_for_the_next_poll(flavour: Flavour) -> None:
    with server_of(flavour, bound=10) as address:
        assert (first_byte_ms(address) > 20) is defective(flavour)


@pytest.mark.parametrize("places", [0, 10], ids=["full", "free"])
def test_11_a_silent_client_stays_for_ever(flavour: Flavour, places: int) -> None:
    with server_of(flavour, places) as address:
        peer = Peer(socket.create_connection(address))
        peer.expect("connect")
        assert peer.ended(SOON_S * 2) is not defective(flavour)
        peer.close()


def test_12_the_queue_of_events_grows_without_bound(flavour: Flavour) -> None:
    count = 20_000
    with scene(flavour) as (session, peer):
        go_on = Event()
        session.register_handle("DTMF", lambda _: go_on.wait())
        events = b"".join(key("1") + event("DTMF", {"Pad": "x" * 300}) for _ in range(count // 2))
        sending = gevent.spawn(peer.send, events)
        sending.join(timeout=20 if defective(flavour) else SOON_S)
        assert sending.ready() is defective(flavour), "whether everything has been taken while nobody could handle it"
        sending.kill()
        go_on.set()


def test_12_an_event_costs_ten_times_what_it_could(flavour: Flavour) -> None:
    """CPU time of a captured event of 6 KB, from the socket to a handler; the limit lies between the two."""
    one = next(
        turn.wire for turn in conversation("caller_hangs_up") if turn.value("Event-Name") == "CHANNEL_EXECUTE_COMPLETE"
    )
    count = 400
    with scene(flavour) as (session, peer):
        peer.send(one)
        session.unregister_handle("*", session.on_event) if defective(flavour) else None
        before = time.process_time()
        sending = gevent.spawn(peer.send, one * count, notice("linger"))
        with gevent.Timeout(20):
            while not session._lingering:
                gevent.sleep(0.001)
        sending.get(timeout=5)
        per_event_us = (time.process_time() - before) / count * 1e6
    assert (per_event_us > 80) is defective(flavour), f"{per_event_us:.0f} µs"
