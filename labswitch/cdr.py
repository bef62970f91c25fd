"""The variables that FreeSWITCH adds when a call is over: stamps, durations, the cause once more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from labswitch.causes import Q850

if TYPE_CHECKING:
    from labswitch.channel import Channel

_US = 1_000_000


def stamp(time_us: int) -> str:
    """`2026-11-22 00:41:46`, in UTC."""
    return datetime.fromtimestamp(time_us / _US, UTC).strftime("%Y-%m-%d %H:%M:%S")


def report(channel: Channel) -> None:
    """Set the variables of CHANNEL_HANGUP_COMPLETE."""
    times = channel.profile.times
    end = times.hangup
    channel.set("hangup_cause", channel.hangup_cause)
    channel.set("hangup_cause_q850", str(Q850.get(channel.hangup_cause, 0)))
    channel.set("digits_dialed", "none")
    moments = {
        "start": times.created,
        "profile_start": times.profile_created,
        "answer": times.answered,
        "bridge": times.bridged,
        "hold": times.last_hold,
        "progress": times.progress,
        "progress_media": times.progress_media,
        "end": end,
    }
    for name, moment in moments.items():
        if moment:
            channel.set(f"{name}_stamp", stamp(moment))
    for name, moment in moments.items():
        name = "last_hold" if name == "hold" else name
        if name == "progress":
            channel.set("resurrect_epoch", "0")
            channel.set("resurrect_uepoch", "0")
        channel.set(f"{name}_epoch", str(moment // _US))
        channel.set(f"{name}_uepoch", str(moment))
    channel.set("hold_accum_seconds", str(times.hold_accum // _US))
    channel.set("hold_accum_usec", str(times.hold_accum))
    channel.set("hold_accum_ms", str(times.hold_accum // 1000))
    channel.set("last_app", channel.variables.get("current_application"))
    channel.set("last_arg", channel.variables.get("current_application_data"))
    profile = channel.profile
    channel.set("caller_id", f'"{profile.caller_id_name}" <{profile.caller_id_number}>')
    _durations(channel, end)


def _durations(channel: Channel, end: int) -> None:
    """`duration` and its kin in seconds, then in ms, then in µs."""
    times = channel.profile.times

    def since(moment: int, until: int) -> int:
        return max(0, until - moment) if moment else 0

    spans = {
        "duration": since(times.created, end),
        "bill": since(times.answered, end),
        "progress": since(times.created, times.progress),
        "answer": since(times.created, times.answered),
        "wait": since(times.created, times.bridged),
        "progress_media": since(times.created, times.progress_media),
        "flow_bill": since(times.created, end),
    }
    # Seconds count the marks that were passed, as a difference of whole seconds does.
    whole = {"duration": end // _US - times.created // _US}
    whole["bill"] = end // _US - times.answered // _US if times.answered else 0
    for unit, divisor in (("sec", _US), ("msec", 1000), ("usec", 1)):
        for name, span in spans.items():
            value = whole.get(name, span // divisor) if unit == "sec" else span // divisor
            if name == "duration":
                name, suffix = {"sec": "duration", "msec": "mduration", "usec": "uduration"}[unit], ""
            else:
                suffix = unit
            channel.set(name + suffix, str(value))
