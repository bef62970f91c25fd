"""Compares what a real FreeSWITCH said with what the lab switch says: the same frames, per channel in the same order.

The order between two channels is left out: each has its own thread in FreeSWITCH, and the captures themselves differ in
it. Identities are numbered as they appear, paths are made equal, times are compared loosely.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from labswitch.controller import Frame
from tests.captured.conversation import Turn

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")

_COMPARED = """
    Channel-State Channel-Call-State Answer-State Call-Direction Hangup-Cause Unique-ID Other-Type
    Other-Leg-Unique-ID Application Application-Data Application-Response DTMF-Digit DTMF-Source
    Bridge-A-Unique-ID Bridge-B-Unique-ID Record-File-Path Playback-File-Path Playback-Status Job-UUID
    Job-Command Job-Command-Arg Caller-Destination-Number Caller-Context Caller-Profile-Index
    Caller-Direction variable_originate_disposition variable_last_bridge_to variable_bridge_uuid
    variable_last_bridge_hangup_cause variable_bridge_hangup_cause variable_signal_bond
    variable_endpoint_disposition variable_hangup_cause variable_hangup_after_bridge
    variable_transfer_after_bridge variable_read_result variable_choice variable_socket_host
    variable_cw_attempt variable_cw_name variable_cw_offer variable_cw_agent variable_cw_queue
    variable_current_application variable_current_application_data variable_hangup_cause_q850
"""
"""Headers whose values must be the same."""

COMPARED = tuple(_COMPARED.split())
MAX_DELAY_S = 0.35
"""How far apart the same event may be: FreeSWITCH itself loses a quarter of a second where prompts are nested."""

_TIMED = frozenset(
    ("CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE", "CHANNEL_HANGUP", "DTMF")
)

_NOT_KEPT = re.compile(
    r"variable_(rtp_|video_|text_|remote_|audio_|local_media|advertised_media|original_read|ep_codec|switch_[rm]_sdp"
    r"|sip_(full_via|via_|from_tag|to_tag|cseq|full_|contact_|reply_|recover|outgoing|local_network|profile_name"
    r"|destination_url|req_|from_|to_|call_id|network_|term_cause|hangup_phrase|term_status)"
    r"|DP_MATCH|originator_codec|originat(e_causes|ing_leg_uuid|ed_legs)|last_bridge_role|sofia_profile_url"
    r"|recovery_profile_name|session_id|dtmf_type|(read|write)_(codec|rate)|last_bridge_proto|proto_specific"
    r"|(current|total)_(loop|loops)|playback_|pre_transfer|channel_cid_flipped|last_sent_callee|bridge_to\Z"
    r"|hold_events|last_arg|originate_signal_bond|original_caller_id|sip_hangup_disposition|transfer_history|call_uuid"
    r"|is_outbound|bridge_stamp|last_app)"
    r"|(Caller|Other-Leg)-(Callee|Caller-ID|Orig-Caller|ANI|Network|Dialplan|Username|Logical|RDNIS|Context|Source)"
    r"|Channel-(Read|Write)-Codec"
)
"""Headers that FreeSWITCH has and the lab switch may lack, or has at another moment: what describes media and SIP in
detail, which a controller does not need, and names of the other leg."""


@dataclass(frozen=True)
class Said:
    """One frame, made comparable."""

    kind: str
    """Event name, `reply`, `api` or `notice`."""
    values: tuple[tuple[str, str], ...]
    names: frozenset[str]
    """All its headers."""
    at_s: float

    @property
    def channel(self) -> str:
        """Which channel it is about, empty for none."""
        return dict(self.values).get("Unique-ID", "")


class Names:
    """Numbers identities in the order in which they appear."""

    def __init__(self, srv: str = "/srv") -> None:
        self._numbers: dict[str, str] = {}
        self._srv = srv

    def clean(self, text: str) -> str:
        """`text` with identities numbered and paths as in the captures."""
        text = text.replace(self._srv, "/srv")
        return _UUID.sub(lambda match: self._numbers.setdefault(match[0], f"<{len(self._numbers)}>"), text)


def of_capture(turns: Iterable[Turn], names: Names, until_s: float = 1e9) -> list[Said]:
    """What FreeSWITCH said."""
    found = []
    for turn in turns:
        if turn.side == "switch" and turn.at_s <= until_s:
            lines = turn.head.decode().split("\n")
            headers = _headers(lines)
            event = headers if "Event-Name" in headers else {}
            body = turn.body.decode()
            if headers.get("Content-Type") == "text/event-plain":
                block, _, body = body.partition("\n\n")
                event = _headers(block.split("\n"))
            found.append(_said(headers, event, body, turn.at_s, names))
    return found


def of_lab(frames: Iterable[Frame], names: Names, started_s: float) -> list[Said]:
    """What the lab switch said."""
    return [_said(f.headers, f.event, f.body, f.at_s - started_s, names) for f in frames]


def _headers(lines: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(": ")
        if colon:
            found.setdefault(name, value)
    return found


def _said(headers: dict[str, str], event: dict[str, str], body: str, at_s: float, names: Names) -> Said:
    kind = headers.get("Content-Type", "")
    if event:
        values = [(name, names.clean(unquote(event[name]))) for name in COMPARED if name in event]
        if body.strip():
            values.append(("body", names.clean(body.strip())))
        return Said(event["Event-Name"], tuple(values), frozenset(event), at_s)
    if kind == "command/reply":
        return Said("reply", (("text", names.clean(headers.get("Reply-Text", ""))),), frozenset(headers), at_s)
    if kind == "api/response":
        return Said("api", (("text", _api_text(names.clean(body))),), frozenset(headers), at_s)
    notice = headers.get("Content-Disposition", kind)
    return Said("notice", (("disposition", notice),), frozenset(headers), at_s)


def _api_text(text: str) -> str:
    """Answers that are about the machine are reduced to their beginning."""
    text = text.strip()
    for opening in ("UP ", '{"row_count":', "Event-Name: CHANNEL_DATA"):
        if text.startswith(opening):
            return opening
    return text


def missing_headers(real: Said, lab: Said) -> list[str]:
    """Headers that FreeSWITCH's frame has, the lab switch's lacks, and a controller might read."""
    return sorted(name for name in real.names - lab.names if not _NOT_KEPT.match(name))


def streams(said: Iterable[Said]) -> dict[str, list[Said]]:
    """What was said about each channel, and apart from that: replies, notices, events of no channel."""
    found: dict[str, list[Said]] = {}
    for one in said:
        key = one.channel if one.kind.isupper() else one.kind
        found.setdefault(key if key else one.kind, []).append(one)
    return found


def _without_first_park(said: list[Said]) -> list[Said]:
    """The first CHANNEL_PARK comes before or after the engine's subscription, as the threads run."""
    parks = [i for i, one in enumerate(said[:3]) if one.kind == "CHANNEL_PARK"]
    return [one for i, one in enumerate(said) if i not in parks[:1]] if said[0].kind == "CHANNEL_DATA" else said


