"""Two channels that talk to each other, and what becomes of each when that ends.

Each side runs its own loop in its own task, as FreeSWITCH gives each its thread: the originator from the
application `bridge` or from `uuid_bridge`, the peer in the state CS_EXCHANGE_MEDIA. Who gets the call back afterwards
is decided by the variables `hangup_after_bridge`, `park_after_bridge` and `transfer_after_bridge`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labswitch.config import is_true
from labswitch.execute import run_message
from labswitch.state import State
from labswitch.transfer import transfer_after_bridge

if TYPE_CHECKING:
    from labswitch.channel import Channel

_LEAD_FRAMES = 5
"""Frames that pass before `sendmsg` is looked at on a bridged channel."""

_BRIDGE_WAIT_S = 10.0


async def two_party(channel: Channel, peer: Channel) -> None:
    """Bridge `channel` with `peer` until one leaves; then decide where `channel` goes."""
    if not peer.up or not channel.ready:
        if peer.up:
            peer.hangup(channel.hangup_cause or "ORIGINATOR_CANCEL")
        return
    _pass_answer(channel, peer)
    peer.set_state(State.CONSUME_MEDIA)
    peer.set("call_uuid", channel.uuid)
    channel.profile.times.bridged = peer.profile.times.bridged = channel.switch.clock.now_us()
    between = [("Bridge-A-Unique-ID", channel.uuid), ("Bridge-B-Unique-ID", peer.uuid)]
    channel.fire("CHANNEL_BRIDGE", first=between)
    for one, two in ((channel, peer), (peer, channel)):
        one.set("last_bridge_to", two.uuid)
        one.set("bridge_channel", two.name)
        one.set("bridge_uuid", two.uuid)
        one.set("signal_bond", two.uuid)
        one.set("last_sent_callee_id_name", two.profile.caller_id_name or None)
        one.set("last_sent_callee_id_number", two.profile.caller_id_number or None)
        one.bridge_peer = two
    peer.set_state(State.EXCHANGE_MEDIA)
    clean = await _exchange(channel, peer)
    peer.stop_loops = True
    peer.wake()
    while peer.up and peer.state is State.EXCHANGE_MEDIA:
        await channel.pulse()
    _after_bridge(channel, peer, between, clean)


def _pass_answer(channel: Channel, peer: Channel) -> None:
    """A caller is answered when the called one answers, and hears early media as soon as there is some."""
    if peer.answered:
        channel.answer()
    elif peer.early:
        channel.pre_answer()


async def _exchange(channel: Channel, other: Channel) -> bool:
    """One side: what `channel` says goes to `other`. True when `channel` itself was taken out of the bridge."""
    channel.bridged = True
    clock = channel.switch.clock
    until = clock.monotonic() + _BRIDGE_WAIT_S
    while not other.bridged and other.up and not other.moving and channel.up and clock.monotonic() < until:
        await channel.pulse()
    frames, clean = 0, False
    try:
        while True:
            if channel.moving:
                clean = True
                break
            if not channel.ready:
                clean = channel.up
                break
            if other.moving or not other.bridged or not other.up:
                break
            if frames > _LEAD_FRAMES and channel.private_events and not channel.event_lock:
                await _message(channel, other)
            _pass_answer(channel, other)
            if channel.suspended or other.suspended:
                await channel.frame()
                continue
            while (key := channel.take_key()) is not None:
                if other.leg is not None and not is_true(channel.variables.get("bridge_filter_dtmf")):
                    other.leg.send_dtmf(key)
            heard = await channel.frame()
            frames += 1
            if not channel.held and not other.held and channel.media_up:
                other.write(heard)
    finally:
        channel.bridged = False
        channel.bridge_peer = None
        other.wake()
    return clean


async def _message(channel: Channel, other: Channel) -> None:
    """`sendmsg` on a bridged channel: the other side hears nothing meanwhile."""
    other.suspended = True
    try:
        await run_message(channel, channel.private_events.popleft())
    finally:
        other.suspended = False


def _after_bridge(channel: Channel, peer: Channel, between: list[tuple[str, str]], clean: bool) -> None:
    if channel.hangup_cause:
        peer.set("bridge_hangup_cause", channel.hangup_cause)
    if peer.hangup_cause:
        channel.set("bridge_hangup_cause", peer.hangup_cause)
    peer.set("call_uuid", peer.uuid)
    channel.fire("CHANNEL_UNBRIDGE", first=between)
    state = channel.state
    if channel.moving or clean or not channel.up:
        if channel.redirected and state not in {State.RESET, State.PARK, State.ROUTING, State.EXECUTE}:
            channel.set_state(State.RESET)
        return
    hup = channel.variables.get("hangup_after_bridge", "")
    if hup.lower() == "explicit":
        channel.hangup(peer.hangup_cause or "NORMAL_CLEARING")
    elif peer.answered and is_true(channel.variables.get("park_after_bridge")):
        channel.moving = True
        channel.set_state(State.PARK)
    elif peer.answered and (where := channel.variables.get("transfer_after_bridge")):
        transfer_after_bridge(channel, where)
    elif peer.answered and is_true(hup):
        channel.hangup(peer.hangup_cause or "NORMAL_CLEARING")


async def on_exchange_media(channel: Channel) -> None:
    """The peer's side of a bridge."""
    other = channel.bridge_peer
    if other is None:
        channel.hangup("DESTINATION_OUT_OF_ORDER")
        return
    clean = await _exchange(channel, other)
    if other.hangup_cause:
        channel.set("bridge_hangup_cause", other.hangup_cause)
    if channel.moving or clean or not channel.up or channel.state is not State.EXCHANGE_MEDIA:
        return
    if is_true(channel.variables.get("park_after_bridge")):
        channel.set_state(State.PARK)
    elif where := channel.variables.get("transfer_after_bridge"):
        transfer_after_bridge(channel, where)
    else:
        channel.hangup("NORMAL_CLEARING" if channel.answered else "ORIGINATOR_CANCEL")


