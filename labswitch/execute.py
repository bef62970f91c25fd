"""Running applications on a channel: from the dialplan, and from `sendmsg` in the middle of another one.

FreeSWITCH has no queue of applications. A `sendmsg execute` is looked at by the loop of whatever runs, at its
next frame, and runs *inside* it; when it is done the outer application goes on. Only `event-lock: true` keeps the
next message waiting until this one is done. The same happens here, because applications are coroutines that
call `run_messages` in their loops.
"""

from __future__ import annotations

import logging
import uuid as uuids
from typing import TYPE_CHECKING

from labswitch import apps
from labswitch.causes import to_cause
from labswitch.config import is_true

if TYPE_CHECKING:
    from labswitch.channel import Channel

log = logging.getLogger("labswitch.execute")

MAX_DEPTH = 16
"""Applications inside applications; deeper ones wait, as in FreeSWITCH."""

_SHORT_S = 0.5
"""`loops` stops after a run shorter than this: it would spin."""


async def run_messages(channel: Channel) -> None:
    """Execute what `sendmsg` queued, unless a locked application runs."""
    if channel.stack_depth > MAX_DEPTH:
        return
    channel.stack_depth += 1
    try:
        while channel.private_events and not channel.event_lock:
            await run_message(channel, channel.private_events.popleft())
            if channel.stop_app:
                break
    finally:
        channel.stack_depth -= 1


async def run_message(channel: Channel, message: dict[str, str]) -> None:
    """One `sendmsg`: `execute` or `hangup`. Keys are lower case."""
    locked = is_true(message.get("event-lock"))
    channel.event_lock += locked
    try:
        command = message.get("call-command", "").lower()
        if command == "execute":
            await _run_execute(channel, message)
        elif command == "hangup":
            channel.hangup(to_cause(message.get("hangup-cause", "NORMAL_CLEARING")))
        else:
            log.warning("%s: call-command %r is not supported here", channel.name, command)
    finally:
        channel.event_lock -= locked


async def _run_execute(channel: Channel, message: dict[str, str]) -> None:
    name = message.get("execute-app-name", "")
    if not name:
        return
    argument = message.get("execute-app-arg") or message.get("_body", "")
    loops = int(message.get("loops", "1") or 1)
    channel.stop_loops = False
    count = 0
    while loops < 0 or count < loops:
        count += 1
        started = channel.switch.clock.monotonic()
        channel.set("current_loop", str(count))
        channel.set("total_loops", str(loops))
        if "event-uuid" in message:
            channel.set("app_uuid", message["event-uuid"])
        if not await execute(channel, name, argument, message.get("event-uuid-name")):
            break
        short = channel.switch.clock.monotonic() - started < _SHORT_S
        if not channel.ready or channel.stop_loops or short:
            break
    channel.set("current_loop", None)
    channel.set("total_loops", None)
    if channel.stop_loops:
        channel.stop_app = True


async def execute(channel: Channel, name: str, argument: str = "", uuid_name: str | None = None) -> bool:
    """Run one application to its end. False where there is none of that name, which ends the call.

    The variable `app_uuid`, used up here, becomes its `Application-UUID`.
    """
    app = apps.find(name)
    if not channel.up:
        if app is not None and app.after_hangup:
            await _perform(channel, app, argument, uuid_name)
        return app is not None
    if app is None:
        log.error("%s: invalid application %s", channel.name, name)
        channel.hangup("DESTINATION_OUT_OF_ORDER")
        return False
    if app.needs_media and not channel.media_up:
        # What makes sound pre-answers an incoming call; an outgoing one must have media already.
        channel.pre_answer()
        if not channel.media_up:
            return False
    await _perform(channel, app, argument, uuid_name)
    return True


async def _perform(channel: Channel, app: apps.App, argument: str, uuid_name: str | None) -> None:
    data = channel.expand(argument) if argument else argument
    identity = [("Application-UUID", channel.variables.pop("app_uuid", None) or str(uuids.uuid4()))]
    if uuid_name:
        identity.append(("Application-UUID-Name", uuid_name))
    what = [("Application", app.name)]
    if data:
        what.append(("Application-Data", data))
    channel.set("current_application_data", data or None)
    channel.set("current_application", app.name)
    channel.set("current_application_response", None)
    channel.application, channel.application_data = app.name, data
    log.info("%s execute %s(%s)", channel.name, app.name, data)
    channel.fire("CHANNEL_EXECUTE", last=[*what, *identity])
    channel.stop_app = False
    await app.run(channel, data)
    response = channel.variables.get("current_application_response", "_none_")
    channel.fire("CHANNEL_EXECUTE_COMPLETE", last=[*what, ("Application-Response", response), *identity])


def break_app(channel: Channel, all_of_it: bool = False) -> None:
    """What `break` and `uuid_break` do: the running application ends at its next frame, `all` also what waits."""
    channel.stop_app = True
    if all_of_it:
        channel.private_events.clear()
    channel.wake()