def differences(real: list[Said], lab: list[Said], tolerated: frozenset[tuple[str, str]] = frozenset()) -> list[str]:
    """Everything in which the lab switch is unlike, in words. `tolerated`: (kind of frame, header) whose values may
    differ in this capture, each with its reason beside the test."""
    found = []
    theirs, ours = streams(real), streams(lab)
    if theirs.keys() != ours.keys():
        found.append(f"channels and kinds: {sorted(theirs)} but {sorted(ours)}")
    for key in theirs.keys() & ours.keys():
        theirs[key], ours[key] = _without_first_park(theirs[key]), _without_first_park(ours[key])
        kinds = [one.kind for one in theirs[key]], [one.kind for one in ours[key]]
        if kinds[0] != kinds[1]:
            found.append(f"{key}:\n  FreeSWITCH {kinds[0]}\n  lab switch {kinds[1]}")
            continue
        for one, two in zip(theirs[key], ours[key], strict=True):
            found += _unlike(key, one, two, tolerated)
    return found


def _unlike(key: str, one: Said, two: Said, tolerated: frozenset[tuple[str, str]]) -> list[str]:
    found = []
    here, there = dict(one.values), dict(two.values)
    if one.kind in _TIMED and abs(one.at_s - two.at_s) > MAX_DELAY_S:
        found.append(f"{key} {one.kind}: at {one.at_s:.3f} but {two.at_s:.3f}")
    for name, value in here.items():
        if (one.kind, name) not in tolerated and there.get(name) != value:
            found.append(f"{key} {one.kind} at {one.at_s:.3f}: {name} {value!r} but {there.get(name)!r}")
    lacking = missing_headers(one, two)
    if lacking:
        found.append(f"{key} {one.kind} at {one.at_s:.3f}: lacks {lacking}")
    return found
