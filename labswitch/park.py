"""Parking: the channel does nothing but what `sendmsg` asks for. Every controlled call spends its life here."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from labswitch.causes import to_cause
from labswitch.execute import run_messages

if TYPE_CHECKING:
    from labswitch.channel import Channel

log = logging.getLogger("labswitch.park")


async def park(channel: Channel) -> None:
    """Stay until hangup, transfer, `park_timeout` or until whoever controls the channel lets go of it."""
    if channel.controlled:
        log.error("%s is under control already, can't be parked", channel.name)
        return
    expires, cause = _timeout(channel)
    channel.controlled = channel.parked = True
    channel.fire("CHANNEL_PARK")
    while channel.ready and channel.controlled and channel.parked:
        await channel.frame()
        if expires is not None and channel.switch.clock.monotonic() >= expires:
            channel.hangup(cause)
            break
        await run_messages(channel)
        channel.take_key()
    channel.controlled = channel.parked = False
    channel.fire("CHANNEL_UNPARK")


def _timeout(channel: Channel) -> tuple[float | None, str]:
    """`park_timeout=<seconds>[:<cause>]`, used up by one park."""
    text = channel.variables.get("park_timeout")
    if not text:
        return None, ""
    seconds, _, cause = text.partition(":")
    channel.set("park_timeout", None)
    channel.set("park_after_bridge", None)
    return channel.switch.clock.monotonic() + int(seconds), to_cause(cause) if cause else "NORMAL_CLEARING"
