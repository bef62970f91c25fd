"""Reads what SIPp wrote: its messages (`-trace_shortmsg`), its errors (`-trace_err`), its counters (`-trace_stat`).

Times come from the messages, each of which SIPp stamps to the microsecond. Its own response times (`-trace_rtt`) come
in the steps of the kernel's coarse clock, 4 ms on most machines, and only where a scenario sets timers.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

CUT_OFF = "interrupted: still running when the run ended"
NO_ANSWER = "no answer"
TIMEOUT = "timeout: an expected message did not come"

COUNTERS = {
    "FailedCannotSendMessage": "a message could not be sent",
    "FailedMaxUDPRetrans": NO_ANSWER,
    "FailedTcpConnect": "TCP connection refused",
    "FailedTcpClosed": "TCP connection closed",
    "FailedUnexpectedMessage": "unexpected message",
    "FailedCallRejected": "call rejected",
    "FailedCmdNotSent": "command not sent",
    "FailedRegexpDoesntMatch": "a pattern of the scenario did not match",
    "FailedRegexpShouldntMatch": "a pattern of the scenario matched that should not",
    "FailedRegexpHdrNotFound": "a header that the scenario looks for is missing",
    "FailedOutboundCongestion": "outbound congestion",
    "FailedTimeoutOnRecv": TIMEOUT,
    "FailedTimeoutOnSend": "timeout: a message could not be sent in time",
    "FailedTestDoesntMatch": "a test of the scenario failed",
    "FailedTestShouldntMatch": "a test of the scenario held that should not",
    "FailedStrcmpDoesntMatch": "a comparison of the scenario failed",
    "FailedStrcmpShouldntMatch": "a comparison of the scenario held that should not",
}
"""SIPp's kinds of failure in words."""

# SIPp puts no line break behind most of its errors; each begins with date, time and epoch.
_STAMP = re.compile(r"\d{4}-\d\d-\d\d\t\d\d:\d\d:\d\d\.\d{6}\t(\d+\.\d{6}): ")
_UNEXPECTED = re.compile(
    r"Aborting call on unexpected message for Call-Id '([^']*)': while [^\n]*?\(index \d+\), received '([^\r\n]*)"
)
_ENDED = re.compile(r"Aborting call on an? unexpected (BYE|CANCEL) for call: (\S+)")
_OTHERS = (
    (re.compile(r"Aborting call on UDP retransmission timeout for Call-ID '([^']*)'"), NO_ANSWER),
    (re.compile(r"Call-Id: (\S+), receive timeout on message [^\n]* without label"), TIMEOUT),
    (re.compile(r"Call-Id: (\S+), send timeout on message "), COUNTERS["FailedTimeoutOnSend"]),
    (re.compile(r"Aborted call with Call-ID '([^']*)'"), CUT_OFF),
)


@dataclass(slots=True)
class Call:
    """One call as its messages show it; times are seconds of the epoch, None where that did not happen."""

    call_id: str
    began_s: float
    trying_s: float | None = None
    """The first response, whichever."""
    ringing_s: float | None = None
    """The first 18x."""
    answered_s: float | None = None
    ended_s: float | None = None
    """The first BYE, or the refusal."""
    retransmissions: int = 0
    """INVITEs that were sent again."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call failed, and when."""

    kind: str
    at_s: float


def calls(lines: Iterable[str]) -> list[Call]:
    """The calls that SIPp made, in their order, from its short messages. A line that is cut off is left out."""
    found: dict[str, Call] = {}
    invites: set[tuple[str, str]] = set()
    for line in lines:
        parts = line.rstrip("\r\n").split("\t", 6)
        if len(parts) < 7:
            continue
        at_s, direction, call_id, sequence, first = float(parts[2]), parts[3], parts[4], parts[5], parts[6]
        call = found.get(call_id)
        if call is None:
            if direction == "S" and first.startswith("INVITE "):
                found[call_id] = Call(call_id, at_s)
                invites.add((call_id, sequence))
        elif direction == "S" and first.startswith("INVITE ") and call.answered_s is None:
            call.retransmissions += (call_id, sequence) in invites
            invites.add((call_id, sequence))
        elif first.startswith("BYE "):
            call.ended_s = call.ended_s or at_s
        elif direction == "R" and sequence.endswith("INVITE") and first.startswith("SIP/2.0 "):
            _respond(call, first[8:11], at_s)
    return list(found.values())


def _respond(call: Call, status: str, at_s: float) -> None:
    call.trying_s = call.trying_s or at_s
    if status.startswith("18"):
        call.ringing_s = call.ringing_s or at_s
    elif status.startswith("2"):
        call.answered_s = call.answered_s or at_s
    # 401 and 407 ask for a password; the call goes on with the next INVITE
    elif status[:1] in "3456" and status not in ("401", "407"):
        call.ended_s = call.ended_s or at_s