# -- uuid_bridge ---------------------------------------------------------------------------------------------------


def uuid_bridge(channel: Channel, peer: Channel) -> bool:
    """Take both out of what they do and bridge them. False where neither has media."""
    if not channel.up or not peer.up:
        return False
    if not channel.media_up:
        if not peer.media_up:
            return False
        channel, peer = peer, channel
    now_us = channel.switch.clock.now_us()
    channel.moving = peer.moving = channel.redirected = peer.redirected = True
    for one, two in ((channel, peer), (peer, channel)):
        one.set("bridge_channel", two.name)
        one.set("bridge_uuid", two.uuid)
        one.set("signal_bond", two.uuid)
        one.set("original_destination_number", one.profile.destination_number)
        one.set("original_caller_id_name", one.profile.caller_id_name or None)
        one.set("original_caller_id_number", one.profile.caller_id_number or None)
    first, second = channel.profile, peer.profile
    channel.profile = first.step(now_us, callee_id_name=second.callee_id_name, callee_id_number=second.callee_id_number)
    peer.profile = second.step(now_us, caller_id_name=first.caller_id_name, caller_id_number=first.caller_id_number)
    channel.other, channel.other_type = peer.profile, "originatee"
    peer.other, peer.other_type = channel.profile, "originator"
    for one, two in ((channel, peer), (peer, channel)):
        source = f"{now_us // 1_000_000}:{channel.switch.new_uuid()}:uuid_br:{two.uuid}"
        one.profile.transfer_source = source
        one.push("transfer_history", source)
        one.set("transfer_source", source)
        one.stop_loops = True
    channel.uuid_bridge_to, peer.uuid_bridge_to = peer, None
    channel.set("uuid_bridge", peer.uuid)
    for one in (channel, peer):
        one.passive_routing = False
        one.set_state(State.CONSUME_MEDIA if one.state is State.HIBERNATE else State.HIBERNATE)
        one.wake()
    return True


async def on_soft_execute(channel: Channel) -> None:
    """Wait until the other has come here too, then bridge. The one that was bridged to only waits."""
    peer, channel.uuid_bridge_to = channel.uuid_bridge_to, None
    if peer is None:
        return
    channel.set("uuid_bridge", None)
    if not peer.up:
        _orphaned(channel)
        return
    while peer.up and channel.up and not channel.moving:
        if peer.running_state is State.RESET and peer.state is State.RESET:
            peer.set_state(State.SOFT_EXECUTE)
        if peer.running_state is State.SOFT_EXECUTE and peer.state is State.SOFT_EXECUTE:
            break
        await channel.pulse()
    if not channel.ready or not peer.ready:
        _missed(channel, peer)
        return
    channel.fire("CHANNEL_EXECUTE", last=[("Application", "uuid_bridge"), ("Application-Data", peer.uuid)])
    peer.fire("CHANNEL_EXECUTE", last=[("Application", "uuid_bridge"), ("Application-Data", channel.uuid)])
    for one, two in ((channel, peer), (peer, channel)):
        one.application, one.application_data = "uuid_bridge", two.uuid
    await two_party(channel, peer)
    if not channel.moving and channel.up and channel.state not in {State.ROUTING, State.PARK}:
        channel.set_state(State.EXECUTE)


def _missed(channel: Channel, peer: Channel) -> None:
    """One of the two went away in the moment before they met."""
    if channel.moving:
        return
    if not channel.ready:
        peer.hangup("DESTINATION_OUT_OF_ORDER")
    elif is_true(channel.variables.get("uuid_bridge_continue_on_cancel")):
        channel.set_state(State.EXECUTE)
    elif is_true(channel.variables.get("uuid_bridge_park_on_cancel")):
        channel.set_state(State.PARK)
    else:
        channel.hangup("ORIGINATOR_CANCEL")


def _orphaned(channel: Channel) -> None:
    """The other had hung up before the bridge began: the variables that decide after a bridge decide now."""
    if is_true(channel.variables.get("park_after_bridge")):
        channel.set_state(State.PARK)
    elif where := channel.variables.get("transfer_after_bridge"):
        transfer_after_bridge(channel, where)
    else:
        channel.hangup("DESTINATION_OUT_OF_ORDER")
