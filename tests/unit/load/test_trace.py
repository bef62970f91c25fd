"""SIPp's files read: captured ones, and what no capture shows."""

from __future__ import annotations

import pytest

from callwright.load import trace
from callwright.load.trace import Call, Counters, Failure, by_kind
from tests.unit.load import captures

STAMP = "2026-11-22\t05:44:41.258728\t1795326281.258728: "


def test_a_call_that_goes_well() -> None:
    found = captures.calls("good")
    assert [call.call_id for call in found] == [f"cw-{n}" for n in range(1, 13)]
    first = found[0]
    assert first.ringing_s is not None
    assert first.answered_s is not None
    assert first.ended_s is not None
    assert first.began_s < first.trying_s == first.ringing_s < first.answered_s < first.ended_s
    assert all(0.05 < call.answered_s - call.began_s < 0.08 for call in found if call.answered_s)
    assert captures.failures("good") == {}
    assert (captures.counters("good").created, captures.counters("good").successful) == (12, 12)


def test_a_refused_call_ends_with_its_refusal() -> None:
    found = captures.calls("busy")
    assert len(found) == 4
    assert all(call.answered_s is None and call.ended_s is not None for call in found)


def test_retransmissions_of_the_invite_are_counted() -> None:
    assert [call.retransmissions for call in captures.calls("nobody")] == [3, 3]
    assert captures.counters("nobody").retransmissions == 6


@pytest.mark.parametrize(
    ("run", "kinds"),
    [
        ("good", {}),
        ("busy", {"SIP 486 Busy Here": 4}),
        ("timeout", {trace.TIMEOUT: 3}),
        ("nobody", {trace.NO_ANSWER: 2}),
        ("cut_off", {trace.CUT_OFF: 11}),
    ],
)
def test_failures_by_kind(run: str, kinds: dict[str, int]) -> None:
    assert by_kind(captures.counters(run), captures.failures(run)) == kinds


@pytest.mark.parametrize(
    ("error", "call_id", "kind"),
    [
        (
            "Aborting call on unexpected message for Call-Id 'a@b': while expecting '200' (index 4), received "
            "'SIP/2.0 503 Service Unavailable\r\nVia: x\r\n\r\n'",
            "a@b",
            "SIP 503 Service Unavailable",
        ),
        (
            "Aborting call on unexpected message for Call-Id 'a': while pausing (index 5), "
            "received 'INFO sip:x SIP/2.0'",
            "a",
            "unexpected INFO",
        ),
        ("Aborting call on an unexpected BYE for call: a", "a", "unexpected BYE"),
        ("Call-Id: a, send timeout on message name:2: aborting call", "a", trace.COUNTERS["FailedTimeoutOnSend"]),
    ],
)
def test_an_error_says_which_call_and_why(error: str, call_id: str, kind: str) -> None:
    found = trace.failures(f"The following events occurred:\n{STAMP}{error}{STAMP}Some warning that fails no call")
    assert found == {call_id: Failure(kind, 1795326281.258728)}


def test_a_timeout_with_a_label_to_jump_to_is_no_failure() -> None:
    assert trace.failures(f"{STAMP}Call-Id: a, receive timeout on message x:3, jumping to label 7") == {}


def test_the_first_error_of_a_call_is_why_it_failed() -> None:
    text = (
        f"{STAMP}Aborting call on UDP retransmission timeout for Call-ID 'a'{STAMP}Aborted call with Call-ID 'a'"
        f"{STAMP}Dead call a (aborted at index 3), received 'SIP/2.0 200 OK'"
    )
    assert trace.failures(text) == {"a": Failure(trace.NO_ANSWER, 1795326281.258728)}


def test_what_only_the_counters_know_is_added() -> None:
    counters = Counters(created=9, failed=5, kinds={"TCP connection closed": 2, "unexpected message": 3})
    told = {
        "a": Failure("SIP 486 Busy Here", 1.0),
        "b": Failure("unexpected BYE", 1.0),
        "c": Failure(trace.CUT_OFF, 2.0),
    }
    assert by_kind(counters, told) == {
        "TCP connection closed": 2,
        "SIP 486 Busy Here": 1,
        trace.CUT_OFF: 1,
        "unexpected BYE": 1,
        "unexpected message": 1,
    }


def test_the_kinds_sum_up_to_what_sipp_counted() -> None:
    assert by_kind(Counters(failed=3), {}) == {"for a reason that SIPp does not say": 3}


def test_a_call_without_an_end_was_cut_off() -> None:
    found = trace.with_cut_off(
        [Call("a", 1.0), Call("b", 1.0, ended_s=2.0), Call("c", 1.0)], {"c": Failure("x", 1.5)}, 3.0
    )
    assert found == {"c": Failure("x", 1.5), "a": Failure(trace.CUT_OFF, 3.0)}


def test_a_call_that_waited_in_vain_for_any_response_has_no_answer() -> None:
    calls = [Call("silent", 1.0), Call("rang", 1.0, trying_s=1.1), Call("waited", 1.0), Call("young", 3.5)]
    failed = {
        "silent": Failure(trace.TIMEOUT, 3.0),
        "rang": Failure(trace.TIMEOUT, 3.0),
        "waited": Failure(trace.CUT_OFF, 4.0),
        "young": Failure(trace.CUT_OFF, 4.0),
    }
    kinds = {call_id: why.kind for call_id, why in trace.with_no_answer(calls, failed, 2.0).items()}
    assert kinds == {
        "silent": trace.NO_ANSWER, "rang": trace.TIMEOUT, "waited": trace.NO_ANSWER, "young": trace.CUT_OFF,
    }  # fmt: skip


def test_a_password_asked_for_is_not_the_end() -> None:
    lines = [
        "d\tt\t10.0\tS\ta\tCSeq:1 INVITE\tINVITE sip:1@b SIP/2.0",
        "d\tt\t10.1\tR\ta\tCSeq:1 INVITE\tSIP/2.0 407 Proxy Authentication Required",
        "d\tt\t10.2\tS\ta\tCSeq:2 INVITE\tINVITE sip:1@b SIP/2.0",
        "d\tt\t10.3\tR\ta\tCSeq:2 INVITE\tSIP/2.0 200 OK",
        "d\tt\t10.4\tS\ta\tCSeq:3 INVITE\tINVITE sip:1@b SIP/2.0",
        "d\tt\t10.5\tS\ta\tCSeq:4 BYE\tBYE sip:1@b SIP/2.0",
        "d\tt\t10.6\tR\ta\tCS",
    ]
    [call] = trace.calls(lines)
    assert (call.trying_s, call.answered_s, call.ended_s, call.retransmissions) == (10.1, 10.3, 10.5, 0)


def test_a_line_of_statistics_that_is_cut_off_is_refused() -> None:
    header, *_, last = (captures.DIRECTORY / "good" / "stats.csv").read_text(encoding="utf-8").splitlines()
    with pytest.raises(ValueError, match="zip"):
        Counters.read(header, last[: len(last) // 2])
