"""bridge and intercept: connecting a channel with another."""

from __future__ import annotations

from labswitch.apps import app
from labswitch.bridge import two_party, uuid_bridge
from labswitch.causes import to_cause
from labswitch.channel import Channel
from labswitch.config import is_true
from labswitch.originate import originate

_NEVER_CONTINUES = frozenset({"ATTENDED_TRANSFER", "BLIND_TRANSFER"})


@app("bridge")
async def bridge(channel: Channel, data: str) -> None:
    """Call a dial string and talk until one side hangs up; the outcome is in `originate_disposition`."""
    outcome = await originate(channel.switch, data, channel)
    peer = outcome.channel
    if peer is None:
        if channel.ready:
            _failed(channel, outcome.cause)
        return
    channel.other, channel.other_type = peer.profile, "originatee"
    peer.other, peer.other_type = channel.profile, "originator"
    await two_party(channel, peer)


def _failed(channel: Channel, cause: str) -> None:
    """`continue_on_fail`: true, or a list of causes; anything else ends the call with the cause of the failure."""
    rule = channel.variables.get("continue_on_fail", "")
    if is_true(rule):
        return
    listed = {to_cause(part, "") for part in rule.split(",") if part}
    if cause in listed and cause not in _NEVER_CONTINUES:
        return
    channel.hangup(cause)


@app("intercept", needs_media=True)
async def intercept(channel: Channel, data: str) -> None:
    """Take over the call `<uuid>`: its present partner goes, this channel takes its place."""
    words = [word for word in data.split() if not word.startswith("-")]
    target = channel.switch.find(words[0]) if words else None
    if target is None or target is channel:
        return
    channel.answer()
    uuid_bridge(target, channel)
