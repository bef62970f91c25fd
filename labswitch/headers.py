"""What a channel looks like in an event: FreeSWITCH's header names in FreeSWITCH's order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labswitch.channel import Channel

Headers = list[tuple[str, str]]


@dataclass
class Times:
    """Moments of a channel's life in microseconds since 1970, 0 where they never came."""

    profile_created: int = 0
    created: int = 0
    answered: int = 0
    progress: int = 0
    progress_media: int = 0
    hangup: int = 0
    transfer: int = 0
    bridged: int = 0
    last_hold: int = 0
    hold_accum: int = 0


@dataclass
class CallerProfile:
    """Who calls whom, as one leg sees it. A transfer gives the channel a fresh copy with the next index."""

    uuid: str
    direction: str
    channel_name: str
    destination_number: str
    caller_id_name: str = ""
    caller_id_number: str = ""
    orig_caller_id_name: str = ""
    orig_caller_id_number: str = ""
    callee_id_name: str = ""
    callee_id_number: str = ""
    username: str = ""
    dialplan: str = ""
    context: str = "default"
    network_addr: str = ""
    ani: str = ""
    rdnis: str = ""
    source: str = "mod_sofia"
    transfer_source: str = ""
    logical_direction: str = ""
    index: int = 1
    times: Times = field(default_factory=Times)

    def step(self, now_us: int, **changes: str) -> CallerProfile:
        """The profile after a transfer or re-bridge: same times, own creation time, next index."""
        times = replace(self.times, profile_created=now_us)
        return replace(self, index=self.index + 1, times=times, **changes)

    def headers(self, prefix: str, index: bool = True) -> Headers:
        """`<prefix>-Direction` to `<prefix>-Privacy-Hide-Number`; empty texts are left out."""
        texts = [
            ("Direction", self.direction),
            ("Logical-Direction", self.logical_direction or self.direction),
            ("Username", self.username),
            ("Dialplan", self.dialplan),
            ("Caller-ID-Name", self.caller_id_name),
            ("Caller-ID-Number", self.caller_id_number),
            ("Orig-Caller-ID-Name", self.orig_caller_id_name),
            ("Orig-Caller-ID-Number", self.orig_caller_id_number),
            ("Callee-ID-Name", self.callee_id_name),
            ("Callee-ID-Number", self.callee_id_number),
            ("Network-Addr", self.network_addr),
            ("ANI", self.ani),
            ("Destination-Number", self.destination_number),
            ("Unique-ID", self.uuid),
            ("Source", self.source),
            ("Transfer-Source", self.transfer_source),
            ("Context", self.context),
            ("RDNIS", self.rdnis),
            ("Channel-Name", self.channel_name),
            ("Profile-Index", str(self.index) if index else ""),
        ]
        times = self.times
        numbers = [
            ("Profile-Created-Time", times.profile_created),
            ("Channel-Created-Time", times.created),
            ("Channel-Answered-Time", times.answered),
            ("Channel-Progress-Time", times.progress),
            ("Channel-Progress-Media-Time", times.progress_media),
            ("Channel-Hangup-Time", times.hangup),
            ("Channel-Transfer-Time", times.transfer),
            ("Channel-Resurrect-Time", 0),
            ("Channel-Bridged-Time", times.bridged),
            ("Channel-Last-Hold", times.last_hold),
            ("Channel-Hold-Accum", times.hold_accum),
        ]
        last = [("Screen-Bit", "true"), ("Privacy-Hide-Name", "false"), ("Privacy-Hide-Number", "false")]
        return [
            *((f"{prefix}-{name}", value) for name, value in texts if value),
            *((f"{prefix}-{name}", str(value)) for name, value in numbers),
            *((f"{prefix}-{name}", value) for name, value in last),
        ]


def basic(channel: Channel) -> Headers:
    """State, names, codec, caller and other leg: what every event of a channel holds."""
    direction = channel.direction
    found = [
        ("Channel-State", channel.running_state.label),
        ("Channel-Call-State", channel.call_state),
        ("Channel-State-Number", str(int(channel.state))),
        ("Channel-Name", channel.name),
        ("Unique-ID", channel.uuid),
        ("Call-Direction", direction),
        ("Presence-Call-Direction", direction),
        ("Channel-HIT-Dialplan", "true" if direction == "inbound" or channel.hit_dialplan else "false"),
        ("Channel-Call-UUID", channel.variables.get("call_uuid", channel.uuid)),
        ("Answer-State", channel.answer_state),
    ]
    if channel.hangup_cause:
        found.append(("Hangup-Cause", channel.hangup_cause))
    if channel.codec:
        for way in ("Read", "Write"):
            found += [
                (f"Channel-{way}-Codec-Name", channel.codec),
                (f"Channel-{way}-Codec-Rate", "8000"),
                (f"Channel-{way}-Codec-Bit-Rate", "64000"),
            ]
    found += channel.profile.headers("Caller")
    if channel.other is not None:
        found.append(("Other-Type", channel.other_type))
        found += channel.other.headers("Other-Leg", index=False)
    return found


def variables(values: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """`variable_<name>` for each, in the order in which they were set."""
    return ((f"variable_{name}", value) for name, value in values.items())
