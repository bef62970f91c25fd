"""Blind transfer: the channel leaves what it does and enters the dialplan at another extension."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from labswitch.state import State

if TYPE_CHECKING:
    from labswitch.channel import Channel

log = logging.getLogger("labswitch.transfer")


def transfer(channel: Channel, extension: str, dialplan: str = "", context: str = "") -> None:
    """Route anew. Empty `dialplan` and `context` keep the present ones. A call may be transferred 70 times."""
    left = int(channel.variables.get("max_forwards") or 70) - 1
    if left <= 0:
        channel.hangup("EXCHANGE_ROUTING_ERROR")
        return
    channel.set("max_forwards", str(left))
    profile = channel.profile
    dialplan = dialplan or profile.dialplan or "XML"
    context = context or profile.context or "default"
    channel.set("signal_bond", None)
    channel.moving = True
    channel.passive_routing = False
    now_us = channel.switch.clock.now_us()
    source = f"{now_us // 1_000_000}:{channel.switch.new_uuid()}:bl_xfer:{extension}/{context}/{dialplan}"
    channel.profile = profile.step(
        now_us,
        destination_number=extension,
        dialplan=dialplan,
        context=context,
        rdnis=profile.destination_number,
        transfer_source=source,
    )
    channel.profile.times.transfer = 0
    channel.other = None
    channel.extension.clear()
    channel.push("transfer_history", source)
    channel.set("transfer_source", source)
    channel.set_state(State.ROUTING)
    channel.wake()
    log.info("%s transferred to %s[%s@%s]", channel.name, dialplan, extension, context)


def transfer_after_bridge(channel: Channel, where: str) -> None:
    """`<extension>:<dialplan>:<context>` from the variable of that name, which is used up."""
    channel.set("transfer_after_bridge", None)
    parts = [*where.split(":"), "", ""]
    if parts[0]:
        transfer(channel, parts[0], parts[1], parts[2])