def failures(text: str) -> dict[str, Failure]:
    """The calls that failed, by Call-ID, from SIPp's errors. The first error of a call is why it failed."""
    found: dict[str, Failure] = {}
    stamps = list(_STAMP.finditer(text))
    ends = [*(stamp.start() for stamp in stamps), len(text)][1:]
    for stamp, end in zip(stamps, ends, strict=True):
        told = _told(text[stamp.end() : end])
        if told is not None:
            found.setdefault(told[0], Failure(told[1], float(stamp[1])))
    return found


def with_cut_off(calls: Iterable[Call], failed: Mapping[str, Failure], until_s: float) -> dict[str, Failure]:
    """The failures, and besides them every call that has no end: it was still running when SIPp ended, at `until_s`."""
    running = (call.call_id for call in calls if call.ended_s is None and call.call_id not in failed)
    return {**failed, **dict.fromkeys(running, Failure(CUT_OFF, until_s))}


def with_no_answer(calls: Iterable[Call], failed: Mapping[str, Failure], timeout_s: float) -> dict[str, Failure]:
    """The failures; a call that waited for so long and to which nothing at all came is one without an answer."""
    silent = {call.call_id: call.began_s for call in calls if call.trying_s is None}
    return {
        call_id: Failure(NO_ANSWER, why.at_s)
        if (why.kind == TIMEOUT and call_id in silent)
        or (why.kind == CUT_OFF and why.at_s - silent.get(call_id, why.at_s) >= timeout_s)
        else why
        for call_id, why in failed.items()
    }


def _told(error: str) -> tuple[str, str] | None:
    """Call-ID and kind, None for an error that fails no call."""
    if unexpected := _UNEXPECTED.match(error):
        call_id, received = unexpected.groups()
        if received.startswith("SIP/2.0 "):
            return call_id, f"SIP {received.removeprefix('SIP/2.0 ')}"
        return call_id, f"unexpected {received.partition(' ')[0]}"
    if ended := _ENDED.match(error):
        return ended[2], f"unexpected {ended[1]}"
    for pattern, kind in _OTHERS:
        if other := pattern.match(error):
            return other[1], kind
    return None


@dataclass(frozen=True, slots=True)
class Counters:
    """SIPp's own counts, from the last line of its statistics."""

    created: int = 0
    current: int = 0
    successful: int = 0
    failed: int = 0
    retransmissions: int = 0
    watchdog: int = 0
    """How often SIPp noticed that it had not run for half a second."""
    kinds: Mapping[str, int] | None = None
    """Failures by kind, in words."""

    @classmethod
    def read(cls, header: str, line: str) -> Counters:
        """From the header and one line of the statistics. Raises ValueError for a line that is cut off."""
        names, values = (next(csv.reader([text.strip().rstrip(";")], delimiter=";")) for text in (header, line))
        row = dict(zip(names, values, strict=True))
        return cls(
            created=int(row["TotalCallCreated"]),
            current=int(row["CurrentCall"]),
            successful=int(row["SuccessfulCall(C)"]),
            failed=int(row["FailedCall(C)"]),
            retransmissions=int(row["Retransmissions(C)"]),
            watchdog=int(row["WatchdogMajor(C)"]) + int(row["WatchdogMinor(C)"]),
            kinds={
                words: int(row[f"{name}(C)"]) for name, words in COUNTERS.items() if row.get(f"{name}(C)", "0") != "0"
            },
        )


def by_kind(counters: Counters, failed: Mapping[str, Failure]) -> dict[str, int]:
    """How many calls failed for which reason, the most frequent first; the sum is what SIPp counted.

    The errors say more than the counters (the SIP status that came); what only the counters know is added.
    """
    kinds: dict[str, int] = {}
    for failure in failed.values():
        kinds[failure.kind] = kinds.get(failure.kind, 0) + 1
    left = counters.failed - sum(count for kind, count in kinds.items() if kind != CUT_OFF)
    for kind, count in (counters.kinds or {}).items():
        more = min(left, count - _told_of(kind, kinds))
        if more > 0:
            kinds[kind] = kinds.get(kind, 0) + more
            left -= more
    if left > 0:
        kinds["for a reason that SIPp does not say"] = left
    return dict(sorted(kinds.items(), key=lambda item: (-item[1], item[0])))


def _told_of(kind: str, kinds: Mapping[str, int]) -> int:
    """How many of the counter's failures the errors have told of already."""
    if kind == COUNTERS["FailedUnexpectedMessage"]:
        return sum(count for told, count in kinds.items() if told.startswith(("SIP ", "unexpected ")))
    return kinds.get(kind, 0)
