"""The task of a channel: goes from state to state as FreeSWITCH's state machine does, until the call is over."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from labswitch import bridge, cdr
from labswitch.dialplan import Action
from labswitch.execute import execute
from labswitch.park import park
from labswitch.state import State

if TYPE_CHECKING:
    from labswitch.channel import Channel

log = logging.getLogger("labswitch.session")

_QUIET = frozenset({State.NEW, State.INIT})


async def run(channel: Channel) -> None:
    """Run the channel to its end. A fault in an application ends the call, never the switch."""
    try:
        while channel.up:
            state = channel.state
            _enter(channel, state)
            await _HANDLERS[state](channel)
            while channel.up and channel.state is state:
                await channel.pulse()
    except asyncio.CancelledError:
        raise
    except Exception:
        log.exception("%s: the channel's task failed", channel.name)
        channel.hangup("DESTINATION_OUT_OF_ORDER")
    await _end(channel)


def _enter(channel: Channel, state: State) -> None:
    channel.running_state = state
    if state not in {State.HIBERNATE, State.RESET}:
        channel.moving = channel.redirected = False
    if state is State.ROUTING and channel.direction == "inbound":
        channel.call_state = "RINGING"
    elif state in {State.EXECUTE, State.PARK} and channel.answered:
        channel.call_state = "ACTIVE"
    if state not in _QUIET:
        channel.fire("CHANNEL_STATE")


async def _routing(channel: Channel) -> None:
    if channel.passive_routing:
        channel.set_state(State.CONSUME_MEDIA)
        return
    channel.hit_dialplan = True
    profile = channel.profile
    inline: list[Action] = []
    # FreeSWITCH runs inline actions while it looks for more; so do later conditions see what they set.
    matches = channel.switch.dialplan.route(
        profile.context, lambda name: channel.get(name) or "", channel.expand, lambda a: _inline(channel, a, inline)
    )
    for action in inline:
        await execute(channel, action.application, action.data)
    actions = [action for match in matches for action in match.actions]
    if not channel.up:
        return
    if not matches:
        log.warning("%s: nothing in context %r takes %s", channel.name, profile.context, profile.destination_number)
        channel.hangup("NO_ROUTE_DESTINATION")
        return
    channel.extension = deque(actions)
    channel.set_state(State.EXECUTE)


def _inline(channel: Channel, action: Action, later: list[Action]) -> None:
    """Inline `set` takes effect at once; other inline applications follow before the first usual action."""
    if action.application == "set":
        name, _, value = channel.expand(action.data).partition("=")
        channel.set(name, value or None)
    else:
        later.append(action)


async def _execute(channel: Channel) -> None:
    while channel.extension and channel.ready:
        action = channel.extension.popleft()
        if not await execute(channel, action.application, action.data):
            break
    if channel.ready:
        channel.hangup("NORMAL_CLEARING")


async def _park(channel: Channel) -> None:
    await park(channel)


async def _hibernate(channel: Channel) -> None:
    channel.set_state(State.RESET)


async def _reset(channel: Channel) -> None:
    if channel.uuid_bridge_to is not None:
        channel.set_state(State.SOFT_EXECUTE)


async def _nothing(channel: Channel) -> None:
    """A passive state: somebody else decides what comes next."""


_HANDLERS: dict[State, Callable[[Channel], Awaitable[None]]] = {
    State.NEW: _nothing,
    State.INIT: _nothing,
    State.ROUTING: _routing,
    State.SOFT_EXECUTE: bridge.on_soft_execute,
    State.EXECUTE: _execute,
    State.EXCHANGE_MEDIA: bridge.on_exchange_media,
    State.PARK: _park,
    State.CONSUME_MEDIA: _nothing,
    State.HIBERNATE: _hibernate,
    State.RESET: _reset,
}


async def _end(channel: Channel) -> None:
    channel.running_state = State.HANGUP
    channel.fire("CHANNEL_STATE")
    for recording in tuple(channel.recordings.values()):
        recording.stop()
    if channel.leg is not None:
        if "sip_hangup_disposition" not in channel.variables:
            channel.set("sip_hangup_disposition", _own_disposition(channel))
        channel.leg.hangup(channel.hangup_cause)
    channel.state = channel.running_state = State.REPORTING
    channel.call_state = "HANGUP"
    channel.fire("CHANNEL_STATE")
    cdr.report(channel)
    channel.switch.tell_ending(channel)
    channel.fire("CHANNEL_HANGUP_COMPLETE", first=[("Hangup-Cause", channel.hangup_cause)])
    channel.switch.tell_ended(channel)
    # A socket that lingers holds the channel, as it holds FreeSWITCH's session.
    if channel.keep_alive:
        await asyncio.wait(channel.keep_alive)
    channel.fire("CHANNEL_DESTROY")
    channel.switch.forget(channel)


def _own_disposition(channel: Channel) -> str:
    """How the switch itself ends a leg: BYE, CANCEL, or a final answer to an INVITE."""
    if channel.answered:
        return "send_bye"
    return "send_cancel" if channel.direction == "outbound" else "send_refuse"
